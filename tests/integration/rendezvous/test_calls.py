"""Every call of the protocol does what the document says, on a real store with a clock of the test's own."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from goldnode.protocol import limits
from goldnode.protocol.wire import to_base64
from goldnode.rendezvous.config import Config
from tests.integration.rendezvous.support import START, Answer, Call, Harness, Member


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Harness]:
    """A server of its own for each test."""
    with Harness(tmp_path) as harness:
        yield harness


def records(answer: Answer) -> list[tuple[str, str]]:
    """Slot and record of each item."""
    return [(item["slot"], item["record"]) for item in answer.document["items"]]


def test_put_then_list(server: Harness) -> None:
    """What one member puts, the other reads byte for byte."""
    one, other = Member.make(slot=b"one"), Member.make(slot=b"other")
    first, second = server.ask(one.put(1)), server.ask(other.put(7))
    answer = server.ask(one.list())

    assert (201, 201) == (first.status, second.status)
    assert [(one.slot, to_base64(one.record(1))), (other.slot, to_base64(other.record(7)))] == records(answer)
    assert (True, [], None) == tuple(answer.document[key] for key in ("reset", "gone", "policy"))
    assert int(START * 1000) == answer.document["time"]


def test_put_replaces(server: Harness) -> None:
    """A greater seq replaces the record, answers 200, and its ETag is the revision in the list."""
    member = Member.make()
    server.ask(member.put(1))
    answer = server.ask(member.put(5))
    (item,) = server.ask(member.list()).document["items"]

    assert (200, f'"{item["rev"]}"') == (answer.status, answer.headers["etag"])
    assert to_base64(member.record(5)) == item["record"]


def test_same_bytes_again(server: Harness) -> None:
    """A repeated put is answered 200 with the same revision and does not extend the record's life."""
    member = Member.make()
    first = server.ask(member.put(1, ttl=60))
    server.now += 50
    again = server.ask(member.put(1, ttl=60))
    server.now += 11

    assert (200, first.document["rev"]) == (again.status, again.document["rev"])
    assert [] == records(server.ask(member.list()))


def test_rooms_are_apart(server: Harness) -> None:
    """A room shows nothing of another, and changes there do not count as news here."""
    here, there = Member.make(room=b"here"), Member.make(room=b"there")
    server.ask(here.put(1))
    cursor = server.ask(here.list()).document["cursor"]
    server.ask(there.put(2))
    answer = server.ask(here.list(f"after={cursor}"))

    assert ([], False) == (answer.document["items"], answer.document["reset"])


def test_only_news_after_a_cursor(server: Harness) -> None:
    """With a cursor, only what came after it is listed, and the next cursor follows on."""
    one, other = Member.make(slot=b"one"), Member.make(slot=b"other")
    server.ask(one.put(1))
    cursor = server.ask(one.list()).document["cursor"]
    server.ask(other.put(1))
    news = server.ask(one.list(f"after={cursor}"))
    nothing = server.ask(one.list(f"after={news.document['cursor']}"))

    assert [other.slot] == [slot for slot, _ in records(news)]
    assert ([], False) == (nothing.document["items"], nothing.document["reset"])


def test_touch_extends_silently(server: Harness) -> None:
    """A touch sets the expiry to now plus ttl, keeps the revision and is no news."""
    member = Member.make()
    rev = server.ask(member.put(1, ttl=60)).document["rev"]
    cursor = server.ask(member.list()).document["cursor"]
    server.now += 50
    touched = server.ask(member.touch(1, 1))
    server.now += 50

    assert (200, rev) == (touched.status, touched.document["rev"])
    assert [] == records(server.ask(member.list(f"after={cursor}")))
    assert 1 == len(records(server.ask(member.list())))


def test_touch_again_extends_nothing(server: Harness) -> None:
    """A touch that was accepted before is answered 200 and adds no time."""
    member = Member.make()
    server.ask(member.put(1, ttl=60))
    server.ask(member.touch(1, 9))
    server.now += 59
    again = server.ask(member.touch(1, 9))
    server.now += 2

    assert 200 == again.status
    assert [] == records(server.ask(member.list()))


def test_failed_requests_extend_nothing(server: Harness) -> None:
    """Whatever is refused leaves the record to die at its time."""
    member = Member.make()
    server.ask(member.put(5, ttl=60))
    server.ask(member.touch(5, 3))
    server.now += 59
    refused = [server.ask(call).code for call in (
        member.put(4, ttl=600), member.touch(4, 4), member.touch(5, 2), member.delete(5),
        member.put(6, if_match='"999"'), member.put(6).with_headers(goldnode_signature=to_base64(bytes(64))),
    )]  # fmt: skip
    server.now += 2

    assert ["stale", "stale", "stale", "stale", "precondition", "bad-signature"] == refused
    assert [] == records(server.ask(member.list()))


def test_tombstone(server: Harness) -> None:
    """A member that leaves is `gone` for the others, until a record with a greater seq comes."""
    member = Member.make()
    server.ask(member.put(1))
    cursor = server.ask(member.list()).document["cursor"]
    left = server.ask(member.delete(2))
    again = server.ask(member.delete(2))
    gone = server.ask(member.list(f"after={cursor}")).document
    stale, back = server.ask(member.put(2)), server.ask(member.put(3))
    after = server.ask(member.list()).document

    assert (200, 200, left.document["rev"]) == (left.status, again.status, again.document["rev"])
    assert ([], [member.slot]) == (gone["items"], [item["slot"] for item in gone["gone"]])
    assert ("stale", 2, 200) == (stale.code, stale.document["seq"], back.status)
    assert (1, []) == (len(after["items"]), after["gone"])


def test_tombstone_forgotten(server: Harness) -> None:
    """A tombstone is kept seven days; whoever stopped reading before it is told to begin anew."""
    member, other = Member.make(slot=b"one"), Member.make(slot=b"other")
    before = server.ask(member.list()).document["cursor"]
    server.ask(member.delete(1))
    server.now += limits.TOMBSTONE_TTL - 1
    server.sweep()
    late = Member.make(slot=b"one", time=server.now)
    kept = server.ask(late.list(f"after={before}")).document
    server.now += 2
    server.sweep()
    server.ask(Member.make(slot=b"other", time=server.now).put(1))
    forgotten = server.ask(Member.make(time=server.now).list(f"after={before}")).document

    assert ([member.slot], False) == ([item["slot"] for item in kept["gone"]], kept["reset"])
    assert ([], True) == (forgotten["gone"], forgotten["reset"])
    assert [other.slot] == [item["slot"] for item in forgotten["items"]]


def test_expired_records_leave_silently(server: Harness) -> None:
    """A record whose time is over is neither listed nor gone, swept or not, and its slot is empty."""
    member = Member.make()
    server.ask(member.put(9, ttl=60))
    cursor = server.ask(member.list()).document["cursor"]
    server.now += 61
    unswept = server.ask(member.list()).document
    server.sweep()
    swept = server.ask(member.list(f"after={cursor}")).document
    lower = server.ask(member.put(3))

    assert ([], []) == (unswept["items"], unswept["gone"])
    assert ([], [], False) == (swept["items"], swept["gone"], swept["reset"])
    assert 201 == lower.status


def test_put_over_an_unswept_record(server: Harness) -> None:
    """An expired slot takes any seq even before the sweep came by."""
    member = Member.make()
    server.ask(member.put(9, ttl=60))
    server.now += 61

    assert 201 == server.ask(member.put(3)).status


@pytest.mark.parametrize("cursor", ["nonsense", "0" * 32 + ".1", "1", "." * 64])
def test_foreign_cursor(server: Harness, cursor: str) -> None:
    """A cursor that is not of this life of the store gives everything, and says so."""
    member = Member.make()
    server.ask(member.put(1))
    document = server.ask(member.list(f"after={cursor}&wait=55")).document

    assert (True, 1) == (document["reset"], len(document["items"]))


def test_cursor_from_the_future(server: Harness) -> None:
    """A cursor ahead of the store is one it cannot serve from."""
    member = Member.make()

    assert server.ask(member.list(f"after={server.store.generation}.99")).document["reset"]


def test_conditions(server: Harness) -> None:
    """If-None-Match wants an empty slot, If-Match the revision that lies there."""
    member = Member.make()
    first = server.ask(member.put(1, if_none_match="*"))
    rev = first.document["rev"]
    codes = [server.ask(call).code for call in (
        member.put(2, if_none_match="*"), member.put(2, if_match=f'"{rev + 1}"'), member.put(2, if_match=f'"{rev}"'),
        Member.make(slot=b"empty").put(1, if_match=f'"{rev}"'),
    )]  # fmt: skip

    assert (201, ["precondition", "precondition", "ok", "precondition"]) == (first.status, codes)


def test_caps(server: Harness) -> None:
    """The server says what it speaks, within which limits, and who seems to ask."""
    document = server.ask(Call("GET", "/v1/caps"), peer="2001:db8::7").document

    assert ([1], "2001:db8::7", server.store.generation) == (
        document["versions"], document["address"], document["incarnation"],
    )  # fmt: skip
    assert (limits.BODY_BYTES, 1e6) == (document["limits"]["BODY_BYTES"], document["limits"]["ADDRESS_RATE"])


def test_supervision(server: Harness) -> None:
    """Liveness, readiness and metrics answer in plain text, and metrics name no room, slot or address."""
    member = Member.make()
    server.ask(member.put(1))
    server.sweep()
    pages = [server.ask(Call("GET", path)) for path in ("/healthz", "/readyz", "/metrics")]
    text = pages[2].body.decode()

    assert [200, 200, 200] == [page.status for page in pages]
    assert 'goldnode_rendezvous_requests_total{call="slot",outcome="ok"} 1\n' in text
    assert "goldnode_rendezvous_slots 1\n" in text
    assert not any(word in text for word in (member.room, member.slot, "192.0.2.1"))


def test_not_ready_while_closing(server: Harness) -> None:
    """A server about to end says so to whoever balances load."""
    server.hub.close()
    answer = server.ask(Call("GET", "/readyz"))

    assert ("unavailable", "2") == (answer.code, answer.headers["retry-after"])


def test_store_full(tmp_path: Path) -> None:
    """A store that is nearly full takes nobody new, first no new room; who is there writes and touches to the end."""
    with Harness(tmp_path, max_bytes=256 * 1024) as server:
        crowd = [Member.make(slot=b"%d" % number) for number in range(250)]
        answers = [server.ask(one.put(1)) for one in crowd]
        inside = [one for one, answer in zip(crowd, answers, strict=True) if answer.status == 201]
        stranger = server.ask(Member.make(room=b"another").put(1))
        again = [server.ask(call).status for one in inside for call in (one.put(2), one.touch(2, 1), one.delete(3))]
        ready = server.ask(Call("GET", "/readyz")).status

    assert {(507, "store-full")} == {(answer.status, answer.code) for answer in answers if answer.status != 201}
    assert (True, "store-full") == (len(inside) > 10, stranger.code)
    assert ({200}, 200) == (set(again), ready)


def test_rooms_go_first(tmp_path: Path) -> None:
    """Before a room's new members are turned away, strangers' new rooms are."""
    with Harness(tmp_path, max_bytes=256 * 1024) as server:
        rooms = [server.ask(Member.make(room=b"%d" % number).put(1)).code for number in range(250)]
        candidate = server.ask(Member.make(room=b"0", slot=b"new").put(1))

    assert ({"ok", "store-full"}, 201) == (set(rooms), candidate.status)


def test_one_write_fails(server: Harness) -> None:
    """Of writes that share a commit, one that fails takes none of the others with it."""
    victims = [Member.make(slot=b"%d" % number) for number in range(20)]
    with closing(sqlite3.connect(server.database, isolation_level=None)) as other:
        other.execute(
            "CREATE TRIGGER broken BEFORE INSERT ON slots WHEN NEW.seq = 666 BEGIN SELECT RAISE(ABORT, 'broken'); END"
        )

    async def together() -> list[int]:
        spoilt = Member.make(slot=b"spoilt").put(666)
        calls = [one.put(1) for one in victims]
        answers = await asyncio.gather(*(server.answer(call) for call in [*calls[:10], spoilt, *calls[10:]]))
        return [answer.status for answer in answers]

    statuses = server._runner.run(together())

    assert [201] * 10 + [503] + [201] * 10 == statuses


def test_two_writers_race(server: Harness) -> None:
    """Of two that want the same empty slot or the same revision, exactly one wins."""
    member = Member.make()

    async def race(calls: list[Call]) -> list[str]:
        return [answer.code for answer in await asyncio.gather(*(server.answer(call) for call in calls))]

    empty = server._runner.run(race([member.put(seq, if_none_match="*") for seq in (1, 2)]))
    rev = server.ask(member.list()).document["items"][0]["rev"]
    taken = server._runner.run(race([member.put(seq, if_match=f'"{rev}"') for seq in (3, 4)]))
    rising = server._runner.run(race([member.put(seq) for seq in range(10, 5, -1)]))
    (item,) = server.ask(member.list()).document["items"]

    assert ["ok", "precondition"] == sorted(empty) == sorted(taken)
    assert "ok" == rising[0]
    assert to_base64(member.record(10)) == item["record"]


def test_crowd_at_once(server: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    """The number of slots holds too when many come at the same moment."""
    monkeypatch.setattr(limits, "SLOTS", 10)
    crowd = [Member.make(slot=b"%d" % number) for number in range(30)]

    async def rush() -> list[int]:
        return [answer.status for answer in await asyncio.gather(*(server.answer(one.put(1)) for one in crowd))]

    statuses = server._runner.run(rush())

    assert [201] * 10 + [507] * 20 == sorted(statuses)
    assert 10 == len(records(server.ask(crowd[0].list())))


def test_wakes_and_waits(server: Harness) -> None:
    """A long-poll ends with the news, or without any when its time is over."""
    one, other = Member.make(slot=b"one"), Member.make(slot=b"other")
    cursor = server.ask(one.list()).document["cursor"]

    async def watch() -> tuple[Answer, Answer]:
        waiting = asyncio.create_task(server.answer(one.list(f"after={cursor}&wait=30")))
        await asyncio.sleep(0.05)
        assert not waiting.done()
        await server.answer(other.put(1))
        news = await asyncio.wait_for(waiting, 5)
        return news, await server.answer(one.list(f"after={news.document['cursor']}&wait=1"))

    news, nothing = server._runner.run(watch())

    assert [other.slot] == [slot for slot, _ in records(news)]
    assert ([], False, 0) == (nothing.document["items"], nothing.document["reset"], len(server.hub))


def test_address_rate(tmp_path: Path) -> None:
    """One address gets its burst at once and then its rate; another address has its own."""
    with Harness(tmp_path, Config()) as server:
        caps = Call("GET", "/v1/caps")
        at_once = [server.ask(caps).code for _ in range(limits.ADDRESS_BURST + 1)]
        server.now += 1
        later = [server.ask(caps).code for _ in range(limits.ADDRESS_RATE + 1)]

        assert ["ok"] * limits.ADDRESS_BURST + ["rate"] == at_once
        assert ["ok"] * limits.ADDRESS_RATE + ["rate"] == later
        assert "ok" == server.ask(caps, peer="192.0.2.2").code


def test_broken_inside(server: Harness, caplog: pytest.LogCaptureFixture) -> None:
    """A fault of the server's own is `unavailable` outside, and a sentence in the log only."""
    server.store._reader.close()
    answer = server.ask(Member.make().list())

    assert ("unavailable", "2") == (answer.code, answer.headers["retry-after"])
    assert "sqlite" not in answer.body.decode()
    assert "the store could not be read" in caplog.text


def test_not_ready_while_writes_fail(server: Harness) -> None:
    """While no write succeeds the server is not ready; as soon as one would, it is again."""
    with closing(sqlite3.connect(server.database, isolation_level=None)) as other:
        other.execute("CREATE TRIGGER broken BEFORE INSERT ON slots BEGIN SELECT RAISE(ABORT, 'broken'); END")
        refused = server.ask(Member.make().put(1)).status
        broken = server.ask(Call("GET", "/readyz"))
        server.sweep()
        still = server.ask(Call("GET", "/readyz"))
        other.execute("DROP TRIGGER broken")
    server.sweep()

    assert (503, "unavailable", "unavailable") == (refused, broken.code, still.code)
    assert 200 == server.ask(Call("GET", "/readyz")).status


def test_not_ready_before_anybody_wrote(server: Harness) -> None:
    """A server that could not write is found out by whoever asks whether it is ready, before a member needs it."""
    with closing(sqlite3.connect(server.database, isolation_level=None)) as other:
        other.execute("CREATE TRIGGER broken BEFORE INSERT ON slots BEGIN SELECT RAISE(ABORT, 'broken'); END")
    first = server.ask(Call("GET", "/readyz")).status
    server.sweep()

    assert (200, 503) == (first, server.ask(Call("GET", "/readyz")).status)
