"""Whether a sentry may start its part of the store that keeps signing leases.

The store's promise is that of its members: what a majority accepted is never forgotten.  So a member forms the store
once in its life, with the very three sentries that are named, and never begins again with an empty folder: it would
vote as if it had never promised anything, and two writes over one revision could both win (R4).  What was decided is
in ``store.json``, which is root's, and lies beside the node's identity: whoever loses one has lost the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from goldnode.errors import SafetyError
from goldnode.files import write_json
from goldnode.node import node_files
from goldnode.node.layout import NodeLayout

#: Says that etcd has put its data on the disk.
DATA = "data/member/wal"
HINT = "docs/lease.md: three new sentries keep the lease from now on"


@dataclass(frozen=True, slots=True)
class StoreRecord:
    """With whom this node keeps leases.

    Attributes:
        members: Node IDs of the three, sorted.
        formed: Whether its data was there once.
    """

    members: tuple[str, ...]
    formed: bool = False


def decide(node_id: str, named: Sequence[str], record: StoreRecord | None, *, data: bool) -> StoreRecord:
    """Decide whether this member may start; returns the record that must be on the disk before it does.

    Args:
        node_id: This node's ID.
        named: The three of node.yaml.
        record: What was decided before; None for nothing yet.
        data: Whether its data is there.

    Raises:
        SafetyError: It is not one of the three, kept leases with others, or its data is gone.
    """
    if node_id not in named:
        raise SafetyError(f"this node is {node_id}, which is not one of the three that serve_lease names", hint=HINT)
    wanted = tuple(sorted(named))
    if record is None:
        if data:
            raise SafetyError("there is a lease's store here, and no record of whose it is", hint=HINT)
        return StoreRecord(wanted)
    if record.members != wanted:
        raise SafetyError(
            f"this node keeps leases with {', '.join(record.members)}, and does so all its life; serve_lease names "
            f"{', '.join(wanted)}",
            hint=HINT,
        )
    if record.formed and not data:
        raise SafetyError(
            "the lease's store is gone from this node's disk: with an empty one it would break its promises", hint=HINT
        )
    return StoreRecord(wanted, formed=data)


def form(node: NodeLayout, node_id: str, named: Sequence[str]) -> None:
    """Before etcd starts: decide, and record it.

    Raises:
        SafetyError: See ``decide``.
    """
    record = decide(node_id, named, read(node), data=has_data(node))
    write_json(node.store_record, {"members": list(record.members), "formed": record.formed})


def has_data(node: NodeLayout) -> bool:
    """Whether etcd has put data on this node's disk."""
    return (node.store / DATA).exists()


def read(node: NodeLayout) -> StoreRecord | None:
    """The record; None if this node never kept leases.

    Raises:
        SafetyError: It is damaged.
    """
    document = node_files.read_object(node.store_record, hint=HINT, ours=True)
    if document is None:
        return None
    members, formed = document.get("members"), document.get("formed")
    if not (isinstance(members, list) and all(isinstance(each, str) for each in members) and type(formed) is bool):
        raise node_files.unusable(node.store_record, "it does not say with whom this node keeps leases", HINT)
    return StoreRecord(tuple(members), formed)
