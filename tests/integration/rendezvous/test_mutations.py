"""Ten thousand requests that were valid and signed before something happened to them."""

from __future__ import annotations

import logging
import os
import sqlite3
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from goldnode.protocol import limits
from goldnode.protocol.codes import STATUS, Code
from goldnode.protocol.policy import Policy, sign_policy, verify_policy
from goldnode.protocol.record import verify_record, verify_tombstone
from goldnode.protocol.request import sign_request
from goldnode.protocol.wire import hash_of, key_from_seed, public_of, read_body, write_body
from goldnode.rendezvous import limiter, request
from goldnode.rendezvous.config import Config
from tests.integration.rendezvous.support import Call, Harness, Member

REQUESTS = 10_000
ROOT = key_from_seed(b"root".ljust(32))
FINGERPRINT = hash_of(public_of(ROOT))
FIELDS = {"PUT": "record", "POST": "touch", "DELETE": "tombstone"}

CAPTURED: list[Call] = []

Mutation = Callable[[Random, Member, Call], Call]


def valid(random: Random, member: Member, number: int) -> Call:
    """Something a well-behaved member would ask."""
    version = random.randrange(1, 99)
    kind = random.randrange(9)
    if kind == 0:
        policy = sign_policy(
            ROOT, Policy(), version=version, epoch=1, cluster_key=bytes(32), members=[], random=os.urandom
        )
        return Call("PUT", f"/v1/policies/{FINGERPRINT}", write_body("policy", policy))
    calls = (
        member.put(number + 1), member.put(number + 1), member.put(number + 1, ttl=random.choice((60, 600, 604_800))),
        member.put(number + 1, if_none_match="*"), member.touch(number, number + 1), member.delete(number + 1),
        member.list(random.choice(("", "wait=0", f"policy={FINGERPRINT}"))), Call("GET", f"/v1/policies/{FINGERPRINT}"),
    )  # fmt: skip
    return calls[kind - 1]


def unchanged(_: Random, __: Member, call: Call) -> Call:
    """Nothing happened to it."""
    return call


def flip_body(random: Random, _: Member, call: Call) -> Call:
    """A bit of the body flipped on its way."""
    if not call.body:
        return call
    body = bytearray(call.body)
    body[random.randrange(len(body))] ^= 1 << random.randrange(8)
    return replace(call, body=bytes(body))


def signed_rubbish(random: Random, member: Member, call: Call) -> Call:
    """A member who signs a body that is cut, doubled, or of another kind."""
    body = random.choice((call.body[: random.randrange(len(call.body) + 1)], call.body * 9, b"[]", b'{"record": 7}',
                          b'{"record": "", "record": ""}', b"[" * 5000, b"\xff", b'{"touch": "AAAA"}',
                          b" " * 6145))  # fmt: skip
    return member.signed(call.method, call.target, body)


def spoil_structure(random: Random, member: Member, call: Call) -> Call:
    """A member who signs a request around a structure with one byte changed, or none."""
    field = "policy" if "policies" in call.target else FIELDS.get(call.method, "")
    if not call.body:
        return call
    data = bytearray(read_body(call.body, field, limits.POLICY_BODY_BYTES))
    place = random.choice((0, 1, 33, 44, random.randrange(len(data)), random.randrange(len(data))))
    data[min(place, len(data) - 1)] ^= 1 << random.randrange(8)
    cut = bytes(data if random.random() < 0.8 else data[: random.randrange(len(data))])
    return member.signed(call.method, call.target, write_body(field, cut))


def odd_header(random: Random, _: Member, call: Call) -> Call:
    """A header lost, emptied, or replaced."""
    name = random.choice(("goldnode_room_key", "goldnode_time", "goldnode_signature", "if_match", "if_none_match"))
    value = random.choice((None, "", "0", "x" * 300, "\xff", "A" * 88, public_of(ROOT).hex(), "1e9", '"1"'))
    return call.with_headers(**{name: value})


def odd_target(random: Random, member: Member, call: Call) -> Call:
    """Another target, signed as it is."""
    target = random.choice((
        call.target.replace(member.slot, member.room), call.target.replace(FINGERPRINT, member.room), call.target + "/",
        call.target + "?wait=99", call.target + "?after=" + "x" * 65, call.target + "?&", "/", "/v1/rooms/%00",
        call.target.upper(), "/v1/caps", "/v1/policies/" + member.slot, call.target + "?" + "y" * 600,
        f"/v1/rooms/{member.slot}",
    ))  # fmt: skip
    return member.signed(call.method, target, call.body)


def odd_method(random: Random, member: Member, call: Call) -> Call:
    """Another method, signed as it is."""
    return member.signed(
        random.choice(("GET", "PUT", "POST", "DELETE", "HEAD", "PATCH", "get", "")), call.target, call.body
    )


def odd_clock(random: Random, member: Member, call: Call) -> Call:
    """The right request at the wrong time."""
    late = replace(member, time=member.time + random.choice((-1, 1)) * random.randrange(7000, 9000))
    return late.signed(call.method, call.target, call.body)


def odd_ttl(random: Random, member: Member, call: Call) -> Call:
    """A record that wants to live too long or too short."""
    return member.put(10**6, ttl=random.choice((0, 59, 604_801, 2**32 - 1))) if call.method == "PUT" else call


def another_slot(random: Random, member: Member, _: Call) -> Call:
    """One more member than the room may have, or one of a room that is new."""
    room = b"room" if random.random() < 0.7 else os.urandom(16)
    return Member.make(room, os.urandom(16), member.time).put(1)


def replay(random: Random, _: Member, call: Call) -> Call:
    """Something that was sent before, captured and sent again."""
    CAPTURED.append(call)
    return random.choice(CAPTURED)


def another_server(_: Random, member: Member, call: Call) -> Call:
    """A request that was signed for another server, or for this one before it was restarted."""
    now_ms = int(member.time * 1000)
    headers = sign_request(member.room_key, call.method, call.target, body=call.body, now_ms=now_ms, server="0" * 32)
    return replace(call, headers=headers)


def stall(_: Random, __: Member, call: Call) -> Call:
    """The rest of the body never comes."""
    return replace(call, stalls=True)


MUTATIONS: tuple[Mutation, ...] = (
    unchanged, unchanged, flip_body, flip_body, signed_rubbish, spoil_structure, spoil_structure, spoil_structure,
    odd_header, odd_header, odd_target, odd_target, odd_method, odd_clock, odd_ttl, another_slot,
    replay, another_server,
)  # fmt: skip


def test_mutations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """Every answer is `ok` or a stable code with its status, every code is seen, server and store stay healthy."""
    monkeypatch.setattr(limits, "SLOTS", 12)
    monkeypatch.setattr(request, "BODY_SECONDS", 0.01)
    monkeypatch.setattr(limiter, "OUTGOING_BYTES", 4096)
    monkeypatch.setattr(limiter, "PIECE", 4096)
    random, seen = Random(4), Counter[str]()  # noqa: S311 - repeatable, not secret
    with Harness(tmp_path, Config(address_rate=20, room_rate=8)) as server:
        for number in range(REQUESTS):
            server.now += 0.06 if number % 2000 > 300 else 0.0  # now and then all come at once
            member = Member.make(slot=b"%d" % random.randrange(6), time=server.now)
            mutate = stall if number % 500 == 0 else random.choice(MUTATIONS)
            call = mutate(random, member, valid(random, member, number))
            answer = server.ask(call, peer=f"198.51.100.{random.randrange(2)}")
            seen[answer.code] += 1
            assert answer.code == "ok" or STATUS[Code(answer.code)] == answer.status == answer.document["status"]
            if number % 100 == 0:
                server.sweep()
        server.now += 60
        healthy = server.ask(Member.make(slot=b"0", time=server.now).put(10**9))
        room = Member.make().room

    assert set(Code) - {Code.STORE_FULL} | {"ok"} == seen.keys()  # it has a gigabyte
    assert ("ok", []) == (healthy.code, [record for record in caplog.records if record.levelno >= logging.ERROR])
    with closing(sqlite3.connect(tmp_path / "store.sqlite")) as store:
        assert [("ok",)] == store.execute("PRAGMA integrity_check").fetchall()
        check = {"record": verify_record, "tombstone": verify_tombstone, "policy": verify_policy}
        rows = store.execute("SELECT kind, body, slot, room FROM slots").fetchall()
    for kind, body, slot, _ in rows:
        check[kind](body, slot)
    assert sum(found == room for *_, found in rows) <= 12
