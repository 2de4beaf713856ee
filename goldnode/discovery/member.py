"""One node's place in one cluster: its identity, what it says of itself, what it knows of others.

    member = Membership.join(state, node_key, read_invite(line))     # once
    member = Membership(state, node_key)                             # from then on
    member.publish(facts)
    with Exchange(member, urls): ...                             # goldnode/discovery/exchange.py
    member.members(); member.alarms()

Everything is under one lock and in one directory, so a machine may hold as many members as it has
nodes.  Each step is its own method and leaves the disk whole: killed between any two, the member
carries on where it was.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from goldnode.discovery.alarm import Alarm, AlarmKind
from goldnode.discovery.cluster_view import ClusterView, RoomReader
from goldnode.discovery.identity import Identity, read_identity, rejoin, write_identity
from goldnode.discovery.listing import RoomListing
from goldnode.discovery.mailbox import Mailbox, OrderReply
from goldnode.discovery.own_record import OwnRecord, PublishedRecord
from goldnode.discovery.roster import Peer, RoomReading
from goldnode.errors import ExchangeError, InputError
from goldnode.protocol.announcement import Announcement
from goldnode.protocol.enrolment import enrol
from goldnode.protocol.facts import Facts
from goldnode.protocol.invite import Invite
from goldnode.protocol.parcel import Parcel
from goldnode.protocol.record import Record, Tombstone, verify_tombstone
from goldnode.protocol.seal import new_wrapping_seed, room_key, wrapping_keys
from goldnode.protocol.wire import node_id_of, public_of

_IDENTITY, _MEMBERSHIP = "identity.json", "membership.json"


@dataclass(frozen=True, slots=True)
class Keys:
    """What a request needs: the present room and our keys for it."""

    room: str
    room_key: Ed25519PrivateKey
    slot: str
    slot_key: Ed25519PrivateKey


class Membership:
    """A node's membership of its cluster; safe to use from several threads.

    Args:
        state: Its directory, 0700.
        node_key: The node's Ed25519 key.
        clock: Unix seconds.
        random: Gives that many random bytes.

    Attributes:
        changed: Notified when the roster, the policy or what we have to say has changed.

    Raises:
        InputError: There is no membership here, it is damaged, or it is another node's.
    """

    def __init__(
        self,
        state: Path,
        node_key: Ed25519PrivateKey,
        *,
        clock: Callable[[], float] = time.time,
        random: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self.clock = clock
        self.changed = threading.Condition()
        self._own = OwnRecord(state / _IDENTITY, node_key, random)
        enrolment = self._own.identity.enrolment
        if enrolment.node_id != node_id_of(public_of(node_key)):
            raise InputError(f"{state} belongs to node {enrolment.node_id}", hint="join with a new invite")
        grant = enrolment.grant
        self.node_id, self.role, self.fingerprint = enrolment.node_id, enrolment.role, grant.fingerprint
        reader = RoomReader(grant.root, enrolment.node_id, grant.invite, self._own.identity.wrapping_seed)
        if not os.path.lexists(state / _MEMBERSHIP):
            raise InputError(f"{state / _MEMBERSHIP} is gone", hint=rejoin(state))
        self._view = ClusterView(state / _MEMBERSHIP, reader, 0, b"")
        self._version = 0
        self._mailbox = Mailbox(node_key, self.node_id, random)

    @classmethod
    def join(
        cls,
        state: Path,
        node_key: Ed25519PrivateKey,
        invite: Invite,
        *,
        clock: Callable[[], float] = time.time,
        random: Callable[[int], bytes] = os.urandom,
    ) -> Membership:
        """Enrol with an invite; with the same invite again, go on with what is there.

        Raises:
            ExchangeError: `expired`.
            InputError: The directory holds something damaged.
        """
        identity, grant = state / _IDENTITY, invite.grant
        if not cls.joined(state) or read_identity(identity).enrolment.grant.data != grant.data:
            wrapping_seed = new_wrapping_seed()
            enrolment = enrol(invite, node_key, wrapping_keys(wrapping_seed)[1], clock())
            state.mkdir(parents=True, exist_ok=True, mode=0o700)
            # the key first: an identity on disk means that everything is there
            ClusterView(state / _MEMBERSHIP, RoomReader(grant.root), grant.epoch, invite.cluster_key).save()
            write_identity(identity, Identity(enrolment, wrapping_seed))
        return cls(state, node_key, clock=clock, random=random)

    @staticmethod
    def joined(state: Path) -> bool:
        """Whether `state` holds a membership."""
        return os.path.lexists(state / _IDENTITY)

    def members(self) -> dict[str, Peer]:
        """The other members, by node ID; from disk while no rendezvous answers."""
        with self.changed:
            return self._view.roster.members

    def alarms(self) -> set[Alarm]:
        """Everything that is wrong; `Exchange.alarms` adds what is wrong with the rendezvous."""
        with self.changed:
            own = {Alarm(AlarmKind.CLONE, self.node_id)} if self._own.cloned else set()
            return self._view.alarms(self.clock()) | own

    def endpoints(self) -> tuple[str, ...]:
        """The rendezvous URLs of the policy, beside those the node was given."""
        with self.changed:
            return self._view.policy.endpoints

    def policy(self) -> tuple[int, bytes]:
        """Version and bytes of the policy held; (0, nothing) for none."""
        with self.changed:
            signed = self._view.signed
            return (signed.version, signed.data) if signed else (0, b"")

    def keys(self) -> Keys:
        """The keys of the present room."""
        with self.changed:
            room = self._view.room
            return Keys(room, room_key(self._view.cluster_key), self._own.slot(room), self._own.slot_key(room))

    def publish(self, facts: Facts) -> None:
        """Announce these facts from now on; repeating them changes nothing.

        Raises:
            ExchangeError: `malformed`; a fact others would refuse.
        """
        with self.changed:
            if self._own.publish(facts):
                self._view.know(facts.chain_id, facts.genesis)
                self.changed.notify_all()

    def current(self) -> PublishedRecord | None:
        """The record to put, rewritten when it is due; None until `publish` was called."""
        with self.changed:
            return self._own.current(self._view, self.clock())

    def due(self) -> float:
        """Unix seconds at which `current` will give a new record."""
        with self.changed:
            return self._own.due(self._view)

    def orders(self) -> list[Parcel]:
        """The orders for this node that came since the last call, each once; nothing in them is trusted yet."""
        with self.changed:
            return self._mailbox.collect()

    def root(self) -> bytes:
        """The cluster root's public key."""
        return self._own.identity.enrolment.grant.root

    def wrapping_seed(self) -> bytes:
        """The secret that opens what is sealed to this node."""
        return self._own.identity.wrapping_seed

    def answer(self, text: bytes, recipient: bytes, number: int) -> None:
        """Answer an order: to every rendezvous, as soon as each can be reached.

        Args:
            text: What to say.
            recipient: The X25519 key that it is sealed to.
            number: Greater than that of every earlier answer, across reboots too.
        """
        with self.changed:
            self._mailbox.answer(text, recipient, number, self._view.cluster_key)
            self.changed.notify_all()

    def reply(self) -> OrderReply | None:
        """The answer that every rendezvous should show; None if there is none."""
        with self.changed:
            reply = self._mailbox.reply
            return reply if reply and reply.room == self._view.room else None

    def farewell(self) -> bytes:
        """A tombstone for our slot: every member forgets us."""
        with self.changed:
            return self._own.farewell(self._view.room, self.clock())

    def wait(self, version: int, timeout: float) -> int:
        """Block until the roster or the policy has changed since `version` (0 at first).

        Returns:
            The present version, to be passed next time.
        """
        with self.changed:
            self.changed.wait_for(lambda: self._version != version, timeout)
            return self._version

    def take(self, listing: RoomListing) -> dict[str, str]:
        """Process what a rendezvous showed, the policy first.

        Returns:
            The reason for each refusal, by slot (or `policy`).
        """
        bad: dict[str, str] = {}
        with self.changed:
            now, keys, before = self.clock(), self.keys(), self._view.roster.members.keys()
            changed = listing.policy is not None and self._take_policy(listing.policy, now, bad)
            if self._view.room != keys.room:  # the rest lies in the room we have just left
                listing = replace(listing, items=(), deleted=())
            reading = RoomReading(
                tuple(self._records(listing.items, now, bad)), tuple(_tombstones(listing.deleted, bad))
            )
            for record, announcement in reading.records:
                if record.slot == keys.slot:
                    self._own.meet(record.seq, announcement.facts.boot, now)
            for tombstone in reading.tombstones:
                if tombstone.slot == keys.slot:
                    self._own.meet(tombstone.seq, None, now)
            changed |= self._view.take(reading, now)
            if before != self._view.roster.members.keys():
                self._own.settle(now)
            self._version += changed
            self.changed.notify_all()
        return bad

    def _take_policy(self, data: bytes, now: float, bad: dict[str, str]) -> bool:
        try:
            return self._view.take_policy(data, now)
        except ExchangeError as error:
            bad["policy"] = error.message
            return False

    def _records(
        self, items: Iterable[tuple[str, bytes]], now: float, bad: dict[str, str]
    ) -> Iterable[tuple[Record, Announcement]]:
        for slot, data in items:
            try:
                found = self._view.read(slot, data, now)
            except ExchangeError as error:
                bad[slot] = error.message
                continue
            if isinstance(found, Parcel):
                self._mailbox.take(found)
            else:
                yield found


def _tombstones(deleted: Iterable[tuple[str, bytes]], bad: dict[str, str]) -> Iterable[Tombstone]:
    for slot, data in deleted:
        try:
            yield verify_tombstone(data, slot)
        except ExchangeError as error:
            bad[slot] = error.message
