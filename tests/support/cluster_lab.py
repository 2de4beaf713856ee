"""A cluster for tests: fixed keys, a clock that stands still, members with their disks below one folder."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from goldnode.discovery.listing import RoomListing
from goldnode.discovery.member import Membership
from goldnode.protocol.announcement import Announcement, announce, check_announcement
from goldnode.protocol.enrolment import Enrolment, enrol
from goldnode.protocol.facts import Facts
from goldnode.protocol.invite import Invite, mint
from goldnode.protocol.policy import Policy, sign_policy
from goldnode.protocol.record import Record
from goldnode.protocol.seal import open_inside, room_of, slot_key, wrapping_keys
from goldnode.protocol.wire import hash_of, key_from_seed, node_id_of, public_of

#: The lab's time, unix seconds.
NOW = 1_800_000_000.0


def seed(name: str) -> bytes:
    """32 bytes that follow from a name."""
    return hashlib.sha256(name.encode()).digest()


def read_announcement(record: Record, cluster_key: bytes, root: bytes) -> Announcement:
    """What a record whose slot signature was checked says, as a reader with the epoch's key takes it."""
    return check_announcement(open_inside(record, cluster_key), root)


class Dice:
    """Random bytes that are the same in each run.

    Args:
        name: Another name, other bytes.
    """

    def __init__(self, name: str = "dice") -> None:
        self._name, self._count = name, 0

    def __call__(self, size: int) -> bytes:
        """The next bytes."""
        self._count += 1
        return hashlib.shake_256(f"{self._name} {self._count}".encode()).digest(size)


@dataclass
class Clock:
    """A clock tests set."""

    now: float = NOW

    def __call__(self) -> float:
        """Unix seconds."""
        return self.now


def facts(name: str, role: str = "sentry", boot: str = "") -> Facts:
    """What a node of the lab says."""
    number = seed(name)[0]
    return Facts(
        moniker=name,
        chain_id="lab-1",
        genesis=seed("genesis").hex(),
        instance=seed(f"instance {name}").hex(),
        boot=seed(boot or f"boot {name}").hex()[:32],
        p2p_port=26656,
        addresses=() if role == "validator" else (f"10.1.0.{number}",),
    )


@dataclass
class Lab:
    """One cluster: its root, its epoch's key, and dice."""

    epoch: int = 1
    cluster_key: bytes = seed("K 1")
    clock: Clock = field(default_factory=Clock)
    dice: Dice = field(default_factory=Dice)
    root: Ed25519PrivateKey = field(default_factory=lambda: key_from_seed(seed("root")))

    @property
    def root_public(self) -> bytes:
        """The root's public key."""
        return public_of(self.root)

    @property
    def fingerprint(self) -> str:
        """The root's fingerprint."""
        return hash_of(self.root_public)

    @property
    def room(self) -> str:
        """The present room."""
        return room_of(self.cluster_key)

    def invite(self, role: str = "sentry", *, most: int = 1, hours: float = 24, approve: bool = False) -> Invite:
        """Mint an invite."""
        return mint(
            self.root,
            role=role,
            epoch=self.epoch,
            cluster_key=self.cluster_key,
            not_after=int(self.clock.now + hours * 3600),
            random=self.dice,
            max_nodes=most,
            approve=approve,
        )

    def node(self, name: str) -> Ed25519PrivateKey:
        """A node's key."""
        return key_from_seed(seed(f"node {name}"))

    def node_id(self, name: str) -> str:
        """A node's ID."""
        return node_id_of(public_of(self.node(name)))

    def slot(self, name: str) -> str:
        """A node's slot in the present room."""
        return hash_of(public_of(slot_key(self.node(name), self.room)))

    def box(self, name: str) -> bytes:
        """A node's public box key."""
        return wrapping_keys(seed(f"box {name}"))[1]

    def enrol(
        self, name: str, invite: Invite | None = None, role: str = "sentry", at: float | None = None
    ) -> Enrolment:
        """Enrol a node; `at` is the time it claims to do so, for thieves."""
        return enrol(invite or self.invite(role), self.node(name), self.box(name), self.clock.now if at is None else at)

    def announcement(self, name: str, enrolment: Enrolment | None = None, **changes: object) -> Announcement:
        """What a node announces."""
        who = enrolment or self.enrol(name)
        said = {"time": int(self.clock.now * 1000), "facts": facts(name, who.role), **changes}
        return Announcement(who, **said)  # type: ignore[arg-type]

    def record(self, name: str, announcement: Announcement | None = None, seq: int = 0, key: bytes = b"") -> bytes:
        """A node's signed and sealed record."""
        return announce(
            announcement or self.announcement(name),
            cluster_key=key or self.cluster_key,
            node_key=self.node(name),
            seq=seq or int(self.clock.now * 1000),
            random=self.dice,
        )

    def policy(self, version: int = 1, policy: Policy | None = None, members: tuple[str, ...] = ()) -> bytes:
        """A policy of the present epoch with boxes for these nodes."""
        return sign_policy(
            self.root,
            policy or Policy(),
            version=version,
            epoch=self.epoch,
            cluster_key=self.cluster_key,
            members=[self.box(name) for name in members],
            random=self.dice,
        )

    def member(self, folder: Path, name: str, invite: Invite | None = None, role: str = "sentry") -> Membership:
        """A member with its disk below `folder`, joined, its facts said."""
        made = Membership.join(
            folder / name, self.node(name), invite or self.invite(role), clock=self.clock, random=self.dice
        )
        made.publish(facts(name, made.role))
        return made


def listing(
    items: dict[str, bytes] | None = None,
    gone: dict[str, bytes] | None = None,
    policy: bytes | None = None,
    *,
    reset: bool = False,
) -> RoomListing:
    """What a rendezvous shows."""
    return RoomListing(
        "cursor", reset, tuple((items or {}).items()), tuple((gone or {}).items()), policy, int(NOW * 1000)
    )


def accepted_by(member: Membership) -> frozenset[str]:
    """Node IDs of the members that list this node as accepted."""
    return frozenset(node for node, peer in member.members().items() if member.node_id in peer.announcement.accepted)
