"""The attack table, from the members' side: a server that lies over HTTP, and a real member that reads it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from goldnode.discovery.alarm import AlarmKind
from goldnode.discovery.client import Endpoint, RefusedError
from goldnode.discovery.exchange import Session
from goldnode.discovery.member import Membership
from goldnode.errors import ExchangeError
from goldnode.protocol import limits
from goldnode.protocol.announcement import write_document
from goldnode.protocol.policy import Policy
from goldnode.protocol.record import sign_record, sign_tombstone
from goldnode.protocol.seal import RecordBinding as Binding
from goldnode.protocol.seal import seal_record, slot_key
from goldnode.protocol.wire import Purpose, sign
from tests.integration.exchange.hostile import Hostile, lying
from tests.support.cluster_lab import Clock, Lab, facts, seed


class Victim:
    """A member at a lying server; it knows `friend` and `other` already."""

    def __init__(self, folder: Path, server: Hostile) -> None:
        self.lab = Lab(clock=Clock(time.time()))
        self.server = server
        self.file = folder / "me" / "membership.json"
        self.member: Membership = self.lab.member(folder, "me")
        self.session = Session(self.member, Endpoint(server.url))
        self.enrolments = {name: self.lab.enrol(name) for name in ("friend", "other")}
        self.show("friend")
        self.show("other")
        self.session.read(0)
        self.before = self.file.read_bytes()

    def show(self, name: str, seq: int = 0, **changes: object) -> bytes:
        """Lay a record of a node into the server."""
        said = self.lab.announcement(name, self.enrolments.get(name), **changes)
        self.server.records[self.lab.slot(name)] = data = self.lab.record(name, said, seq)
        return data

    def read(self) -> set[AlarmKind]:
        """Read once; the kinds of alarm that stand then."""
        self.session.read(0)
        return {alarm.kind for alarm in self.member.alarms() | self.session.alarms()}

    def unmoved(self) -> bool:
        """Whether the roster on disk is to the byte what it was, and both friends are members."""
        friends = {self.lab.node_id(name) for name in ("friend", "other")}
        return self.before == self.file.read_bytes() and friends == set(self.member.members())


@pytest.fixture
def victim(tmp_path: Path) -> Iterator[Victim]:
    """A member that has had one honest reading."""
    with lying() as server:
        yield Victim(tmp_path, server)


def test_server_forges(victim: Victim) -> None:
    """A record the server made up or changed is skipped, counted and said."""
    slot = victim.lab.slot("friend")
    data = bytearray(victim.server.records[slot])
    data[100] ^= 1
    victim.server.records[slot] = bytes(data)

    assert {AlarmKind.BAD_RECORDS} == victim.read()
    assert victim.unmoved()


def test_server_swaps(victim: Victim) -> None:
    """Records shown in each other's slots do not hold."""
    one, two = victim.lab.slot("friend"), victim.lab.slot("other")
    records = victim.server.records
    records[one], records[two] = records[two], records[one]

    assert {AlarmKind.BAD_RECORDS} == victim.read()
    assert victim.unmoved()


def test_server_replays(victim: Victim) -> None:
    """An older record, though genuine, changes nothing: a restored backup, or a lie."""
    victim.show("friend", seq=5, facts=replace(facts("friend"), addresses=("10.9.9.9",)))

    assert set() == victim.read()
    assert victim.unmoved()


def test_server_hides_everything(victim: Victim) -> None:
    """An empty room takes nobody away."""
    victim.server.records.clear()

    assert set() == victim.read()
    assert victim.unmoved()


def test_server_hides_one(victim: Victim) -> None:
    """What others see and we are not shown becomes an alarm after two refresh intervals."""
    victim.lab.clock.now += 10
    hidden = victim.lab.node_id("hidden")
    victim.show("friend", accepted=(hidden,), seen={hidden: 99})
    early = victim.read()
    victim.lab.clock.now += 2 * limits.REFRESH_INTERVAL

    assert AlarmKind.SPLIT_VIEW not in early
    assert AlarmKind.SPLIT_VIEW in victim.read()


def test_server_withholds_a_policy(victim: Victim) -> None:
    """While members cite a policy we are not shown, nobody new is admitted, and it is said."""
    victim.lab.clock.now += 10
    victim.show("friend", policy=(3, seed("policy").hex()))
    victim.read()
    victim.show("candidate")
    victim.read()
    victim.lab.clock.now += 2 * limits.TOUCH_INTERVAL

    assert {AlarmKind.POLICY_BEHIND} == victim.read()
    assert victim.lab.node_id("candidate") not in victim.member.members()


def test_server_forges_a_policy(victim: Victim) -> None:
    """A policy that is not the root's revokes nobody."""
    other = Lab()
    other.root = other.node("another root")
    everybody = frozenset(victim.member.members())
    victim.server.policy = other.policy(99, Policy(revoked_nodes=everybody))

    assert {AlarmKind.BAD_RECORDS} == victim.read()
    assert victim.unmoved()


def test_server_replays_a_policy(victim: Victim) -> None:
    """An older policy of the root's, shown after a newer one, changes nothing."""
    victim.server.policy = newer = victim.lab.policy(5)
    victim.read()
    victim.server.policy = victim.lab.policy(4, Policy(revoked_nodes=frozenset(victim.member.members())))

    assert set() == victim.read()
    assert (5, newer) == victim.member.policy()
    assert 2 == len(victim.member.members())


def test_server_forges_a_farewell(victim: Victim) -> None:
    """A tombstone under any other key buries nobody."""
    slot = victim.lab.slot("friend")
    victim.server.tombstones[slot] = sign_tombstone(slot_key(victim.lab.node("thief"), victim.lab.room), 10**15)

    assert {AlarmKind.BAD_RECORDS} == victim.read()
    assert victim.unmoved()


def test_stolen_invite_is_reused(victim: Victim) -> None:
    """A second node on the invite of a member stays outside."""
    stolen = victim.lab.invite()
    victim.enrolments |= {name: victim.lab.enrol(name, stolen) for name in ("guest", "thief")}
    victim.lab.clock.now += 1
    victim.show("guest")
    victim.read()
    victim.show("thief")

    assert {AlarmKind.QUOTA} == victim.read()
    assert victim.lab.node_id("guest") in victim.member.members()
    assert victim.lab.node_id("thief") not in victim.member.members()


def test_stolen_invite_is_back_dated(victim: Victim) -> None:
    """An invite that is over admits nobody whom no member vouches for, whatever time the thief claims."""
    stolen = victim.lab.invite(hours=1)
    victim.enrolments["thief"] = victim.lab.enrol("thief", stolen)
    victim.lab.clock.now += 1.5 * 3600
    victim.show("thief")

    assert {AlarmKind.EXPIRED} == victim.read()
    assert victim.unmoved()


def test_stolen_invite_is_raced(victim: Victim) -> None:
    """Two at once on one invite: neither, until the root decides."""
    stolen = victim.lab.invite()
    victim.enrolments |= {name: victim.lab.enrol(name, stolen) for name in ("guest", "thief")}
    victim.show("guest")
    victim.show("thief")
    contested = victim.read()
    unmoved = victim.unmoved()
    guest = victim.lab.node_id("guest")
    victim.server.policy = victim.lab.policy(1, Policy(approved=frozenset({guest})))

    assert ({AlarmKind.CONTESTED}, True) == (contested, unmoved)
    assert {AlarmKind.QUOTA} == victim.read()
    assert guest in victim.member.members()


def test_stolen_invite_makes_no_validator(victim: Victim) -> None:
    """The role is the invite's, and nothing a node says changes it."""
    victim.show("guest", facts=replace(facts("guest"), moniker="validator"))
    victim.read()

    assert "sentry" == victim.member.members()[victim.lab.node_id("guest")].announcement.enrolment.role


def test_cloned_disk(victim: Victim) -> None:
    """Another machine that writes as us is an alarm, and is answered so that it hears of us."""
    victim.session.write()
    mine = victim.member.current()
    assert mine is not None
    clone = replace(mine.announcement, facts=facts("me", boot="elsewhere"))
    victim.server.records[victim.lab.slot("me")] = victim.lab.record("me", clone, mine.seq + 1)

    assert {AlarmKind.CLONE} == victim.read()
    victim.session.write()
    answer = victim.member.current()
    assert answer is not None
    assert (mine.seq + 2, "PUT") == (answer.seq, victim.server.got[-1][0])


def test_a_liar_cannot_call_us_a_clone(victim: Victim) -> None:
    """Only a record under our own signature says that somebody else writes as us, no member's word does."""
    victim.session.write()
    victim.lab.clock.now += 10
    victim.show("friend", accepted=(victim.member.node_id,), seen={victim.member.node_id: limits.SEQ_MAX})

    assert set() == victim.read()


@pytest.mark.parametrize("address", [
    "127.0.0.1", "169.254.169.254", "fe80::1", "::1", "224.0.0.1", "100.100.100.200", "fd00:ec2::254",
    "::ffff:10.0.0.1", "0.0.0.0", "metadata.google.internal",  # noqa: S104 - announced, not listened on
])  # fmt: skip
def test_peer_announces_internal_addresses(victim: Victim, address: str) -> None:
    """A member that would have us dial ourselves, our wire or the metadata service is not heard."""
    victim.show("friend", seq=10**15, facts=replace(facts("friend"), addresses=(address,)))

    assert {AlarmKind.BAD_RECORDS} == victim.read()
    assert victim.unmoved()


@pytest.mark.parametrize(
    "garbage", [b"", b"[]", b"{}", b"[" * 3000, b'{"enrolment": 7}', b"\xff\xfe", b"1e999", bytes(4030)]
)
def test_member_crafts_a_record(victim: Victim, garbage: bytes) -> None:
    """Whatever a member signs and seals, reading it ends in a refusal and not in a traceback."""
    lab, slot = victim.lab, victim.lab.slot("friend")
    place, salt = Binding(lab.room, slot, 10**15), bytes(32)
    signature = sign(lab.node("friend"), Purpose.ANNOUNCEMENT, place.data + garbage)
    sealed = seal_record(lab.cluster_key, place, salt, signature, garbage)
    key = slot_key(lab.node("friend"), lab.room)
    victim.server.records[slot] = sign_record(key, place.seq, 600, salt, sealed)

    assert {AlarmKind.BAD_RECORDS} == victim.read()
    assert victim.unmoved()


def test_member_moves_anothers_announcement(victim: Victim) -> None:
    """A record's inside, sealed anew by another member for a slot of its own, is not its writer's any more."""
    lab = victim.lab
    place, salt, thief = Binding(lab.room, lab.slot("thief"), 10**15), bytes(32), slot_key(lab.node("thief"), lab.room)
    text = json.dumps(write_document(lab.announcement("friend", victim.enrolments["friend"]))).encode()
    signed = sign(lab.node("friend"), Purpose.ANNOUNCEMENT, Binding(lab.room, lab.slot("friend"), 10**15).data + text)
    sealed = seal_record(lab.cluster_key, place, salt, signed, text)
    victim.server.records[place.slot] = sign_record(thief, place.seq, 600, salt, sealed)

    assert {AlarmKind.BAD_RECORDS} == victim.read()
    assert victim.unmoved()


def test_member_of_another_chain(victim: Victim) -> None:
    """A node of another chain, or with a clock hours off, is not heard, however well it was invited."""
    victim.show("friend", seq=10**15, facts=replace(facts("friend"), chain_id="other-1"))
    victim.show("other", seq=10**15, time=int((victim.lab.clock.now - 3 * 3600) * 1000))

    assert {AlarmKind.BAD_RECORDS} == victim.read()
    assert victim.unmoved()


@pytest.mark.parametrize("version", [0, 2, 255])
def test_downgrade(victim: Victim, version: int) -> None:
    """A record of another version is not read as one of ours."""
    slot = victim.lab.slot("friend")
    victim.server.records[slot] = bytes([version]) + victim.server.records[slot][1:]

    assert {AlarmKind.BAD_RECORDS} == victim.read()
    assert victim.unmoved()


@pytest.mark.parametrize("spoil", [
    lambda _: [],
    lambda _: {},
    lambda _: "x" * 100,
    lambda listing: {**listing, "cursor": 7},
    lambda listing: {**listing, "cursor": "c" * 65},
    lambda listing: {**listing, "reset": None},
    lambda listing: {**listing, "items": [7]},
    lambda listing: {**listing, "items": [{"slot": "../../etc", "record": ""}]},
    lambda listing: {**listing, "items": listing["items"] * 200},
    lambda listing: {**listing, "gone": None},
    lambda listing: {**listing, "policy": "!"},
    lambda listing: {**listing, "time": -1},
    lambda listing: {**listing, "junk": "j" * limits.RESPONSE_BYTES},
])  # fmt: skip
def test_malformed_answers(victim: Victim, spoil: Any) -> None:
    """An answer that is none is refused as a whole."""
    victim.server.spoil = spoil
    with pytest.raises(ExchangeError) as refusal:
        victim.session.read(0)

    assert "malformed" == refusal.value.code
    assert victim.unmoved()


@pytest.mark.parametrize("raw", [
    b"", b"HTTP/1.1 200 OK\r\n", b"garbage\r\n\r\n", b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{",
    b"HTTP/1.1 200 OK\r\nx: " + b"y" * 70000, b"\x16\x03\x01",
])  # fmt: skip
def test_answers_that_are_no_http(victim: Victim, raw: bytes) -> None:
    """Whatever comes over the wire is an unreachable rendezvous at worst."""
    victim.server.raw = raw
    with pytest.raises(ExchangeError) as refusal:
        victim.session.read(0)

    assert refusal.value.code in {"unreachable", "malformed"}
    assert victim.unmoved()


def test_answers_that_never_end(victim: Victim, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that drips bytes is hung up on when the deadline has passed."""
    monkeypatch.setattr("goldnode.discovery.client.TIMEOUT", 0.4)
    victim.server.drip = 0.1
    started = time.monotonic()
    with pytest.raises(ExchangeError):
        victim.session.read(0)

    assert time.monotonic() - started < 3


def test_redirects_are_not_followed(victim: Victim) -> None:
    """A rendezvous cannot send members elsewhere."""
    victim.server.refuse = 302, {"location": "http://169.254.169.254/latest/meta-data/"}, b""
    with pytest.raises(RefusedError, match="302"):
        victim.session.read(0)


def test_wrong_clock(victim: Victim) -> None:
    """A refused time is an alarm with what to type, and nothing unsafe follows."""
    victim.server.problem(422, "clock")
    with pytest.raises(RefusedError) as refusal:
        victim.session.read(0)
    victim.session.faults["read"] = refusal.value

    assert [(AlarmKind.CLOCK, "timedatectl set-ntp true")] == [(a.kind, a.hint) for a in victim.session.alarms()]
    assert victim.unmoved()


def test_refusals_are_shown_clean_and_obeyed(victim: Victim) -> None:
    """A server's sentence cannot play with the terminal, and its Retry-After is kept within reason."""
    victim.server.problem(429, "rate", **{"retry-after": "999999999"})
    with pytest.raises(RefusedError) as refusal:
        victim.session.read(0)

    assert ("rate", 3600) == (refusal.value.code, refusal.value.retry_after)
    assert "\x1b" not in str(refusal.value)


def test_a_claimed_number_burns_nothing(victim: Victim) -> None:
    """A server that claims our slot holds the highest number there is does not move ours."""
    victim.session.write()
    mine = victim.member.current()
    victim.server.problem(409, "stale")
    victim.member.publish(replace(facts("me"), p2p_port=1))
    with pytest.raises(RefusedError):
        victim.session.write()

    again = victim.member.current()
    assert mine is not None
    assert again is not None
    assert again.seq < mine.seq + 10**6


def test_wiped_server_is_refilled(victim: Victim) -> None:
    """A server without our record and policy gets both with the next write."""
    victim.server.policy = victim.lab.policy(5)
    victim.session.write()
    victim.read()
    victim.session.write()
    victim.server.records.clear()
    victim.server.policy = None
    victim.server.got.clear()
    victim.read()
    victim.session.write()

    assert {"slots", "policies"} == {path.split("/")[-2] for method, path, _ in victim.server.got if method == "PUT"}
