"""What the server needs from a store: few calls, chosen so that etcd and S3 fit too.

A slot is compared and swapped by its revision; a room is listed from a cursor onward.  Revisions
rise across the whole store, so one number orders everything, and a cursor is a revision.  A store
knows nothing about signatures or HTTP; time comes in as an argument.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from goldnode.errors import GoldnodeError


class StoreError(GoldnodeError):
    """The store could not read or write; nothing was changed."""


class StoreDamagedError(StoreError):
    """The store's file is damaged: no later call will succeed either."""


class SlotKind(StrEnum):
    """The kind of a slot's content."""

    RECORD = "record"
    TOMBSTONE = "tombstone"
    POLICY = "policy"


@dataclass(frozen=True, slots=True)
class Value:
    """A slot's content.

    Attributes:
        kind: Which of the structures ``body`` is.
        seq: The owner's sequence number, or a policy's version.
        heartbeat: Counter of the last heartbeat accepted for this ``seq``; 0 if there was none.
        ttl: Seconds that a heartbeat adds.
        expires: Unix seconds after which the slot counts as empty.
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
        rev: Revision of the last write of any kind, which compare-and-swap compares.
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
        reset: Whether the changes since the cursor are unknown, so that ``rows`` hold everything.
    """

    rows: tuple[Row, ...]
    cursor: int
    reset: bool


@dataclass(frozen=True, slots=True)
class StoreStats:
    """The size of the store: rooms (a policy counts as one) and slots in all."""

    rooms: int
    slots: int


Left = Callable[[asyncio.Future[int | None]], None]


class Store(Protocol):
    """Keeps slots."""

    @property
    def generation(self) -> str:
        """The store's generation: a new one whenever revisions may have gone back."""

    @property
    def fault(self) -> StoreError | None:
        """Why the last write failed; None if it succeeded."""

    def fullness(self) -> float:
        """The used fraction of the space the store may take, from 0 to 1."""

    async def get(self, room: str, slot: str) -> Row | None:
        """The slot, or None if it is empty."""

    async def count(self, room: str, now: float) -> int:
        """The number of slots taken in the room."""

    async def list(self, room: str, after: int | None) -> Listing:
        """The changes in a room after a cursor; everything if there is no cursor."""

    async def size(self, room: str, after: int | None) -> int:
        """The size in bytes of what `list` would return, without reading it."""

    async def cas(self, room: str, slot: str, expected: int | None, value: Value, *, notify: bool) -> Row | None:
        """Write a slot if its revision is still ``expected`` (None: empty); on disk when this returns.

        Args:
            room: Room id.
            slot: Slot id.
            expected: The revision that was read, or None for an empty slot.
            value: The new content.
            notify: Whether watchers are told.

        Returns:
            The slot as it is now, or None if somebody else wrote in between.

        Raises:
            StoreError: It could not be written.
        """

    async def wait(self, rooms: Sequence[str], after: int, seconds: float, left: Left) -> int | None:
        """Wait for news in any of the rooms, for at most ``seconds``.

        Args:
            rooms: Room ids.
            after: The revision the reader knows already.
            seconds: The longest wait.
            left: Ends a future with None as soon as the reader is gone.

        Returns:
            A revision such that whoever lists from ``after`` now sees at least all news up to it; None when the
            reader is gone.
        """

    async def sweep(self, now: float) -> StoreStats:
        """Delete what has expired, and count the rest."""

    async def prove(self) -> None:
        """Write something and delete it again, through to the disk.

        Raises:
            StoreError: It cannot be written.
        """
