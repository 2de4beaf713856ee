"""Moves a consensus key from the daemon's home to the signer's when its node gets a signing lease.

If the folder ``signer/`` exists, the key is there, else in the daemon's home.  Key and state move
together, by renames that a power cut may interrupt and the next boot completes.  The way back is
``goldnode key export`` and ``import``.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace

from goldnode.errors import SafetyError
from goldnode.files import write_json
from goldnode.node import node_files
from goldnode.node.keys import keys
from goldnode.node.layout import NodeLayout


@dataclass(frozen=True, slots=True)
class LeaseRecord:
    """This node's own record of its lease.

    Attributes:
        holder: Its name in the store; random, the same across reboots.
        new: Whether the key was made here and was never granted a height.
        new_in: The store's incarnation when that was first recorded; empty before.
    """

    holder: str
    new: bool = False
    new_in: str = ""


def enter(node: NodeLayout, running: Callable[[], bool]) -> None:
    """Create the node's signer folder, and move the key there if there is one.

    Raises:
        SafetyError: The daemon is running with the key, or an earlier move cannot be completed.
    """
    if node.signer.is_dir():
        return
    home = (node.home / "data" / "priv_validator_state.json", node.home / "config" / "priv_validator_key.json")
    if any(path.exists() for path in home) and running():
        raise SafetyError(
            f"{node.name} is running with its key in the daemon's home; a lease moves the key away from there",
            hint=f"goldnode stop {node.name}, then: goldnode configure",
        )
    draft = node.base / ".signer"
    draft.mkdir(parents=True, exist_ok=True, mode=0o700)
    for path in home:
        if path.exists() and (draft / path.name).exists():
            raise SafetyError(f"both {path} and {draft / path.name} exist", hint="goldnode key show")
        if path.exists():
            path.rename(draft / path.name)
    os.sync()
    draft.rename(node.signer)


def leave(node: NodeLayout) -> None:
    """Refuse a node whose lease was removed from node.yaml while its signer has the key.

    Raises:
        SafetyError: The signer has the key.
    """
    if node.signer.is_dir() and (node.signer / "priv_validator_key.json").exists():
        raise SafetyError(
            f"{node.name}'s key is with its signer, but node.yaml no longer names a lease",
            hint="put lease: back; or, with it, goldnode key export FILE, and import that without one",
        )


def store(node: NodeLayout) -> str:
    """The configured value of `lease:`; empty without a lease."""
    return str((node_files.read_object(node.lease_settings, hint="goldnode configure") or {}).get("store", ""))


def record(node: NodeLayout, random: Callable[[int], bytes]) -> LeaseRecord:
    """This node's record of its lease, created on first use.

    Raises:
        SafetyError: The file cannot be used, and nothing else says under which name this node has the lease.
    """
    document = node_files.read_object(node.lease_record, hint=node_files.aside(node.lease_record), ours=True)
    if document is None:
        key = keys.read_record(node)
        made = LeaseRecord(random(16).hex(), new=key is not None and not key.used)
        write_json(node.lease_record, asdict(made))
        return made
    holder, new, new_in = document.get("holder"), document.get("new", False), document.get("new_in", "")
    if not (isinstance(holder, str) and holder and isinstance(new, bool) and isinstance(new_in, str)):
        raise node_files.unusable(
            node.lease_record, "it does not say who this node is in the store", node_files.aside(node.lease_record)
        )
    return LeaseRecord(holder, new, new_in)


def first_seen(node: NodeLayout, known: LeaseRecord, incarnation: str) -> LeaseRecord:
    """Bind a new key to the incarnation in which its keeper first reached the store."""
    if not known.new or known.new_in:
        return known
    bound = replace(known, new_in=incarnation)
    write_json(node.lease_record, asdict(bound))
    return bound


def granted(node: NodeLayout, known: LeaseRecord) -> LeaseRecord:
    """Record that the key is no longer new: a height was granted."""
    if not known.new:
        return known
    old = replace(known, new=False, new_in="")
    write_json(node.lease_record, asdict(old))
    return old
