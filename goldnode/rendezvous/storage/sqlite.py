"""The embedded store: one SQLite file, one writer, nothing acknowledged before it is on disk.

Reads use a second connection (WAL) and see what is committed.  Each time the file is opened it gets
a new generation: the file itself cannot tell whether it was restored from an old backup, and starting
over costs members no more than one listing.  For the same reason a damaged file is set aside and an
empty one created: members refill it within minutes.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from goldnode.errors import HostError
from goldnode.rendezvous.notifier import Notifier, end
from goldnode.rendezvous.storage.group_commit import Applied, Change, GroupWriter, store_error
from goldnode.rendezvous.storage.store import (
    Left,
    Listing,
    Row,
    SlotKind,
    StoreDamagedError,
    StoreError,
    StoreStats,
    Value,
)

log = logging.getLogger(__name__)

SCHEMA_VERSION = 1
SCHEMA = f"""
BEGIN IMMEDIATE;
CREATE TABLE slots (
  room TEXT NOT NULL, slot TEXT NOT NULL, rev INTEGER NOT NULL, news INTEGER NOT NULL,
  kind TEXT NOT NULL, seq INTEGER NOT NULL, touch INTEGER NOT NULL, ttl INTEGER NOT NULL,
  expires REAL NOT NULL, body BLOB NOT NULL,
  PRIMARY KEY (room, slot)
);
CREATE INDEX slots_by_news ON slots (room, news);
CREATE INDEX slots_by_expiry ON slots (expires);
-- rev: the last revision given out.  horizon: the newest tombstone that was forgotten;
-- whoever stopped reading before it does not know who left.
CREATE TABLE counters (rev INTEGER NOT NULL, horizon INTEGER NOT NULL);
INSERT INTO counters VALUES (0, 0);
PRAGMA user_version = {SCHEMA_VERSION};
COMMIT;
"""  # noqa: S608 - constants
COLUMNS = "slot, rev, news, kind, seq, touch, ttl, expires, body"
#: Seconds to wait for another process (a backup) that holds the file.
BUSY_SECONDS = 5.0
#: The most bytes the file may grow to: strangers can fill their own rooms, but not the disk.
MAX_BYTES = 1 << 30
#: Damaged files kept beside the store for inspection; older ones are deleted.
KEPT_ASIDE = 3
#: Bytes `prove` writes: a little more than the largest record.
_PROOF_BYTES = 8192


class SqliteStore:
    """A ``Store`` in one file, made and used on one event loop.

    Args:
        path: The database; created if absent, set aside and recreated if it is damaged or of another version.
        generation: A name never used before.
        notifier: Where this process's watchers wait.
        max_bytes: What the file may grow to; beyond it, writes are refused.
        on_damage: Called, perhaps more than once, when the file turns out to be damaged in use.

    Raises:
        HostError: The file cannot be opened.
    """

    def __init__(
        self,
        path: Path,
        *,
        generation: str,
        notifier: Notifier,
        max_bytes: int = MAX_BYTES,
        on_damage: Callable[[], None] = lambda: None,
    ) -> None:
        self.generation = generation
        self._path, self._notifier, self._max_bytes, self._on_damage = path, notifier, max_bytes, on_damage
        self._said = ""
        _keep_sound(path)
        self._reader = _open(path, max_bytes)
        self._writer = GroupWriter(_open(path, max_bytes), notifier.notify, hint=self._hint)

    @property
    def fault(self) -> StoreError | None:
        """See ``Store.fault``."""
        return self._writer.fault

    def fullness(self) -> float:
        """See ``Store.fullness``."""
        with self._reading() as db:
            (used,), (free,), (size,) = (
                db.execute(f"PRAGMA {name}").fetchone() for name in ("page_count", "freelist_count", "page_size")
            )
        return float((used - free) * size / self._max_bytes)

    def close(self) -> None:
        """Finish what was queued and close the file."""
        self._writer.close()
        self._reader.close()

    async def get(self, room: str, slot: str) -> Row | None:
        """See ``Store.get``."""
        query = f"SELECT {COLUMNS} FROM slots WHERE room = ? AND slot = ?"  # noqa: S608 - a constant
        with self._reading() as db:
            found = db.execute(query, (room, slot)).fetchone()
        return _row(found) if found else None

    async def count(self, room: str, now: float) -> int:
        """See ``Store.count``."""
        query = "SELECT count(*) FROM slots WHERE room = ? AND expires > ?"
        with self._reading() as db:
            return int(db.execute(query, (room, now)).fetchone()[0])

    async def list(self, room: str, after: int | None) -> Listing:
        """See ``Store.list``."""
        query = f"SELECT {COLUMNS} FROM slots WHERE room = ? AND news > ? ORDER BY news"  # noqa: S608 - a constant
        with self._reading() as db:
            db.execute("BEGIN")
            try:
                rev, reset = _whole(db, after)
                rows = db.execute(query, (room, 0 if reset else after)).fetchall()
            finally:
                db.execute("COMMIT")
        return Listing(tuple(map(_row, rows)), rev, reset)

    async def size(self, room: str, after: int | None) -> int:
        """See ``Store.size``."""
        query = "SELECT total(length(body)) FROM slots WHERE room = ? AND news > ?"
        with self._reading() as db:
            _, reset = _whole(db, after)
            return int(db.execute(query, (room, 0 if reset else after)).fetchone()[0])

    async def cas(self, room: str, slot: str, expected: int | None, value: Value, *, notify: bool) -> Row | None:
        """See ``Store.cas``."""

        def change(db: sqlite3.Connection, rev: int) -> Applied:
            row = _swap(db, (room, slot), expected, rev + 1, value, notify=notify)
            if row is None:
                return Applied(rev)
            return Applied(rev + 1, row, room if notify else None, written=True)

        return await self._write(change)

    async def wait(self, rooms: Sequence[str], after: int, seconds: float, left: Left) -> int | None:
        """See ``Store.wait``."""
        future = self._notifier.join(rooms)
        try:
            newest = max(self._newest(room) for room in rooms)
            if newest > after:
                return newest
            # News, the reader's departure and the end of the time all end the one future: for thousands of watchers,
            # a task or a cancelled wait more each is a third of the time that waking them takes.
            left(future)
            timer = asyncio.get_running_loop().call_later(seconds, end, future, after)
            try:
                return await future
            finally:
                timer.cancel()
        finally:
            self._notifier.leave(rooms, future)

    async def sweep(self, now: float) -> StoreStats:
        """See ``Store.sweep``."""
        await self._write(lambda db, rev: _forget(db, rev, now))
        with self._reading() as db:
            return StoreStats(*db.execute("SELECT count(DISTINCT room), count(*) FROM slots").fetchone())

    async def prove(self) -> None:
        """See ``Store.prove``."""
        await self._write(_prove)

    @property
    def _hint(self) -> str:
        return f"df -h {self._path.parent}"

    async def _write(self, change: Change) -> Row | None:
        try:
            return await self._writer.submit(change)
        except StoreDamagedError:
            self._on_damage()
            raise

    @contextlib.contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        try:
            yield self._reader
        except sqlite3.Error as error:
            found = store_error(error, "read", self._hint)
            if found.message != self._said:  # once, not for each of a thousand clients
                log.error("%s", found.message)  # noqa: TRY400 - the sentence is enough
                self._said = found.message
            if isinstance(found, StoreDamagedError):
                self._on_damage()
            raise found from error

    def _newest(self, room: str) -> int:
        with self._reading() as db:
            return db.execute("SELECT max(news) FROM slots WHERE room = ?", (room,)).fetchone()[0] or 0


def set_aside(path: Path) -> None:
    """Move a store aside for inspection; the next one starts empty.

    Raises:
        HostError: It cannot be moved.
    """
    stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime())
    aside = path.with_name(f"{path.name}.damaged-{stamp}")
    try:
        path.rename(aside)
        for rest in ("-wal", "-shm"):
            path.with_name(path.name + rest).unlink(missing_ok=True)
        for old in sorted(path.parent.glob(f"{path.name}.damaged-*"))[:-KEPT_ASIDE]:
            old.unlink()
    except OSError as error:
        raise HostError(f"{path} is damaged, and cannot be moved: {error}", hint=f"ls -ld {path.parent}") from error
    log.error("%s was damaged and is now %s; members fill the new store within minutes", path, aside)


def _keep_sound(path: Path) -> None:
    """Set the file aside unless it is absent or a sound store of this version."""
    if not path.exists():
        return
    try:
        with contextlib.closing(sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)) as db:
            sound = db.execute("PRAGMA quick_check(1)").fetchone() == ("ok",)
            (version,) = db.execute("PRAGMA user_version").fetchone()
    except sqlite3.Error as error:
        if not isinstance(store_error(error, "read", ""), StoreDamagedError):
            raise HostError(f"{path} cannot be opened: {error}", hint=f"ls -l {path}") from error
        sound = False
    if not sound or version not in (0, SCHEMA_VERSION):
        set_aside(path)


def _open(path: Path, max_bytes: int) -> sqlite3.Connection:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        db = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    except (sqlite3.Error, OSError) as error:
        raise HostError(f"{path} cannot be opened: {error}", hint=f"ls -ld {path.parent}") from error
    try:
        _prepare(db, max_bytes)
    except sqlite3.Error as error:
        db.close()
        raise HostError(f"{path} cannot be used as a store: {error}", hint=f"ls -l {path}") from error
    return db


def _prepare(db: sqlite3.Connection, max_bytes: int) -> None:
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = FULL")
    (version,) = db.execute("PRAGMA user_version").fetchone()
    if version == 0:
        db.executescript(SCHEMA)
    (page,) = db.execute("PRAGMA page_size").fetchone()
    db.execute(f"PRAGMA max_page_count = {max_bytes // page}")


def _whole(db: sqlite3.Connection, after: int | None) -> tuple[int, bool]:
    """The last revision assigned, and whether a reader at ``after`` needs a full listing."""
    rev, horizon = db.execute("SELECT rev, horizon FROM counters").fetchone()
    return rev, after is None or not horizon <= after <= rev


def _row(columns: tuple[str, int, int, str, int, int, int, float, bytes]) -> Row:
    slot, rev, notify_rev, kind, seq, heartbeat, ttl, expires, body = columns
    return Row(slot, rev, notify_rev, Value(SlotKind(kind), seq, heartbeat, ttl, expires, body))


def _swap(
    db: sqlite3.Connection, place: tuple[str, str], expected: int | None, rev: int, value: Value, *, notify: bool
) -> Row | None:
    """Write the slot if it is as expected; returns its row."""
    content = (value.kind, value.seq, value.heartbeat, value.ttl, value.expires, value.body)
    if expected is None:
        columns = f"INSERT INTO slots (room, {COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608 - a constant
        insert = f"{columns} ON CONFLICT DO NOTHING RETURNING news"
        found = db.execute(insert, (*place, rev, rev, *content)).fetchone()
    else:
        update = """UPDATE slots SET rev = ?, news = coalesce(?, news), kind = ?, seq = ?, touch = ?, ttl = ?,
                    expires = ?, body = ? WHERE room = ? AND slot = ? AND rev = ? RETURNING news"""
        found = db.execute(update, (rev, rev if notify else None, *content, *place, expected)).fetchone()
    return Row(place[1], rev, found[0], value) if found else None


def _forget(db: sqlite3.Connection, rev: int, now: float) -> Applied:
    """Delete what has expired.  Records go silently; a deleted tombstone moves the horizon."""
    query = "SELECT max(news) FROM slots WHERE expires <= ? AND kind = ?"
    (horizon,) = db.execute(query, (now, SlotKind.TOMBSTONE)).fetchone()
    if horizon is not None:
        db.execute("UPDATE counters SET horizon = max(horizon, ?)", (horizon,))
    gone = db.execute("DELETE FROM slots WHERE expires <= ?", (now,)).rowcount
    return Applied(rev, written=gone > 0)


def _prove(db: sqlite3.Connection, rev: int) -> Applied:
    """Write as much as a record and delete it again; the pages reach the disk all the same."""
    values = ("proof", "", rev, rev, SlotKind.RECORD, 0, 0, 0, 0.0, bytes(_PROOF_BYTES))
    db.execute(f"INSERT OR REPLACE INTO slots (room, {COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", values)  # noqa: S608 - a constant
    db.execute("DELETE FROM slots WHERE room = ?", ("proof",))
    return Applied(rev, written=True)
