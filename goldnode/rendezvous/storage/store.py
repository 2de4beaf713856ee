"""What the server needs of a place to keep things: few calls, chosen so that etcd and S3 fit too.

A slot is compared and swapped by its revision; a room is listed from a cursor onward.  Revisions
rise over the whole store, so one number orders everything, and a cursor is a revision.  A store
knows nothing of signatures or HTTP; time comes in as an argument.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from goldnode.errors import GoldnodeError


class StoreError(GoldnodeError):
    """The store could not read or write; nothing of the request was kept."""


class StoreDamagedError(StoreError):
    """What the store keeps on disk is damaged: no later call will succeed either."""


class SlotKind(StrEnum):
    """What lies in a slot."""

    RECORD = "record"
    TOMBSTONE = "tombstone"
    POLICY = "policy"


@dataclass(frozen=True, slots=True)
class Value:
    """What a slot holds.

    Attributes:
        kind: Which of the structures ``body`` is.
        seq: The owner's sequence number, or a policy's version.
        heartbeat: Counter of the last heartbeat accepted for this ``seq``; 0 when there was none.
        ttl: Seconds that a heartbeat adds.
        expires: Unix seconds from which on the slot counts as empty.
        body: The bytes that were signed and sent.
    """

    kind: SlotKind
    seq: int
    heartbeat: int
    ttl: int
    expires: float
    body: bytes


@dataclass(frozen=True, slots=True)
class Row:
    """A slot as stored.

    Attributes:
        slot: Slot id.
        rev: Revision of the last write of any kind: what compare-and-swap compares.
        notify_rev: Revision of the last write that watchers care about; a heartbeat does not raise it.
        value: The content.
    """

    slot: str
    rev: int
    notify_rev: int
    value: Value


@dataclass(frozen=True, slots=True)
class Listing:
    """A room from a cursor onward.

    Attributes:
        rows: Slots with news after the cursor, oldest news first.
        cursor: What to pass as ``after`` next time.
        reset: There is no telling what happened since the cursor: ``rows`` are everything.
    """

    rows: tuple[Row, ...]
    cursor: int
    reset: bool


@dataclass(frozen=True, slots=True)
class StoreStats:
    """How full the store is: rooms (a policy counts as one) and slots in all."""

    rooms: int
    slots: int


Left = Callable[[], Awaitable[None]]


class Store(Protocol):
    """A place to keep slots."""

    @property
    def generation(self) -> str:
        """Name of this life of the store: another one whenever revisions may have gone back."""

    @property
    def fault(self) -> StoreError | None:
        """Why the last write failed; None when it did not."""

    def fullness(self) -> float:
        """How much of the space the store may use is taken, from 0 to 1."""

    async def get(self, room: str, slot: str) -> Row | None:
        """The slot, or None when it is empty."""

    async def count(self, room: str, now: float) -> int:
        """How many slots of the room are taken."""

    async def list(self, room: str, after: int | None) -> Listing:
        """What is new in a room after a cursor; everything when there is none."""

    async def size(self, room: str, after: int | None) -> int:
        """Bytes of the contents that `list` would bring: known without reading them."""

    async def cas(self, room: str, slot: str, expected: int | None, value: Value, *, notify: bool) -> Row | None:
        """Write a slot if its revision is still ``expected`` (None: empty); on disk when this returns.

        Args:
            room: Room id.
            slot: Slot id.
            expected: The revision that was read, or None for a slot that was empty.
            value: The new content.
            notify: Whether watchers are told.

        Returns:
            The slot as it is now, or None when somebody else wrote in between.

        Raises:
            StoreError: It could not be written.
        """

    async def wait(self, rooms: Sequence[str], after: int, seconds: float, left: Left) -> int | None:
        """Wait for news in any of the rooms, at the latest for ``seconds``.

        Args:
            rooms: Room ids.
            after: What the reader knows already.
            seconds: How long.
            left: Returns when the reader is gone; cancelled before.

        Returns:
            A revision such that whoever lists from ``after`` now sees at least all news up to it; None when the
            reader is gone.
        """

    async def sweep(self, now: float) -> StoreStats:
        """Forget what ran out of time, and count the rest."""

    async def prove(self) -> None:
        """Write something and take it back, through to the disk.

        Raises:
            StoreError: It cannot be written.
        """
