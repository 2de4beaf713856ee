"""A cluster's members as a member would see them, for a table and for programs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rich.console import Group
from rich.table import Table

from goldnode.cluster.room import RoomView
from goldnode.cluster.store import Cluster
from goldnode.discovery.roster import Peer

#: Digits of a node ID in the table; every task accepts a prefix, and --json has the whole ID.
SHORT = 10


@dataclass(frozen=True, slots=True)
class MemberRow:
    """One node of the table.

    Attributes:
        node_id: Its node ID.
        moniker: Its name for people.
        role: The role its invite gave it.
        state: `member`, `left`, or why it is not admitted.
        addresses: Where others dial it.
        age: Seconds since its last record was written.
        accepted: How many members list it as accepted.
        policy: The policy version it holds.
        height: A validator's last signed height; None without one.
    """

    node_id: str
    moniker: str
    role: str
    state: str
    addresses: tuple[str, ...]
    age: float
    accepted: int
    policy: int
    height: int | None


def rows(cluster: Cluster, now: float) -> list[MemberRow]:
    """Members first, then nodes that have left, then candidates; by role and name."""
    roster = cluster.view.roster
    members = roster.members.values()
    listed = [(peer, "left" if peer.left else "member") for peer in roster.peers.values()]
    listed += [(peer, roster.refused[node].value) for node, peer in roster.pending.items() if node in roster.refused]
    order = {"member": 0, "left": 1}
    listed.sort(key=lambda item: (order.get(item[1], 2), item[0].announcement.enrolment.role, item[0].node_id))
    return [_row(peer, state, list(members), now) for peer, state in listed]


def document(cluster: Cluster, seen: RoomView, now: float) -> dict[str, Any]:
    """The same for programs, with the alarms."""
    return {
        "version": 1,
        "cluster": cluster.settings.name,
        "network": cluster.settings.network,
        "fingerprint": cluster.view.fingerprint,
        "epoch": cluster.view.epoch,
        "policy": cluster.view.cited[0],
        "answered": list(seen.answered),
        "members": [
            {
                "node_id": row.node_id,
                "moniker": row.moniker,
                "role": row.role,
                "state": row.state,
                "addresses": list(row.addresses),
                "age_seconds": round(row.age, 1),
                "accepted_by": row.accepted,
                "policy": row.policy,
                "height": row.height,
            }
            for row in rows(cluster, now)
        ],
        "alarms": [
            {"kind": alarm.kind.value, "subject": alarm.subject, "sentence": str(alarm), "hint": alarm.hint}
            for alarm in seen.alarms
        ],
    }


def screen(cluster: Cluster, seen: RoomView, now: float) -> Group:
    """The same for people, on a terminal."""
    title = f"{cluster.settings.name} ({cluster.settings.network}), epoch {cluster.view.epoch}"
    table = Table(title=title)
    for heading in ("name", "role", "state", "node ID", "addresses", "age", "accepted by", "height"):
        table.add_column(heading, overflow="fold")
    for row in rows(cluster, now):
        addresses, height = "\n".join(row.addresses) or "-", "-" if row.height is None else str(row.height)
        cells = (row.role, row.state, row.node_id[:SHORT], addresses, f"{row.age:.0f} s", str(row.accepted), height)
        table.add_row(row.moniker, *cells)
    lines = [f"! {alarm}" + (f"\n  {alarm.hint}" if alarm.hint else "") for alarm in seen.alarms]
    return Group(table, *lines)


def _row(peer: Peer, state: str, members: list[Peer], now: float) -> MemberRow:
    facts = peer.announcement.facts
    return MemberRow(
        peer.node_id,
        facts.moniker,
        peer.announcement.enrolment.role,
        state,
        facts.addresses,
        max(0.0, now - peer.announcement.time / 1000),
        sum(peer.node_id in other.announcement.accepted for other in members),
        peer.announcement.policy[0],
        facts.consensus.height if facts.consensus else None,
    )
