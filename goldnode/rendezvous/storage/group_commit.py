"""Writes that arrive together share one commit, and are answered only when it is on disk.

``synchronous=FULL`` makes each commit wait for the disk.  While the writer thread waits for one,
the event loop continues to check signatures, and whatever it accepts meanwhile becomes the next
batch: a busy server pays for one flush per batch, an idle one waits for nobody.  A change that
fails does not affect the others.
"""

from __future__ import annotations

import asyncio
import logging
import queue
import sqlite3
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from goldnode.rendezvous.storage.store import Row, StoreDamagedError, StoreError

log = logging.getLogger(__name__)

#: The most writes in one commit: bounds how long the first of them waits.
MAX_BATCH = 256


@dataclass(frozen=True, slots=True)
class Applied:
    """The effect of one change.

    Attributes:
        rev: The revision counter after it.
        result: What its caller gets.
        notify: The room that has news because of it, if any.
        written: Whether it wrote anything.
    """

    rev: int
    result: Row | None = None
    notify: str | None = None
    written: bool = False


#: SQLite's primary result codes for a damaged file and for one that is not a database: SQLITE_CORRUPT, SQLITE_NOTADB.
_DAMAGED = (11, 26)


def store_error(error: sqlite3.Error, doing: str, hint: str) -> StoreError:
    """The store's error for a failure of SQLite."""
    kind = StoreDamagedError if getattr(error, "sqlite_errorcode", 0) & 0xFF in _DAMAGED else StoreError
    return kind(f"the store could not be {doing}: {error}", hint=hint)


#: The outcome of a change.
Outcome = Applied | StoreError
#: Takes the connection, inside a transaction, and the revision counter.
Change = Callable[[sqlite3.Connection, int], Applied]


class _ChangeError(Exception):
    """One change of several failed; the transaction still stands."""


@dataclass(frozen=True, slots=True)
class _Job:
    change: Change
    future: asyncio.Future[Row | None]


class GroupWriter:
    """The one thread that writes; made and used on one event loop.

    Args:
        db: A connection in autocommit mode with a ``counters`` table; from now on the thread owns it.
        announce: Called on the event loop, after the commit, with each room that has news and the last revision.
        hint: What a person can do when the disk fails.

    Attributes:
        fault: Why the last write failed; None if it succeeded.
    """

    def __init__(self, db: sqlite3.Connection, announce: Callable[[str, int], None], hint: str) -> None:
        self.fault: StoreError | None = None
        self._db = db
        self._announce = announce
        self._hint = hint
        self._loop = asyncio.get_running_loop()
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="rendezvous-writer", daemon=True)
        self._thread.start()

    async def submit(self, change: Change) -> Row | None:
        """Commit a change.

        Raises:
            StoreError: It could not be written; nothing of it was kept.
        """
        future: asyncio.Future[Row | None] = self._loop.create_future()
        self._jobs.put(_Job(change, future))
        return await future

    def close(self) -> None:
        """Finish what was queued and end the thread."""
        self._jobs.put(None)
        self._thread.join()
        self._db.close()

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            batch = [job]
            while len(batch) < MAX_BATCH and (following := self._next()) is not None:
                batch.append(following)
            outcomes = self._commit([job.change for job in batch])
            self._loop.call_soon_threadsafe(self._settle, [job.future for job in batch], outcomes)

    def _next(self) -> _Job | None:
        """The next job, if one is waiting; the end marker is left for the outer loop."""
        try:
            job = self._jobs.get_nowait()
        except queue.Empty:
            return None
        if job is None:
            self._jobs.put(None)
        return job

    def _commit(self, changes: Sequence[Change]) -> list[Outcome]:
        """The outcome of each change; those that succeeded are on disk."""
        try:
            try:
                outcomes = self._apply_all(changes)
            except _ChangeError:
                # Seldom.  Savepoints cost the thread more than the changes: for each it waits for the interpreter.
                self._db.execute("ROLLBACK")
                outcomes = self._apply_all(changes, apart=True)
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            return [store_error(error, "written", self._hint)] * len(changes)
        return outcomes

    def _apply_all(self, changes: Sequence[Change], *, apart: bool = False) -> list[Outcome]:
        """Begin a transaction and apply the changes in it; ``apart`` keeps one that fails from the others.

        Raises:
            _ChangeError: A change failed, and nothing was to keep it from the others.
            sqlite3.Error: The whole transaction is lost.
        """
        self._db.execute("BEGIN IMMEDIATE")
        (before,) = self._db.execute("SELECT rev FROM counters").fetchone()
        rev, outcomes = before, list[Outcome]()
        for change in changes:
            outcome = self._apply_apart(change, rev) if apart else self._apply(change, rev)
            outcomes.append(outcome)
            rev = rev if isinstance(outcome, StoreError) else outcome.rev
        if rev != before:  # an idle server leaves the disk alone
            self._db.execute("UPDATE counters SET rev = ?", (rev,))
        return outcomes

    def _apply(self, change: Change, rev: int) -> Applied:
        try:
            return change(self._db, rev)
        except sqlite3.Error as error:
            if not self._db.in_transaction:  # SQLite rolled back the whole batch
                raise
            raise _ChangeError from error

    def _apply_apart(self, change: Change, rev: int) -> Outcome:
        """Apply one change, whole or not at all, inside the batch's transaction.

        Raises:
            sqlite3.Error: The whole transaction is lost.
        """
        self._db.execute("SAVEPOINT change")
        try:
            applied: Outcome = change(self._db, rev)
        except sqlite3.Error as error:
            if not self._db.in_transaction:  # SQLite rolled back the whole batch
                raise
            self._db.execute("ROLLBACK TO change")
            applied = store_error(error, "written", self._hint)
        self._db.execute("RELEASE change")
        return applied

    def _settle(self, futures: Sequence[asyncio.Future[Row | None]], outcomes: Sequence[Outcome]) -> None:
        """On the event loop: answer the callers that are still there, then notify the watchers."""
        newest: dict[str, int] = {}
        for future, outcome in zip(futures, outcomes, strict=True):
            if isinstance(outcome, StoreError):
                self._note(outcome)
            elif outcome.written:
                self.fault = None
            if not isinstance(outcome, StoreError) and outcome.notify is not None:
                newest[outcome.notify] = outcome.rev
            if future.done():
                continue
            if isinstance(outcome, StoreError):
                future.set_exception(outcome)
            else:
                future.set_result(outcome.result)
        for room, rev in newest.items():
            self._announce(room, rev)

    def _note(self, fault: StoreError) -> None:
        if self.fault is None:  # said once, not for each of a thousand clients
            log.error("%s", fault.message)
        self.fault = fault
