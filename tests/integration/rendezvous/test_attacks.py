"""What a hostile client can do to the server, done over HTTP against the real one."""

from __future__ import annotations

import contextlib
import dataclasses
import socket
import time
from collections.abc import Iterator
from http.client import HTTPException
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from goldnode.protocol import limits, seal
from goldnode.protocol.record import sign_record
from goldnode.protocol.wire import key_from_seed, public_of, to_base64, write_body
from goldnode.rendezvous import guard, limiter, request, server
from goldnode.rendezvous.address import parse_proxies
from goldnode.rendezvous.config import Config
from goldnode.rendezvous.storage.sqlite import SqliteStore
from tests.integration.rendezvous.support import OPEN, Call, Member, ask, gauge, raw, serving, until


def member(room: str, slot: bytes = b"slot") -> Member:
    """A member of a room named after the test."""
    return Member.make(room.encode(), slot, time.time())


def test_stranger_with_the_room_id(url: str) -> None:
    """Who knows a room's id but not its key can neither read, write, touch nor delete."""
    insider = member("stranger")
    ask(url, insider.put(1))
    stranger = dataclasses.replace(insider, room_key=key_from_seed(b"another key".ljust(32)))
    own = [insider.put(2), insider.touch(1, 1), insider.delete(2), insider.list()]
    public = public_of(insider.room_key).hex()
    forged = [
        stranger.signed(call.method, call.target, call.body).with_headers(goldnode_room_key=public)
        for call in own
    ]  # fmt: skip
    unsigned = [Call(call.method, call.target, call.body) for call in own]
    foreign = [stranger.signed(call.method, call.target, call.body) for call in own]

    assert ["bad-signature"] * 4 == [ask(url, call).code for call in forged]
    assert ["unsigned"] * 4 == [ask(url, call).code for call in unsigned]
    assert ["wrong-room"] * 4 == [ask(url, call).code for call in foreign]
    assert [to_base64(insider.record(1))] == [item["record"] for item in ask(url, insider.list()).document["items"]]


def test_overwriting_anothers_slot(url: str) -> None:
    """A member cannot write, touch or bury the slot of another."""
    victim, thief = member("overwrite", b"victim"), member("overwrite", b"thief")
    ask(url, victim.put(1))
    own = [thief.put(2), thief.touch(1, 1), thief.delete(2)]
    misplaced = [thief.signed(call.method, call.target.replace(thief.slot, victim.slot), call.body) for call in own]
    forged = bytearray(thief.record(2))
    forged[1:33] = public_of(victim.slot_key)
    signed = thief.signed("PUT", victim.path, write_body("record", bytes(forged)))

    assert ["wrong-slot"] * 3 == [ask(url, call).code for call in misplaced]
    assert "bad-slot-signature" == ask(url, signed).code
    assert [to_base64(victim.record(1))] == [item["record"] for item in ask(url, victim.list()).document["items"]]


def test_moving_a_request(url: str) -> None:
    """A signed request holds for its method, target, body and conditions only."""
    insider = member("moved")
    ask(url, insider.put(1))
    call = insider.put(2, if_match='"999"')
    moved = [
        dataclasses.replace(call, target=f"{call.target}/touch", method="POST"),
        dataclasses.replace(call, body=insider.put(3).body),
        call.with_headers(if_match=None),
        insider.list("wait=0").with_headers(goldnode_signature=insider.list().headers["goldnode-signature"]),
    ]

    assert ["bad-signature"] * 4 == [ask(url, call).code for call in moved]


def test_replay(url: str) -> None:
    """An old request sent again, by whoever listened, changes nothing."""
    insider = member("replay")
    first, second, gone = insider.put(1), insider.put(2), insider.delete(3)
    for call in (first, second):
        ask(url, call)
    replayed = ask(url, first)
    ask(url, gone)
    late = [ask(url, call).code for call in (first, second)]
    document = ask(url, insider.list()).document

    assert ("stale", 2) == (replayed.code, replayed.document["seq"])
    assert ["stale", "stale"] == late
    assert ([], [insider.slot]) == (document["items"], [item["slot"] for item in document["gone"]])


def test_wrong_clock(url: str) -> None:
    """A request from a wrong clock is told the server's time, either way."""
    for offset in (-2 * limits.CLOCK_SKEW, 2 * limits.CLOCK_SKEW):
        answer = ask(url, dataclasses.replace(member("clock"), time=time.time() + offset).put(1))

        assert (422, "clock") == (answer.status, answer.code)
        assert abs(answer.document["time"] / 1000 - time.time()) < 30


def test_downgrade(url: str) -> None:
    """A structure of a version that is not spoken here is refused by that name, before anything else in it."""
    insider = member("downgrade")
    for version in (0, 2, 255):
        record = bytes([version]) + insider.record(1)[1:]

        assert "unknown-version" == ask(url, insider.signed("PUT", insider.path, write_body("record", record))).code
    assert "no-route" == ask(url, Call("GET", "/v2/rooms/x")).code


def test_stolen_database(tmp_path: Path) -> None:
    """Who steals the database holds ciphertext and public keys: no key, no plaintext, no address of anybody."""
    cluster_key, node_key = b"K" * 32, key_from_seed(b"n" * 32)
    room_key = seal.room_key(cluster_key)
    slot_key = seal.slot_key(node_key, seal.room_of(cluster_key))
    thief = Member(room_key, slot_key, time.time())
    plain = b'{"moniker": "val-1", "addresses": ["203.0.113.77"]}'
    place = seal.RecordBinding(thief.room, thief.slot, 1)
    sealed = seal.seal_record(cluster_key, place, bytes(32), bytes(64), plain)
    record = sign_record(slot_key, 1, 600, bytes(32), sealed)
    with serving(tmp_path / "store.sqlite") as url:
        assert 201 == ask(url, thief.signed("PUT", thief.path, write_body("record", record))).status
        loot = b"".join(path.read_bytes() for path in tmp_path.iterdir())

    assert record in loot
    assert not [secret for secret in (cluster_key, b"n" * 32, plain[:20], b"203.0.113.77", b"val-1", b"127.0.0.1")
                if secret in loot]  # fmt: skip


def test_flood(tmp_path: Path) -> None:
    """Who sends too many requests waits, as told by Retry-After; liveness is answered still."""
    with serving(tmp_path / "store.sqlite", Config(address_rate=0.25)) as url:
        answers = [ask(url, Call("GET", "/v1/caps")) for _ in range(3)]
        alive = ask(url, Call("GET", "/healthz"))

    assert (["ok"], "rate", 200) == ([answers[0].code], answers[-1].code, alive.status)
    assert 1 <= int(answers[-1].headers["retry-after"]) <= 4


def test_spoofed_forwarding(tmp_path: Path) -> None:
    """X-Forwarded-For buys nothing, unless a proxy that was named sent it; then each client counts alone."""
    calls = [Call("GET", "/v1/caps", headers={"x-forwarded-for": f"198.51.100.{number}"}) for number in range(9)]
    tight = Config(address_rate=0.5)
    with serving(tmp_path / "one.sqlite", tight) as url:
        spoofed = [ask(url, call).status for call in calls]
    with serving(tmp_path / "two.sqlite", dataclasses.replace(tight, proxies=parse_proxies(["127.0.0.0/8"]))) as url:
        proxied = [ask(url, call) for call in calls]

    assert 429 == spoofed[-1]
    assert [f"198.51.100.{number}" for number in range(9)] == [answer.document["address"] for answer in proxied]


def test_room_rate(tmp_path: Path) -> None:
    """A room's rate is its members' own: strangers cannot use it up, members can."""
    insider = member("busy")
    stranger = dataclasses.replace(insider, room_key=key_from_seed(b"another key".ljust(32)))
    with serving(tmp_path / "store.sqlite", dataclasses.replace(OPEN, room_rate=0.25)) as url:
        for _ in range(5):
            ask(url, stranger.signed("GET", f"/v1/rooms/{insider.room}"))
        answers = [ask(url, insider.list()) for _ in range(3)]

    assert ("ok", "room-rate") == (answers[0].code, answers[-1].code)
    assert 1 <= int(answers[-1].headers["retry-after"]) <= 4


def test_new_rooms(tmp_path: Path) -> None:
    """One address makes ten rooms an hour; rooms that are there already go on."""
    with serving(tmp_path / "store.sqlite", dataclasses.replace(OPEN, new_rooms=limits.NEW_ROOMS_PER_HOUR)) as url:
        codes = [ask(url, member(f"room {number}").put(1)).code for number in range(11)]
        old = ask(url, member("room 3", b"other").put(1))

    assert ["ok"] * 10 + ["new-rooms"] == codes
    assert 201 == old.status


def test_slot_exhaustion(url: str) -> None:
    """Who holds K can fill a room, but evicts nobody, and those inside go on."""
    crowd = [member("crowd", b"%d" % number) for number in range(limits.SLOTS)]
    statuses = {ask(url, one.put(1)).status for one in crowd}
    late = member("crowd", b"late")
    refused = [ask(url, call) for call in (late.put(1), late.delete(1))]

    assert {201} == statuses
    assert [(507, "room-full")] * 2 == [(answer.status, answer.code) for answer in refused]
    assert 200 == ask(url, crowd[0].put(2)).status
    assert limits.SLOTS == len(ask(url, late.list()).document["items"])


def test_huge_body(url: str) -> None:
    """A body beyond the limit is refused as such, announced or not, and never kept in memory."""
    insider = member("huge")
    fits = insider.signed("PUT", insider.path, b" " * limits.BODY_BYTES)
    over = insider.signed("PUT", insider.path, b" " * (limits.BODY_BYTES + 1))
    chunks = b"".join(b"8000\r\n" + b"x" * 0x8000 + b"\r\n" for _ in range(18)) + b"0\r\n\r\n"
    endless = (
        f"PUT {insider.path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n".encode()
    )

    assert ["malformed", "too-large"] == [ask(url, call).code for call in (fits, over)]
    assert b"too-large" in raw(url, endless, chunks)


def test_huge_head(url: str) -> None:
    """Targets and headers beyond their limits are refused."""
    insider = member("head")
    calls = [
        Call("GET", "/v1/caps?" + "x" * 600),
        insider.list().with_headers(goldnode_signature="A" * 300),
        insider.list("after=" + "x" * 65),
    ]

    assert ["malformed"] * 3 == [ask(url, call).code for call in calls]
    assert b'"malformed"' in raw(url, b"GET / HTTP/1.1\r\nx: " + b"y" * 100_000)


def test_slow_body(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A body that does not arrive in time is refused as slow."""
    monkeypatch.setattr(request, "BODY_SECONDS", 0.3)
    insider = member("slow")
    head = f"PUT {insider.path} HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n".encode()
    with serving(tmp_path / "store.sqlite") as url:
        answer = raw(url, head, b"{", b'"')

    assert (True, True) == (answer.startswith(b"HTTP/1.1 408"), b'"slow"' in answer)


def test_slow_reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who asks for much and reads nothing is cut off; meanwhile small answers go out and memory is bounded."""
    monkeypatch.setattr(guard, "STALL_SECONDS", 2.0)
    monkeypatch.setattr(limiter, "OUTGOING_BYTES", 1_000_000)
    crowd = [member("slow readers", b"%d" % number) for number in range(120)]
    with serving(tmp_path / "store.sqlite") as url, contextlib.ExitStack() as stack:
        for one in crowd:
            body = write_body("record", one.record(1, size=4096))
            assert 201 == ask(url, one.signed("PUT", one.path, body)).status
        asking = stack.enter_context(_unread(url, crowd[0].list()))
        refused = until(lambda: ask(url, crowd[0].list()), lambda answer: answer.status == 503)
        small = ask(url, member("somebody else").put(1))
        served = until(lambda: ask(url, crowd[0].list()), lambda answer: answer.status == 200)
        received = _drain(asking)

    assert ("unavailable", 201) == (refused.code, small.status)
    assert len(crowd) == len(served.document["items"])
    assert received < len(served.body)


def test_a_listing_that_may_not_leave_is_not_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who leaves its answers unread is refused before the store is read for it: making them would starve the others."""
    monkeypatch.setattr(limiter, "OUTGOING_BYTES_PER_ADDRESS", 100_000)
    with serving(tmp_path / "store.sqlite") as url, contextlib.ExitStack() as stack:
        for one in (crowd := [member("not made", b"%d" % number) for number in range(120)]):
            body = write_body("record", one.record(1, size=4096))
            assert 201 == ask(url, one.signed("PUT", one.path, body)).status
        stack.enter_context(_unread(url, crowd[0].list()))
        until(lambda: gauge(url, "outgoing_bytes"), lambda size: size > limiter.OUTGOING_BYTES_PER_ADDRESS)
        monkeypatch.setattr(SqliteStore, "list", None)
        refused = ask(url, crowd[0].list())

    assert (503, "which does not read them") == (refused.status, refused.document["detail"][-24:])


def test_watcher_that_left(url: str) -> None:
    """A client that hangs up while it waits is forgotten at once."""
    insider = member("left")
    cursor = ask(url, insider.list()).document["cursor"]
    with _unread(url, insider.list(f"after={cursor}&wait=55")):
        until(lambda: gauge(url, "watchers"), lambda count: count == 1)
    gone = until(lambda: gauge(url, "watchers"), lambda count: count == 0)

    assert 0 == gone


def test_half_closed_while_waiting(url: str) -> None:
    """A client that closes its side while it waits is forgotten like one that left."""
    insider = member("half closed")
    cursor = ask(url, insider.list()).document["cursor"]
    with _unread(url, insider.list(f"after={cursor}&wait=55")) as connection:
        until(lambda: gauge(url, "watchers"), lambda count: count == 1)
        connection.shutdown(socket.SHUT_WR)
        gone = until(lambda: gauge(url, "watchers"), lambda count: count == 0)

    assert (0, 200) == (gone, ask(url, Call("GET", "/healthz")).status)


def test_too_many_connections(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Connections beyond the limit are dropped at once; those inside go on, and a place that is left is free again."""
    monkeypatch.setattr(server, "TOTAL", 2)
    with serving(tmp_path / "store.sqlite") as url:
        parts = urlsplit(url)
        with contextlib.ExitStack() as stack:
            for _ in range(2):
                stack.enter_context(socket.create_connection((parts.hostname, parts.port)))
            dropped = raw(url)
        alive = until(lambda: _status(url), lambda status: status == 200)

    assert (b"", 200) == (dropped, alive)


def _status(url: str) -> int:
    try:
        return ask(url, Call("GET", "/healthz")).status
    except (OSError, HTTPException):
        return 0


@contextlib.contextmanager
def _unread(url: str, call: Call) -> Iterator[socket.socket]:
    """Ask, and do not read the answer."""
    parts = urlsplit(url)
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect((parts.hostname, parts.port))
        head = "".join(f"{name}: {value}\r\n" for name, value in call.headers.items())
        connection.sendall(f"{call.method} {call.target} HTTP/1.1\r\nhost: x\r\n{head}\r\n".encode())
        yield connection


def _drain(connection: socket.socket) -> int:
    received = 0
    with contextlib.suppress(ConnectionResetError):
        while chunk := connection.recv(65536):
            received += len(chunk)
    return received
