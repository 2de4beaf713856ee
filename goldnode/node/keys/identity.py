"""Who a node is: its node key, made once and bound to the machine it was made on.

A copied disk brings the key to a second machine, which must not use it: two nodes with one
identity cut each other off.  The copy is recognised by its machine (``machine.Machine.binding``)
and refuses, unless the node was handed over (``handover``).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from goldnode.errors import SafetyError
from goldnode.files import write_json
from goldnode.node.keys import cometbft_keys, handover
from goldnode.node.keys.cometbft_keys import Key
from goldnode.node.layout import NodeLayout


@dataclass(frozen=True, slots=True)
class Identity:
    """A node's key and the machine it belongs to.

    Attributes:
        key: The node key.
        binding: Digest of the machine (``machine.Machine.binding``).
    """

    key: Key
    binding: str


def read(node: NodeLayout) -> Identity | None:
    """The node's identity; None when it has none yet.

    Raises:
        SafetyError: A part of it is missing or cannot be read.
    """
    try:
        key = cometbft_keys.parse(node.node_key.read_text(), str(node.node_key))
    except FileNotFoundError:
        key = None
    try:
        bound = json.loads(node.identity.read_text())
    except FileNotFoundError:
        bound = None
    except ValueError as error:
        raise SafetyError(f"{node.identity} cannot be read: {error}", hint="restore it from a backup") from error
    if bound is None:
        # A key without its binding is the trace of a power cut before the first start: bind it again.
        return None
    if key is None or bound.get("node_id") != key.node_id:
        raise SafetyError(
            f"the node key of {node.name} ({bound.get('node_id')}) is gone or was replaced",
            hint=f"put it back: {node.node_key}",
        )
    return Identity(key, str(bound.get("machine")))


def ensure(node: NodeLayout, binding: str, seed: Callable[[], bytes]) -> Identity:
    """The node's identity on this machine; made, bound, or taken over as needed.

    Args:
        node: Whose.
        binding: This machine's.
        seed: Gives 32 random bytes.

    Raises:
        SafetyError: The identity belongs to another machine and was not handed over.
    """
    identity = read(node)
    if identity is None:
        key = _made(node, seed)
        _bind(node, key, binding)
        return Identity(key, binding)
    if identity.binding == binding:
        return identity
    if handover.consume(node, binding):
        _bind(node, identity.key, binding)
        return Identity(identity.key, binding)
    raise SafetyError(
        f"this disk is a copy: the identity {identity.key.node_id} of {node.name} belongs to another machine",
        hint="give this machine a new invite, or on the old one: goldnode handover",
    )


def set_aside(node: NodeLayout) -> Path:
    """Move a copied identity out of the way, whole, so that a new one can be made; nothing is deleted.

    Raises:
        SafetyError: The node has a consensus key: a copy of a validator must not become anything.
    """
    if node.key_record.exists() or node.consensus_key.exists():
        raise SafetyError(
            f"this disk is a copy of the validator {node.name}; it will not start from it",
            hint="launch a machine from the image, not from a copy",
        )
    target = node.base.with_name(f".{node.name}.copy-of-another-machine")
    number = 1
    while target.exists():
        number += 1
        target = target.with_name(f".{node.name}.copy-of-another-machine.{number}")
    node.base.rename(target)
    return target


def _made(node: NodeLayout, seed: Callable[[], bytes]) -> Key:
    if node.node_key.exists():
        return cometbft_keys.parse(node.node_key.read_text(), str(node.node_key))
    key = Key(seed())
    write_json(node.node_key, key.node_document(), 0o640)
    return key


def _bind(node: NodeLayout, key: Key, binding: str) -> None:
    write_json(node.identity, {"version": 1, "node_id": key.node_id, "machine": binding}, 0o644)
