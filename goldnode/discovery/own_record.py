"""What a member writes: when its record is due, under which number, and whether somebody else writes it too.

    seq = max(stored, what our own slot shows, unix milliseconds) + 1

Only records that carry our own signatures move the number; what a server merely claims does not.
A record in our slot that is newer than any we wrote, after this process has written, means that two
machines hold this node's key: a copy of the disk, or a machine restored with its memory, whose boot ID
is the same.  Before this process has written it may be its predecessor's, unless it is of another boot.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from goldnode.discovery.cluster_view import ClusterView
from goldnode.discovery.identity import read_identity, write_identity
from goldnode.protocol import limits
from goldnode.protocol.announcement import Announcement, announce
from goldnode.protocol.facts import Facts, read_facts, write_facts
from goldnode.protocol.record import sign_tombstone
from goldnode.protocol.seal import slot_key
from goldnode.protocol.wire import hash_of, public_of

#: Seconds a changed list of accepted nodes waits for more changes before it is announced.
SETTLE = 2.0
_NEVER = float("inf")


@dataclass(frozen=True, slots=True)
class PublishedRecord:
    """The record every rendezvous should show in our slot.

    Attributes:
        room: The room it is for.
        seq: Its number.
        data: Its bytes.
        announcement: What it says.
        at: When it was written, unix seconds.
    """

    room: str
    seq: int
    data: bytes
    announcement: Announcement
    at: float


class OwnRecord:
    """The write side of one member; not thread-safe, its owner locks.

    Args:
        path: The identity file.
        node_key: The node's key.
        random: Gives that many random bytes.

    Raises:
        InputError: The file is absent or damaged.
    """

    def __init__(self, path: Path, node_key: Ed25519PrivateKey, random: Callable[[int], bytes]) -> None:
        self._path, self._key, self._random = path, node_key, random
        self.identity = read_identity(path)
        self.facts: Facts | None = None
        self.cloned = False
        self._written: PublishedRecord | None = None
        self._viewed_at = -_NEVER
        self._settled_at = _NEVER
        self._answer_at = -_NEVER

    def publish(self, facts: Facts) -> bool:
        """Set what the record says; returns whether that is new.

        Raises:
            ExchangeError: `malformed`; others would refuse it.
        """
        read_facts(write_facts(facts))
        changed = facts != self.facts
        self.facts = facts
        return changed

    def due(self, view: ClusterView) -> float:
        """Unix seconds at which a new record is due; 0 for now, infinity while there is nothing to say."""
        written = self._written
        if self.facts is None:
            return _NEVER
        if written is None or written.room != view.room:
            return 0.0
        if written.announcement.facts != self.facts or written.announcement.policy != view.cited:
            return 0.0
        contested = self._answer_at if written.seq < self.identity.seq else _NEVER
        return min(written.at + limits.REFRESH_INTERVAL, self._settled_at, contested)

    def current(self, view: ClusterView, now: float) -> PublishedRecord | None:
        """The record to put, rewritten when it is due; None while there is nothing to say."""
        if self.facts is not None and self.due(view) <= now:
            self._written = self._write(self.facts, view, now)
            self._settled_at = _NEVER
        return self._written

    def settle(self, now: float) -> None:
        """The list of accepted nodes has changed: announce it soon, together with whatever follows."""
        self._settled_at = min(self._settled_at, now + SETTLE)

    def meet(self, seq: int, boot: str | None, now: float) -> None:
        """Compare what our own slot shows with what we wrote.

        Args:
            seq: Its number.
            boot: The boot ID in it; None for a tombstone.
            now: Unix seconds.
        """
        if seq <= self.identity.seq:
            return
        wrote_in_this_boot = self.facts is not None and self.identity.boot == self.facts.boot
        self.identity = replace(self.identity, seq=seq)
        # A number is on disk before it is used, and only this process writes: a newer one is not ours.
        if boot is not None and (self._written is not None or (wrote_in_this_boot and boot != self.identity.boot)):
            self.cloned = True
        if self._answer_at <= now:  # at once, but then not for a while: two clones must not race each other
            self._answer_at = max(now, self._answer_at + limits.TOUCH_INTERVAL)

    def slot_key(self, room: str) -> Ed25519PrivateKey:
        """Our key for a room."""
        return slot_key(self._key, room)

    def slot(self, room: str) -> str:
        """Our slot in a room."""
        return hash_of(public_of(self.slot_key(room)))

    def farewell(self, room: str, now: float) -> bytes:
        """A tombstone for our slot in a room; nothing is due until `publish` is called again."""
        self.facts = self._written = None
        return sign_tombstone(self.slot_key(room), self._next_seq(now))

    def _next_seq(self, now: float) -> int:
        """Take the next number; it is on disk before it is used."""
        boot = self.facts.boot if self.facts else self.identity.boot
        self.identity = replace(self.identity, seq=max(self.identity.seq, int(now * 1000)) + 1, boot=boot)
        write_identity(self._path, self.identity)
        return self.identity.seq

    def _write(self, facts: Facts, view: ClusterView, now: float) -> PublishedRecord:
        peers = view.roster.members
        scheduled = now - self._viewed_at >= limits.REFRESH_INTERVAL
        self._viewed_at = now if scheduled else self._viewed_at
        seq = self._next_seq(now)
        announcement = Announcement(
            self.identity.enrolment,
            facts,
            time=int(now * 1000),
            policy=view.cited,
            accepted=tuple(sorted(peers)),
            seen={node: peer.seq for node, peer in peers.items()} if scheduled else None,
        )
        key = view.cluster_key
        data = announce(announcement, cluster_key=key, node_key=self._key, seq=seq, random=self._random)
        return PublishedRecord(view.room, seq, data, announcement, now)
