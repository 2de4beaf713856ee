"""Who belongs to the cluster, as one member holds it: pure, time passed in.

A reading of a rendezvous never replaces the roster, it is merged into it: valid records raise marks and
bring candidates, tombstones and policies remove, absence means nothing.  So a server that hides,
replays or forgets can delay a member, and cannot take one away
(docs/rendezvous-protocol.md, section 8).  Who has left takes no place in the cluster, and is
forgotten as soon as nobody could come back in its name.

    roster = merge(roster, reading, context)     # then: roster.members, roster.refused
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from goldnode.discovery.admission import Candidate, admit
from goldnode.discovery.alarm import AlarmKind
from goldnode.protocol import limits
from goldnode.protocol.announcement import Announcement
from goldnode.protocol.policy import Policy
from goldnode.protocol.record import Record, Tombstone
from goldnode.protocol.wire import refuse


@dataclass(frozen=True, slots=True)
class Peer:
    """Another node's newest record, admitted or waiting.

    Attributes:
        announcement: What it says.
        slot: Where its record was.
        seq: The mark: nothing at or below it is looked at again.
        first_seen: Unix seconds.
        left: It has put a tombstone, or the root has forgotten it.
        left_boot: The boot ID it had before the present one; empty for none.
    """

    announcement: Announcement
    slot: str
    seq: int
    first_seen: float
    left: bool = False
    left_boot: str = ""

    @property
    def node_id(self) -> str:
        """Its node ID."""
        return self.announcement.enrolment.node_id

    @property
    def invite(self) -> str:
        """The invite it enrolled with."""
        return self.announcement.enrolment.grant.invite

    def is_over(self, policy: Policy, now: float) -> bool:
        """Whether it left, and neither it nor anybody with its invite could come back unseen."""
        grant = self.announcement.enrolment.grant
        spent = now > grant.not_after or grant.invite in policy.revoked_invites
        return self.left and spent and now - self.announcement.time / 1000 > limits.TOMBSTONE_TTL


@dataclass(frozen=True, slots=True)
class Roster:
    """What a member knows of the others.

    Attributes:
        peers: By node ID, everybody admitted and not revoked, including those who left recently.
        pending: By node ID, valid candidates that are not admitted.
        refused: Why each of them is not.
        clones: Node IDs two machines write as.
    """

    peers: Mapping[str, Peer] = field(default_factory=dict)
    pending: Mapping[str, Peer] = field(default_factory=dict)
    refused: Mapping[str, AlarmKind] = field(default_factory=dict)
    clones: frozenset[str] = frozenset()

    @property
    def members(self) -> dict[str, Peer]:
        """The peers that belong to the cluster now, by node ID."""
        return {node: peer for node, peer in self.peers.items() if not peer.left}


@dataclass(frozen=True, slots=True)
class Context:
    """Who the reader is, and what it holds.

    Attributes:
        node_id: Its own node ID; empty for an onlooker (the operator).
        invite: The invite it enrolled with; empty for an onlooker.
        chain_id: Its chain; empty to accept any.
        genesis: Hex SHA-256 of its genesis file; empty when it knows none.
        now: Unix seconds.
        policy: The policy it holds; an empty one while it holds none.
        policy_version: That policy's version; 0 for none.
    """

    node_id: str
    invite: str
    chain_id: str
    genesis: str
    now: float
    policy: Policy = field(default_factory=Policy)
    policy_version: int = 0


@dataclass(frozen=True, slots=True)
class RoomReading:
    """The content of one answer of a rendezvous: all that has valid signatures and form."""

    records: tuple[tuple[Record, Announcement], ...] = ()
    tombstones: tuple[Tombstone, ...] = ()


def check_fit(announcement: Announcement, context: Context) -> None:
    """Check that an announcement is for this reader's chain, genesis and time.

    Raises:
        ExchangeError: `malformed`; another chain, another genesis, or a time too far off.
    """
    facts = announcement.facts
    if context.chain_id and facts.chain_id != context.chain_id:
        raise refuse(f"a record is for chain {facts.chain_id}, not {context.chain_id}")
    if context.genesis and facts.genesis and facts.genesis != context.genesis:
        raise refuse("a record is for another genesis")
    if abs(announcement.time / 1000 - context.now) > limits.CLOCK_SKEW:
        raise refuse(f"a record's time is {announcement.time / 1000 - context.now:+.0f} s off")


def merge(roster: Roster, reading: RoomReading, context: Context) -> Roster:
    """Merge a reading, and decide on every candidate anew.

    Args:
        roster: What was known.
        reading: What was read; empty to judge again after a new policy or with time.
        context: The reader.

    Returns:
        What is known now; equal to `roster` when nothing has changed.
    """
    peers, pending, clones = dict(roster.peers), dict(roster.pending), set(roster.clones)
    for record, announcement in reading.records:
        _take(Peer(announcement, record.slot, record.seq, context.now), peers, pending, clones, context.node_id)
    for tombstone in reading.tombstones:
        _delete(tombstone, peers, pending)
    _apply(context.policy, peers, pending)
    peers = {node: peer for node, peer in peers.items() if not peer.is_over(context.policy, context.now)}
    oldest = (context.now - limits.CLOCK_SKEW) * 1000
    pending = {node: peer for node, peer in pending.items() if peer.announcement.time >= oldest}
    admitted, refused = _judge(peers, pending, context)
    for node in admitted:
        peers[node] = pending.pop(node)
    return Roster(peers, pending, refused, frozenset(clones))


def _take(new: Peer, peers: dict[str, Peer], pending: dict[str, Peer], clones: set[str], own: str) -> None:
    known = peers.get(new.node_id)
    marks = [place[new.node_id].seq for place in (peers, pending) if new.node_id in place]
    if new.node_id == own or new.seq <= max(marks, default=0):
        return
    if known is None or known.invite != new.invite:
        if len(pending) < limits.SLOTS or new.node_id in pending:
            pending[new.node_id] = new
        return
    boot, before = new.announcement.facts.boot, known.announcement.facts.boot
    if boot == known.left_boot:
        clones.add(new.node_id)
    left_boot = known.left_boot if boot == before else before
    place = pending if known.left else peers  # its place may have been taken since
    place[new.node_id] = replace(new, first_seen=known.first_seen, left_boot=left_boot)


def _apply(policy: Policy, peers: dict[str, Peer], pending: dict[str, Peer]) -> None:
    """Remove nodes that the policy revokes, and nodes that it forgets unless they have written since."""
    for node in policy.revoked_nodes & peers.keys():
        del peers[node]
    for node, at in policy.forgotten.items():
        if node in peers and peers[node].announcement.time <= at:
            peers[node] = replace(peers[node], left=True)
        if node in pending and pending[node].announcement.time <= at:
            del pending[node]


def _delete(tombstone: Tombstone, peers: dict[str, Peer], pending: dict[str, Peer]) -> None:
    for place in (peers, pending):
        for node, peer in list(place.items()):
            if peer.slot == tombstone.slot and tombstone.seq > peer.seq:
                place[node] = replace(peer, seq=tombstone.seq, left=True)


def _judge(
    peers: Mapping[str, Peer], pending: Mapping[str, Peer], context: Context
) -> tuple[frozenset[str], dict[str, AlarmKind]]:
    members = [peer for peer in peers.values() if not peer.left]
    behind = any(peer.announcement.policy[0] > context.policy_version for peer in members)
    held = {context.node_id: context.invite, **{peer.node_id: peer.invite for peer in peers.values()}}
    present = {context.node_id, *(peer.node_id for peer in members)}
    if not context.node_id:
        del held[""]
        present.remove("")
    candidates = [_candidate(peer) for peer in pending.values() if not peer.left]
    return admit(candidates, held, present, list(_endorsers(members)), context.policy, context.now, behind=behind)


def _candidate(peer: Peer) -> Candidate:
    return Candidate(peer.node_id, peer.announcement.enrolment.grant, frozenset(peer.announcement.accepted))


def _endorsers(peers: Iterable[Peer]) -> Iterable[Candidate]:
    return map(_candidate, peers)
