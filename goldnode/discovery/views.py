"""Noticing a rendezvous that shows its members different records.

Scheduled refreshes carry what their writer has seen of the others.  A member that is told of a
`seq` it was never shown waits two refresh intervals, since news travels; after that somebody is
being kept in the dark, and both sides can say so (docs/rendezvous-protocol.md, section 8).
Pure, time passed in.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from goldnode.discovery.alarm import Alarm, AlarmKind
from goldnode.discovery.roster import Roster
from goldnode.protocol import limits

_GRACE = 2 * limits.REFRESH_INTERVAL


@dataclass(frozen=True, slots=True)
class UnseenRecord:
    """A record others have seen and we were not shown: its `seq`, and since when (unix seconds) we know of it."""

    seq: int
    since: float


def find_unseen(roster: Roster, before: Mapping[str, UnseenRecord], now: float) -> dict[str, UnseenRecord]:
    """What we are behind in, by the node ID of whom we are behind in.

    Args:
        roster: What we hold.
        before: What we were behind in at the last look.
        now: Unix seconds.
    """
    told: dict[str, int] = {}
    for peer in roster.members.values():
        for node, seq in (peer.announcement.seen or {}).items():
            told[node] = max(told.get(node, 0), seq)
    unseen = dict(before)
    for node, seq in told.items():
        if node not in roster.refused:
            unseen.setdefault(node, UnseenRecord(seq, now))
    return {node: record for node, record in unseen.items() if record.seq > shown(roster, node)}


def split_views(roster: Roster, unseen: Mapping[str, UnseenRecord], own: str, now: float) -> set[Alarm]:
    """The alarms: what was kept from us, and from whom something is kept.

    Args:
        roster: What we hold.
        unseen: What we are behind in.
        own: Our node ID; others may well know newer records of ours than we read back.
        now: Unix seconds.
    """
    alarms = {
        Alarm(AlarmKind.SPLIT_VIEW, node, "is hidden from us")
        for node, record in unseen.items()
        if node != own and now - record.since >= _GRACE
    }
    members = roster.members
    for reader in members.values():
        seen = reader.announcement.seen or {}
        for node in seen.keys() & members.keys():
            writer = members[node]
            age = (reader.announcement.time - writer.announcement.time) / 1000
            if age > _GRACE and seen[node] < writer.seq:
                alarms.add(Alarm(AlarmKind.SPLIT_VIEW, reader.node_id, "is shown old records"))
    return alarms


def shown(roster: Roster, node: str) -> int:
    """The highest `seq` of a node that we were shown; 0 for none."""
    known = roster.peers.get(node) or roster.pending.get(node)
    return known.seq if known else 0
