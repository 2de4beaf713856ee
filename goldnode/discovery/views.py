"""Noticing a rendezvous that shows its members different worlds.

Scheduled refreshes carry what their writer has seen of the others.  A member that is told of a
`seq` it was never shown waits two refresh intervals, since news travels; after that somebody is
being kept in the dark, and both sides can say so (docs/rendezvous-protocol.md, section 8).
Pure, time passed in.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from goldnode.discovery.alarm import Alarm, Kind
from goldnode.discovery.roster import Roster
from goldnode.protocol import limits

_PATIENCE = 2 * limits.REFRESH_INTERVAL


@dataclass(frozen=True, slots=True)
class Lag:
    """A record others have seen and we were not shown: its `seq`, and since when (unix seconds) we know of it."""

    seq: int
    since: float


def find_lags(roster: Roster, before: Mapping[str, Lag], now: float) -> dict[str, Lag]:
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
    lags = dict(before)
    for node, seq in told.items():
        if node not in roster.refused:
            lags.setdefault(node, Lag(seq, now))
    return {node: lag for node, lag in lags.items() if lag.seq > shown(roster, node)}


def split_views(roster: Roster, lags: Mapping[str, Lag], own: str, now: float) -> set[Alarm]:
    """The alarms: what was kept from us, and from whom something is kept.

    Args:
        roster: What we hold.
        lags: What we are behind in.
        own: Our node ID; others may well know newer records of ours than we read back.
        now: Unix seconds.
    """
    alarms = {
        Alarm(Kind.SPLIT_VIEW, node, "is hidden from us")
        for node, lag in lags.items()
        if node != own and now - lag.since >= _PATIENCE
    }
    members = roster.members
    for reader in members.values():
        seen = reader.announcement.seen or {}
        for node in seen.keys() & members.keys():
            writer = members[node]
            age = (reader.announcement.time - writer.announcement.time) / 1000
            if age > _PATIENCE and seen[node] < writer.seq:
                alarms.add(Alarm(Kind.SPLIT_VIEW, reader.node_id, "is shown old records"))
    return alarms


def shown(roster: Roster, node: str) -> int:
    """The highest `seq` of a node that we were shown; 0 for none."""
    known = roster.peers.get(node) or roster.pending.get(node)
    return known.seq if known else 0
