"""Who a node is: its node key, made once and bound to the machine it was made on.

A copied disk brings the key to a second machine, which must not use it: two nodes with one
identity cut each other off.  The copy is recognised by its machine (``machine.Machine.binding``)
and refuses, unless the node was handed over (``handover``).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from goldnode.errors import SafetyError
from goldnode.files import write_json
from goldnode.node import node_files
from goldnode.node.keys import cometbft_keys, handover, keys
from goldnode.node.keys.cometbft_keys import Key
from goldnode.node.layout import NodeLayout


@dataclass(frozen=True, slots=True)
class NodeIdentity:
    """A node's key and the machine it belongs to.

    Attributes:
        key: The node key.
        binding: Digest of the machine (``machine.Machine.binding``).
    """

    key: Key
    binding: str


def read(node: NodeLayout, *, fenced: bool = False) -> NodeIdentity | None:
    """The node's identity; None if it has none yet.

    Args:
        node: Whose.
        fenced: Whether its signing lease keeps a second machine with its key from signing.

    Raises:
        SafetyError: Part of it is missing or cannot be read.
    """
    bound = node_files.read_object(node.identity, hint=_unbound_hint(node), ours=True)
    if bound is None:
        if _has_lived(node, fenced=fenced):
            raise node_files.unusable(
                node.identity, "it is missing, and only it says which machine this node belongs to", _unbound_hint(node)
            )
        # A key without its binding is left by a power cut before the first start: bind it again.
        return None
    node_id, binding = bound.get("node_id"), bound.get("machine")
    if not isinstance(node_id, str) or not isinstance(binding, str):
        raise node_files.unusable(node.identity, "it does not name a node and a machine", _unbound_hint(node))
    key = _read_node_key(node)
    if key is None or node_id != key.node_id:
        gone = "is gone" if key is None else f"is another one, {key.node_id}"
        raise SafetyError(f"the node key of {node.name}, {node_id}, {gone}: {node.node_key}", hint=_renewal_hint(node))
    return NodeIdentity(key, binding)


def renew(node: NodeLayout, binding: str) -> tuple[Path, ...]:
    """Set a damaged identity aside, so that a new invite creates a new one; nothing is deleted.

    Args:
        node: The node whose identity cannot be read.
        binding: This machine's binding.

    Returns:
        What was set aside.

    Raises:
        SafetyError: It is a validator's, and nothing shows that it belongs to this machine.
    """
    if _is_validator(node):
        bound = node_files.read_object(node.identity, hint=_unbound_hint(node), ours=True)
        if bound is None or bound.get("machine") != binding:
            raise node_files.unusable(
                node.identity, "it does not say that this validator belongs to this machine", _unbound_hint(node)
            )
    return tuple(
        node_files.set_aside(path) for path in (node.node_key, node.identity, node.member) if os.path.lexists(path)
    )


def ensure(node: NodeLayout, binding: str, seed: Callable[[], bytes], *, fenced: bool = False) -> NodeIdentity:
    """The node's identity on this machine; made, bound, or taken over as needed.

    Args:
        node: Whose.
        binding: This machine's.
        seed: Gives 32 random bytes.
        fenced: As ``read`` has it.

    Raises:
        SafetyError: The identity belongs to another machine and was not handed over.
    """
    identity = read(node, fenced=fenced)
    if identity is None:
        key = _made(node, seed)
        _bind(node, key, binding)
        return NodeIdentity(key, binding)
    if identity.binding == binding:
        return identity
    if handover.consume(node, binding):
        _bind(node, identity.key, binding)
        return NodeIdentity(identity.key, binding)
    raise SafetyError(
        f"this disk is a copy: the identity {identity.key.node_id} of {node.name} belongs to another machine",
        hint=_elsewhere_hint(node),
    )


def claim(node: NodeLayout, binding: str, seed: Callable[[], bytes]) -> tuple[Path, ...]:
    """Bind a node to this machine because a person says that its old machine is gone; nothing is deleted.

    Args:
        node: The node; its key is muted or fenced by its lease, or it has none.
        binding: This machine's binding.
        seed: Gives 32 random bytes, for a node key to replace a lost one; that needs a new invite.

    Returns:
        The damaged files that were set aside.
    """
    aside = []
    try:
        key = _read_node_key(node)
    except SafetyError:
        aside.append(node_files.set_aside(node.node_key))
        key = None
    if key is None and os.path.lexists(node.member):
        aside.append(node_files.set_aside(node.member))
    try:
        node_files.read_object(node.identity, ours=True)
    except SafetyError:
        aside.append(node_files.set_aside(node.identity))
    _bind(node, key or _made(node, seed), binding)
    return tuple(aside)


def set_aside(node: NodeLayout) -> Path:
    """Move a copied identity out of the way, unchanged, so that a new one can be made; nothing is deleted.

    Raises:
        SafetyError: The node has a consensus key: a copy of a validator must not become anything.
    """
    if _is_validator(node):
        raise SafetyError(
            f"this disk is a copy of the validator {node.name}; it will not start from it",
            hint=f"launch a machine from the image, not from a copy; with a volume {_elsewhere_hint(node)}",
        )
    target = node.base.with_name(f".{node.name}.copy-of-another-machine")
    number = 1
    while target.exists():
        number += 1
        target = target.with_name(f".{node.name}.copy-of-another-machine.{number}")
    node.base.rename(target)
    return target


def _made(node: NodeLayout, seed: Callable[[], bytes]) -> Key:
    key = _read_node_key(node)
    if key is not None:
        return key
    key = Key(seed())
    write_json(node.node_key, key.node_document(), 0o640)
    return key


def _bind(node: NodeLayout, key: Key, binding: str) -> None:
    write_json(node.identity, {"version": 1, "node_id": key.node_id, "machine": binding}, 0o644)


def _read_node_key(node: NodeLayout) -> Key | None:
    hint = _renewal_hint(node)
    text = node_files.read_text(node.node_key, hint=hint)
    return None if text is None else cometbft_keys.parse(text, str(node.node_key), hint=hint)


def _has_lived(node: NodeLayout, *, fenced: bool) -> bool:
    """Whether the node got further than making its first identity: these files are written after that.

    A volume may bring a consensus key and its record, but no node key: a key that never signed, or one from its
    backup, in the signer's folder, whose lease decides what it signs.
    """
    if os.path.lexists(node.member / "identity.json"):
        return True
    if not os.path.lexists(node.key_record):
        return False
    record = keys.read_record(node)
    from_backup = fenced and node.signer.is_dir()
    return os.path.lexists(node.node_key) or record is None or (record.used and not from_backup)


def _renewal_hint(node: NodeLayout) -> str:
    return f"put it back from a backup, or write a new invite for {node.name} into node.yaml: goldnode apply FILE"


def _unbound_hint(node: NodeLayout) -> str:
    """What to type if nothing shows which machine a node belongs to: with a key that may sign, only a takeover."""
    return f"goldnode takeover {node.name}" if _is_validator(node) else _renewal_hint(node)


def _elsewhere_hint(node: NodeLayout) -> str:
    if _is_validator(node):
        return (
            f"on the old machine: goldnode handover {node.name}; if it is gone for good: goldnode takeover {node.name}"
        )
    return "give this machine a new invite, or on the old one: goldnode handover"


def _is_validator(node: NodeLayout) -> bool:
    return os.path.lexists(node.key_record) or os.path.lexists(node.consensus_key)
