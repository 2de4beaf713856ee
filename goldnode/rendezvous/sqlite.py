"""The embedded store: one SQLite file, one writer, nothing said before it is on disk.

Reads go through a connection of their own (WAL) and see what was committed.  The generation is
drawn anew each time the file is opened: the file itself cannot tell whether it was restored from
an old backup, and members that begin anew lose nothing but one listing.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Sequence
from pathlib import Path

from goldnode.errors import HostError
from goldnode.rendezvous.groupcommit import Applied, GroupWriter
from goldnode.rendezvous.notifier import Notifier
from goldnode.rendezvous.store import Listing, Row, SlotKind, StoreStats, Value

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
#: Bytes the file may grow to; strangers can fill rooms of their own, but not the disk.
MAX_BYTES = 1 << 30


class SqliteStore:
    """A ``Store`` in one file, made and used on one event loop.

    Args:
        path: The database; created when absent.
        generation: A name never used before.
        notifier: Where this process's watchers wait.
        max_bytes: What the file may grow to; beyond it, writes are refused.

    Raises:
        HostError: The file cannot be opened, is damaged, or was written by another version.
    """

    def __init__(self, path: Path, *, generation: str, notifier: Notifier, max_bytes: int = MAX_BYTES) -> None:
        self.generation = generation
        self._notifier = notifier
        self._reader = _open(path, max_bytes)
        self._writer = GroupWriter(_open(path, max_bytes), notifier.notify, hint=f"df -h {path.parent}")

    def close(self) -> None:
        """Finish what was queued and close the file."""
        self._writer.close()
        self._reader.close()

    async def get(self, room: str, slot: str) -> Row | None:
        """See ``Store.get``."""
        query = f"SELECT {COLUMNS} FROM slots WHERE room = ? AND slot = ?"  # noqa: S608 - a constant
        found = self._reader.execute(query, (room, slot)).fetchone()
        return _row(found) if found else None

    async def count(self, room: str, now: float) -> int:
        """See ``Store.count``."""
        query = "SELECT count(*) FROM slots WHERE room = ? AND expires > ?"
        return int(self._reader.execute(query, (room, now)).fetchone()[0])

    async def list(self, room: str, after: int | None) -> Listing:
        """See ``Store.list``."""
        query = f"SELECT {COLUMNS} FROM slots WHERE room = ? AND news > ? ORDER BY news"  # noqa: S608 - a constant
        self._reader.execute("BEGIN")
        try:
            rev, horizon = self._reader.execute("SELECT rev, horizon FROM counters").fetchone()
            reset = after is None or not horizon <= after <= rev
            rows = self._reader.execute(query, (room, 0 if reset else after)).fetchall()
        finally:
            self._reader.execute("COMMIT")
        return Listing(tuple(map(_row, rows)), rev, reset)

    async def cas(self, room: str, slot: str, expected: int | None, value: Value, *, notify: bool) -> Row | None:
        """See ``Store.cas``."""

        def change(db: sqlite3.Connection, rev: int) -> Applied:
            row = _swap(db, (room, slot), expected, rev + 1, value, notify=notify)
            return Applied(rev if row is None else rev + 1, row, room if row is not None and notify else None)

        return await self._writer.submit(change)

    async def wait(self, rooms: Sequence[str], after: int, seconds: float) -> int:
        """See ``Store.wait``."""
        future = self._notifier.join(rooms)
        try:
            newest = max(self._newest(room) for room in rooms)
            if newest > after:
                return newest
            async with asyncio.timeout(seconds):
                return await future
        except TimeoutError:
            return after
        finally:
            self._notifier.leave(rooms, future)

    async def sweep(self, now: float) -> StoreStats:
        """See ``Store.sweep``."""
        await self._writer.submit(lambda db, rev: _forget(db, rev, now))
        return StoreStats(*self._reader.execute("SELECT count(DISTINCT room), count(*) FROM slots").fetchone())

    def _newest(self, room: str) -> int:
        return self._reader.execute("SELECT max(news) FROM slots WHERE room = ?", (room,)).fetchone()[0] or 0


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
        raise HostError(f"{path} cannot be used as a store: {error}", hint=f"rm {path}*") from error
    return db


def _prepare(db: sqlite3.Connection, max_bytes: int) -> None:
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = FULL")
    (version,) = db.execute("PRAGMA user_version").fetchone()
    if version == 0:
        db.executescript(SCHEMA)
    elif version != SCHEMA_VERSION:
        raise sqlite3.DatabaseError(f"it has schema version {version}, this program writes {SCHEMA_VERSION}")
    (page,) = db.execute("PRAGMA page_size").fetchone()
    db.execute(f"PRAGMA max_page_count = {max_bytes // page}")


def _row(columns: tuple[str, int, int, str, int, int, int, float, bytes]) -> Row:
    slot, rev, notify_rev, kind, seq, heartbeat, ttl, expires, body = columns
    return Row(slot, rev, notify_rev, Value(SlotKind(kind), seq, heartbeat, ttl, expires, body))


def _swap(
    db: sqlite3.Connection, place: tuple[str, str], expected: int | None, rev: int, value: Value, *, notify: bool
) -> Row | None:
    """Write the slot if it is as expected; the row as it is then."""
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
    """Delete what ran out of time.  Records leave silently; a forgotten tombstone moves the horizon."""
    query = "SELECT max(news) FROM slots WHERE expires <= ? AND kind = ?"
    (horizon,) = db.execute(query, (now, SlotKind.TOMBSTONE)).fetchone()
    if horizon is not None:
        db.execute("UPDATE counters SET horizon = max(horizon, ?)", (horizon,))
    db.execute("DELETE FROM slots WHERE expires <= ?", (now,))
    return Applied(rev)
