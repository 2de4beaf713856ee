"""The server killed, wiped, restored and restarted: what was answered is there, what is lost is refilled."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import signal
import sqlite3
import threading
import time
from base64 import b64decode
from http.client import HTTPException
from pathlib import Path

import pytest

from goldnode.errors import HostError
from goldnode.protocol.wire import to_base64
from goldnode.rendezvous.__main__ import main, parse_listen, run
from goldnode.rendezvous.config import Config
from goldnode.rendezvous.storage.group_commit import Applied, Change, GroupWriter
from goldnode.rendezvous.storage.store import Row, StoreError
from tests.integration.rendezvous.support import Member, ask, gauge, process, serving, until

#: Dies the moment the commit is on disk, before anybody is told.
DIE_AFTER_COMMIT = """
import os, signal
from goldnode.rendezvous.storage.group_commit import GroupWriter
commit = GroupWriter._commit
def commit_and_die(self, changes):
    outcome = commit(self, changes)
    if any(applied.notify for applied in outcome):
        os.kill(os.getpid(), signal.SIGKILL)
    return outcome
GroupWriter._commit = commit_and_die
"""


def member(slot: bytes = b"slot") -> Member:
    """A member whose clock is right."""
    return Member.make(slot=slot, time=time.time())


def test_killed_between_commit_and_reply(tmp_path: Path) -> None:
    """A client that lost the answer to a sudden death repeats itself, and finds its record kept once."""
    database, one = tmp_path / "store.sqlite", member()
    with process(database, program=DIE_AFTER_COMMIT) as (url, child):
        with pytest.raises((OSError, HTTPException)):
            ask(url, one.put(1))
        died = child.wait(10)
    with process(database) as (url, _):
        again = ask(url, one.put(1))
        items = ask(url, one.list()).document["items"]

    assert (-signal.SIGKILL, 200) == (died, again.status)
    assert [(again.document["rev"], to_base64(one.record(1)))] == [(item["rev"], item["record"]) for item in items]


def test_killed_under_load(tmp_path: Path) -> None:
    """Every put that was answered before a kill -9 is there after it, or a later one of the same member."""
    database, answered = tmp_path / "store.sqlite", dict[Member, int]()
    writers = [member(b"%d" % number) for number in range(4)]
    with process(database) as (url, child):
        threads = [threading.Thread(target=_put_until_it_breaks, args=(url, one, answered)) for one in writers]
        for thread in threads:
            thread.start()
        until(lambda: len(answered), lambda count: count == len(writers))
        child.kill()
        for thread in threads:
            thread.join(20)
    with process(database) as (url, _):
        kept = {
            item["slot"]: int(b64decode(item["record"])[33:41].hex(), 16)
            for item in ask(url, writers[0].list()).document["items"]
        }

    assert len(writers) == len(answered)
    assert all(kept[one.slot] in (seq, seq + 1) for one, seq in answered.items())


def test_restored_from_an_old_backup(tmp_path: Path) -> None:
    """After a restore the generation is another one: readers begin anew, writers put the newer record again."""
    database, one = tmp_path / "store.sqlite", member()
    with serving(database) as url:
        ask(url, one.put(1))
    shutil.copy(database, tmp_path / "backup")
    with serving(database) as url:
        ask(url, one.put(2))
        newer = ask(url, one.list()).document
    shutil.copy(tmp_path / "backup", database)
    with serving(database) as url:
        older = ask(url, one.list(f"after={newer['cursor']}&wait=55")).document
        again = ask(url, one.put(2))
        healed = ask(url, one.list()).document

    assert newer["incarnation"] != older["incarnation"]
    assert (True, [to_base64(one.record(1))]) == (older["reset"], [item["record"] for item in older["items"]])
    assert (200, [to_base64(one.record(2))]) == (again.status, [item["record"] for item in healed["items"]])


def test_wiped_and_restarted_under_load(tmp_path: Path) -> None:
    """A server killed and wiped while members write is whole again as soon as each has written once."""
    database = tmp_path / "store.sqlite"
    members = [member(b"%d" % number) for number in range(8)]
    with process(database) as (url, child):
        writers = [threading.Thread(target=_put_until_it_breaks, args=(url, one, {})) for one in members]
        for writer in writers:
            writer.start()
        time.sleep(0.4)
        child.kill()
        for writer in writers:
            writer.join(20)
    for path in tmp_path.glob("store.sqlite*"):
        path.unlink()
    with process(database) as (url, _):
        empty = ask(url, members[0].list()).document
        statuses = {ask(url, one.put(10**6)).status for one in members}
        whole = ask(url, members[0].list()).document

    assert ([], {201}) == (empty["items"], statuses)
    assert {one.slot for one in members} == {item["slot"] for item in whole["items"]}


def _put_until_it_breaks(url: str, one: Member, answered: dict[Member, int]) -> None:
    with contextlib.suppress(OSError, HTTPException):
        for seq in range(1, 10**6):
            assert ask(url, one.put(seq)).status in (200, 201)
            answered[one] = seq


def test_orderly_end(tmp_path: Path) -> None:
    """SIGTERM answers whoever waits for news and ends within seconds."""
    one, answers = member(), []
    with process(tmp_path / "store.sqlite") as (url, child):
        ask(url, one.put(1))
        cursor = ask(url, one.list()).document["cursor"]
        waiting = threading.Thread(target=lambda: answers.append(ask(url, one.list(f"after={cursor}&wait=55"))))
        waiting.start()
        until(lambda: gauge(url, "watchers"), lambda count: count == 1)
        start = time.monotonic()
        child.terminate()
        code = child.wait(15)
        waiting.join(15)

    assert (0, [200]) == (code, [answer.status for answer in answers])
    assert time.monotonic() - start < 10


def test_second_server_on_one_store(tmp_path: Path) -> None:
    """Two servers on one store would not wake each other's watchers: the second is refused with a way out."""
    with (
        serving(tmp_path / "store.sqlite"),
        pytest.raises(HostError, match="another rendezvous already uses") as refused,
    ):
        run("127.0.0.1:0", tmp_path / "store.sqlite", Config())

    assert "--database" in refused.value.hint


def test_port_taken(tmp_path: Path) -> None:
    """A taken port is named, with another one to try."""
    with serving(tmp_path / "one.sqlite") as url, pytest.raises(HostError, match="cannot listen on"):
        run(url.removeprefix("http://"), tmp_path / "two.sqlite", Config())


@pytest.mark.parametrize(("text", "expected"), [("[::]:8700", ("::", 8700)), ("127.0.0.1:0", ("127.0.0.1", 0))])
def test_listen(text: str, expected: tuple[str, int]) -> None:
    """Addresses of both families are written as in a URL."""
    assert expected == parse_listen(text)


@pytest.mark.parametrize("text", ["8700", ":8700", "::1:8700", "[::]", "host:99999", "[host]:1"])
def test_listen_refused(text: str, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Anything else is a usage error."""
    assert 2 == main(["--listen", text, "--database", str(tmp_path / "x")])
    assert "--listen" in capsys.readouterr().err


def test_a_change_that_fails_does_not_affect_those_of_its_batch(tmp_path: Path) -> None:
    """Three are committed together: the second does half of its work and fails; the others are on the disk, whole."""

    def add(number: int, then: str = "SELECT 1") -> Change:
        def change(db: sqlite3.Connection, rev: int) -> Applied:
            db.execute("INSERT INTO kept VALUES (?)", (number,))
            db.execute(then)
            return Applied(rev + 1, written=True)

        return change

    async def run() -> list[Row | BaseException | None]:
        writer = GroupWriter(opened(), lambda *_: None, hint="df -h")
        try:
            changes = (add(1), add(2, then="SELECT nothing"), add(3))
            return await asyncio.gather(*(writer.submit(each) for each in changes), return_exceptions=True)
        finally:
            writer.close()

    def opened() -> sqlite3.Connection:
        return sqlite3.connect(tmp_path / "store.sqlite", isolation_level=None, check_same_thread=False)

    with contextlib.closing(opened()) as db:
        db.executescript("CREATE TABLE counters (rev INTEGER); INSERT INTO counters VALUES (7); CREATE TABLE kept (n);")
        for _ in range(20):  # whether the three meet in one batch is a matter of moments
            db.executescript("DELETE FROM kept; UPDATE counters SET rev = 7")
            first, second, third = asyncio.run(run())

            assert (None, True, None) == (first, isinstance(second, StoreError), third)
            assert [(1,), (3,)] == db.execute("SELECT n FROM kept ORDER BY n").fetchall()
            assert (9,) == db.execute("SELECT rev FROM counters").fetchone()
