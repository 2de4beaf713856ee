"""Who waits for news of which room: one future per watcher, nothing buffered.

A watcher that is notified lists the room from its own cursor, so a slow one costs no memory and
misses nothing: it sees each slot's latest content, or is told to start over.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence


class Notifier:
    """The watchers of all rooms; belongs to one event loop."""

    def __init__(self) -> None:
        self._rooms: dict[str, set[asyncio.Future[int | None]]] = {}
        self.closed = False

    def __len__(self) -> int:
        """The number of watchers; one that waits for two rooms counts twice."""
        return sum(map(len, self._rooms.values()))

    def join(self, rooms: Sequence[str]) -> asyncio.Future[int | None]:
        """A future for the revision of the next news in any of the rooms; already done if the notifier is closed."""
        future: asyncio.Future[int | None] = asyncio.get_running_loop().create_future()
        if self.closed:
            future.set_result(0)
            return future
        for room in rooms:
            self._rooms.setdefault(room, set()).add(future)
        return future

    def leave(self, rooms: Sequence[str], future: asyncio.Future[int | None]) -> None:
        """Forget a watcher, notified or not."""
        for room in rooms:
            waiting = self._rooms.get(room)
            if waiting is not None:
                waiting.discard(future)
                if not waiting:
                    del self._rooms[room]

    def notify(self, room: str, rev: int) -> None:
        """Wake everybody who waits for the room."""
        for future in self._rooms.pop(room, ()):
            end(future, rev)

    def close(self) -> None:
        """Wake everybody, and let nobody wait any longer: the server is about to stop."""
        self.closed = True
        for room in list(self._rooms):
            self.notify(room, 0)


def end(future: asyncio.Future[int | None], rev: int) -> None:
    """End a watcher's wait with a revision, unless something else has ended it before."""
    if not future.done():
        future.set_result(rev)
