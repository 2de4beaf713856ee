"""What a reader of a cluster keeps on disk: the epoch's key, the policy, the roster.

Both a member and the operator, who only observes, read through this.  Everything accepted is on
disk, whole, before anybody acts on it; a reboot starts from there when no rendezvous answers.

A rendezvous may show its members different records.  Scheduled refreshes carry what their writer has
seen of the others: a member that is told of a `seq` it was never shown waits two refresh intervals;
after that both sides raise an alarm (docs/rendezvous-protocol.md, section 8).
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from goldnode.discovery.alarm import Alarm, AlarmKind
from goldnode.discovery.identity import rejoin
from goldnode.discovery.plain_file import read_plain
from goldnode.discovery.roster import Context, Peer, RoomReading, Roster, check_fit, merge
from goldnode.errors import ExchangeError, HostError, InputError
from goldnode.files import write_json
from goldnode.protocol import limits
from goldnode.protocol.announcement import Announcement, check_announcement, read_document, write_document
from goldnode.protocol.parcel import Parcel, is_parcel, read_parcel
from goldnode.protocol.policy import NO_POLICY_HASH, Policy, SignedPolicy, find_key, open_policy, verify_policy
from goldnode.protocol.record import Record, verify_record
from goldnode.protocol.seal import open_inside, room_of
from goldnode.protocol.wire import from_base64, hash_of, refuse, to_base64

_MODE = 0o600
_GRACE = 2 * limits.REFRESH_INTERVAL


@dataclass(frozen=True, slots=True)
class RoomReader:
    """The member or operator that reads a cluster.

    Attributes:
        root: The cluster root's public key.
        node_id: Own node ID; empty for the operator.
        invite: The invite enrolled with; empty for the operator.
        wrapping_seed: Own secret wrapping key; empty for the operator.
        chain_id: The chain; empty to accept any.
        genesis: Hex SHA-256 of the genesis file; empty when unknown.
    """

    root: bytes
    node_id: str = ""
    invite: str = ""
    wrapping_seed: bytes = b""
    chain_id: str = ""
    genesis: str = ""


class ClusterView:
    """The read side of one cluster; not thread-safe, its owner locks.

    Args:
        path: Its file, made when the first thing is accepted.
        reader: Who reads.
        epoch: The epoch to start from; a later one in the file wins.
        cluster_key: K of that epoch.

    Raises:
        InputError: The file is damaged.
    """

    def __init__(self, path: Path, reader: RoomReader, epoch: int, cluster_key: bytes) -> None:
        self._path = path
        self.reader = reader
        self.epoch, self.cluster_key = epoch, cluster_key
        self.signed: SignedPolicy | None = None
        self.policy = Policy()
        self.roster = Roster()
        self.locked_out = False
        self._forks: set[Alarm] = set()
        self._unseen: Mapping[str, UnseenRecord] = {}
        self._behind_since: float | None = None
        if os.path.lexists(path):
            self._load()

    @property
    def fingerprint(self) -> str:
        """The cluster root's fingerprint."""
        return hash_of(self.reader.root)

    @property
    def room(self) -> str:
        """The epoch's room."""
        return room_of(self.cluster_key)

    @property
    def cited(self) -> tuple[int, str]:
        """Version and hash of the policy held, as records cite it."""
        return (self.signed.version, self.signed.hash) if self.signed else (0, NO_POLICY_HASH)

    def read(self, slot: str, data: bytes, now: float) -> tuple[Record, Announcement] | Parcel:
        """Take a record through every check that needs no other member.

        Returns:
            A member's record; or a parcel, which says nothing about who belongs to the cluster.

        Raises:
            ExchangeError: It does not hold.
        """
        record = verify_record(data, slot)
        inside = open_inside(record, self.cluster_key)
        if is_parcel(inside):
            return read_parcel(inside)
        announcement = check_announcement(inside, self.reader.root)
        check_fit(announcement, self._context(now))
        return record, announcement

    def take(self, reading: RoomReading, now: float) -> bool:
        """Merge what was read; write it to disk when anything changed.

        Returns:
            Whether anything changed.
        """
        before, context = self.roster, self._context(now)
        self.roster = merge(before, reading, context)
        self._unseen = find_unseen(self.roster, self._unseen, now)
        for peer in self.roster.members.values():
            version, digest = peer.announcement.policy
            if version and version == self.cited[0] and digest != self.cited[1]:
                self._forks.add(Alarm(AlarmKind.POLICY_FORK, peer.node_id))
        if not any(peer.announcement.policy[0] > self.cited[0] for peer in self.roster.members.values()):
            self._behind_since = None
        elif self._behind_since is None:
            self._behind_since = now
        if self.roster.peers != before.peers:
            self.save()
        return self.roster != before

    def take_policy(self, data: bytes, now: float) -> bool:
        """Accept a policy if it is signed by the root, newer, and opens.

        Returns:
            Whether it was accepted; an older or the same one is not, and that is no error.

        Raises:
            ExchangeError: It does not hold.
        """
        signed = verify_policy(data, self.fingerprint)
        version, digest = self.cited
        if signed.version == version and signed.hash != digest:
            self._forks.add(Alarm(AlarmKind.POLICY_FORK, self.reader.node_id))
        if signed.version <= version or signed.epoch < self.epoch:
            return False
        key = self.cluster_key if signed.epoch == self.epoch else find_key(signed, self.reader.wrapping_seed)
        if key is None:
            self.locked_out = True
            return False
        policy = open_policy(signed, key)
        if policy is None:
            raise refuse("the policy does not open with the key of its epoch")
        self._hold(signed, key, policy)
        self.take(RoomReading(), now)
        self.save()
        return True

    def alarms(self, now: float) -> set[Alarm]:
        """Everything that is wrong, as far as the other members' records show."""
        alarms = {
            Alarm(kind, node) for node, kind in self.roster.refused.items() if kind is not AlarmKind.POLICY_BEHIND
        }
        alarms |= {Alarm(AlarmKind.CLONE, node) for node in self.roster.clones}
        alarms |= split_views(self.roster, self._unseen, self.reader.node_id, now) | self._forks
        if self._behind_since is not None and now - self._behind_since >= 2 * limits.TOUCH_INTERVAL:
            newest = max(self.roster.members.values(), key=lambda peer: peer.announcement.policy[0])
            alarms.add(Alarm(AlarmKind.POLICY_BEHIND, newest.node_id))
        if self.locked_out:
            alarms.add(Alarm(AlarmKind.LOCKED_OUT, self.reader.node_id))
        if self.reader.node_id in self.policy.revoked_nodes:
            alarms.add(Alarm(AlarmKind.REVOKED, self.reader.node_id))
        return alarms

    def know(self, chain_id: str, genesis: str) -> None:
        """Set the reader's chain and genesis once they are known; empty accepts any."""
        self.reader = replace(self.reader, chain_id=chain_id, genesis=genesis)

    def _hold(self, signed: SignedPolicy, key: bytes, policy: Policy) -> None:
        self.signed, self.policy = signed, policy
        self.epoch, self.cluster_key = signed.epoch, key
        self.locked_out = False
        self._forks.clear()

    def _context(self, now: float) -> Context:
        reader = self.reader
        return Context(reader.node_id, reader.invite, reader.chain_id, reader.genesis, now, self.policy, self.cited[0])

    def save(self) -> None:
        """Write everything held to disk, whole."""
        write_json(
            self._path,
            {
                "version": 1,
                "root": self.reader.root.hex(),
                "epoch": self.epoch,
                "cluster_key": to_base64(self.cluster_key),
                "policy": to_base64(self.signed.data) if self.signed else None,
                "peers": [_write_peer(peer) for peer in self.roster.peers.values()],
            },
            _MODE,
        )

    def _load(self) -> None:
        try:
            document = json.loads(read_plain(self._path))
            if document["version"] != 1 or document["root"] != self.reader.root.hex():
                raise refuse("it belongs to another cluster or has an unknown version")
            if document["epoch"] >= self.epoch:
                self.epoch, self.cluster_key = document["epoch"], from_base64(document["cluster_key"], "cluster_key")
            if document["policy"]:
                signed = verify_policy(from_base64(document["policy"], "policy"), self.fingerprint)
                policy = open_policy(signed, self.cluster_key)
                if policy is not None:
                    self.signed, self.policy = signed, policy
            peers = [_read_peer(item) for item in document["peers"]]
        except (ValueError, KeyError, TypeError, RecursionError, HostError, ExchangeError) as error:
            raise InputError(f"{self._path} is damaged: {error}", hint=rejoin(self._path.parent)) from error
        self.roster = Roster({peer.node_id: peer for peer in peers})


def _write_peer(peer: Peer) -> dict[str, Any]:
    return {
        "node_id": peer.node_id,
        "slot": peer.slot,
        "seq": peer.seq,
        "first_seen": peer.first_seen,
        "left": peer.left,
        "left_boot": peer.left_boot,
        "announcement": write_document(peer.announcement),
    }


def _read_peer(item: Mapping[str, Any]) -> Peer:
    return Peer(
        read_document(item["announcement"]),
        item["slot"],
        item["seq"],
        item["first_seen"],
        item["left"],
        item["left_boot"],
    )


@dataclass(frozen=True, slots=True)
class UnseenRecord:
    """A record that others have seen and we were not shown: its `seq`, and since when (unix seconds) we know of it."""

    seq: int
    since: float


def find_unseen(roster: Roster, before: Mapping[str, UnseenRecord], now: float) -> dict[str, UnseenRecord]:
    """The records that we were not shown, by node ID.

    Args:
        roster: What we hold.
        before: The result of the last call.
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
