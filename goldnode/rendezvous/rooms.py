"""Rooms and policies over any store: decide by the rules, then compare and swap.

Everything here runs in one process on one event loop.  The store decides who wins a race; what it
cannot decide, the limit on a room's slots, is enforced by counting the writes under way.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter, OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from goldnode.protocol import limits
from goldnode.protocol.codes import Code
from goldnode.protocol.wire import to_base64
from goldnode.rendezvous.limiter import Limiter
from goldnode.rendezvous.problem import RefusalError, unavailable
from goldnode.rendezvous.rules import Change
from goldnode.rendezvous.storage.store import Listing, Row, SlotKind, Store

#: How often a write is retried because somebody else was faster.
ATTEMPTS = 8
#: Encoded answers kept for watchers that are notified together.
MEMO = 32
#: How full the store may be before it accepts no new room, and no new slot; existing slots can be written to the end.
FULL_FOR_ROOMS, FULL_FOR_SLOTS = 0.8, 0.9

Rule = Callable[[Row | None], Change | None]


@dataclass(frozen=True, slots=True)
class Written:
    """A slot after a write, and whether it was empty before."""

    row: Row
    created: bool


@dataclass(frozen=True, slots=True)
class Watch:
    """What a reader watches.

    Attributes:
        room: Room id.
        after: The cursor's revision; None for everything.
        fingerprint: The root whose policy is watched too; empty for none.
    """

    room: str
    after: int | None
    fingerprint: str = ""

    @property
    def places(self) -> tuple[str, ...]:
        """The store's rooms to watch."""
        return (self.room, policy_room(self.fingerprint)) if self.fingerprint else (self.room,)


def policy_room(fingerprint: str) -> str:
    """The place of a root's policy in the store; no room's id looks like this."""
    return f"policy:{fingerprint}"


class Rooms:
    """The rooms of one server.

    Args:
        store: Where they are kept.
        new_rooms: Limits new rooms per address.
    """

    def __init__(self, store: Store, new_rooms: Limiter) -> None:
        self.store = store
        self._new_rooms = new_rooms
        self._filling: Counter[str] = Counter()
        self._recounting: list[asyncio.Future[None]] = []
        self._memo: OrderedDict[tuple[Watch, int], bytes] = OrderedDict()

    async def write(self, room: str, slot: str, rule: Rule, *, client: str, now: float) -> Written:
        """Apply a rule to a slot.

        Args:
            room: Room id, or a policy's place.
            slot: Slot id.
            rule: Decides on the slot's content; called again if somebody else was faster.
            client: Whom a new room is counted for.
            now: Unix seconds.

        Raises:
            RefusalError: The rule's, or `room-full`, `store-full`, `new-rooms`, `unavailable`.
            StoreError: The store could not write.
        """
        for _ in range(ATTEMPTS):
            row = await self.store.get(room, slot)
            there = row if row is not None and row.value.expires > now else None
            change = rule(there)
            if change is None and there is not None:
                return Written(there, created=False)
            if change is not None:
                done = await self._swap(room, slot, row, change, fills=there is None, client=client, now=now)
                if done is not None:
                    return Written(done, created=there is None)
        raise unavailable("others keep writing this slot")

    async def read(self, place: str, slot: str, now: float) -> Row | None:
        """One slot, unless it has expired."""
        row = await self.store.get(place, slot)
        return row if row is not None and row.value.expires > now else None

    async def changes(self, watch: Watch, now: float) -> bytes | None:
        """The answer to a reader as JSON; None if there is no news for it."""
        listing = await self.store.list(watch.room, watch.after)
        policy = await self._policy(watch, now, reset=listing.reset)
        if not (listing.reset or listing.rows or policy):
            return None
        return self._encode(listing, policy, now)

    async def nothing(self, watch: Watch, now: float) -> bytes:
        """The answer to a reader that waited in vain, with the current cursor."""
        listing = await self.store.list(watch.room, watch.after)
        return self._encode(listing, await self._policy(watch, now, reset=listing.reset), now)

    async def notified(self, watch: Watch, rev: int, now: float) -> bytes:
        """The answer to a reader notified of revision ``rev``: encoded once for all that wait alike."""
        answer = self._memo.get((watch, rev))
        if answer is None:
            answer = self._memo[watch, rev] = await self.nothing(watch, now)
            if len(self._memo) > MEMO:
                self._memo.popitem(last=False)
        return answer

    async def _swap(
        self, room: str, slot: str, row: Row | None, change: Change, *, fills: bool, client: str, now: float
    ) -> Row | None:
        expected = None if row is None else row.rev
        if not fills:
            return await self.store.cas(room, slot, expected, change.value, notify=change.notify)
        taken = await self._taken(room, now)
        if taken >= limits.SLOTS:
            raise RefusalError(f"the room has {limits.SLOTS} slots, all taken", Code.ROOM_FULL)
        if self.store.fullness() >= (FULL_FOR_SLOTS if taken else FULL_FOR_ROOMS):
            raise RefusalError("only members that are here already can still write", Code.STORE_FULL)
        wait = 0.0 if taken else self._new_rooms.take(client, now)
        if wait:
            raise RefusalError("this address made too many rooms", Code.NEW_ROOMS, retry=wait)
        self._filling[room] += 1
        try:
            return await self.store.cas(room, slot, expected, change.value, notify=change.notify)
        finally:
            self._filling[room] -= 1
            if not self._filling[room]:
                del self._filling[room]
            for waiting in self._recounting:
                if not waiting.done():
                    waiting.set_result(None)
            self._recounting.clear()

    async def _taken(self, room: str, now: float) -> int:
        """The number of slots taken or being filled.

        What was just committed counts twice until its writer goes on: a room that looks full while somebody
        writes is counted again when they have.
        """
        while True:
            taken = await self.store.count(room, now) + self._filling[room]
            if taken < limits.SLOTS or not self._filling[room]:
                return taken
            recount = asyncio.get_running_loop().create_future()
            self._recounting.append(recount)
            await recount

    async def _policy(self, watch: Watch, now: float, *, reset: bool) -> Row | None:
        """The watched policy, if the reader does not have it yet."""
        if not watch.fingerprint:
            return None
        row = await self.read(policy_room(watch.fingerprint), watch.fingerprint, now)
        return row if row is not None and (reset or watch.after is None or row.notify_rev > watch.after) else None

    def _encode(self, listing: Listing, policy: Row | None, now: float) -> bytes:
        rows = [row for row in listing.rows if row.value.expires > now]
        document = {
            "incarnation": self.store.generation,
            "cursor": f"{self.store.generation}.{listing.cursor}",
            "reset": listing.reset,
            "items": [_item(row) for row in rows if row.value.kind is SlotKind.RECORD],
            "gone": [_item(row) for row in rows if row.value.kind is SlotKind.TOMBSTONE],
            "policy": None if policy is None else to_base64(policy.value.body),
            "time": int(now * 1000),
        }
        return json.dumps(document).encode()


def _item(row: Row) -> dict[str, object]:
    return {"slot": row.slot, "rev": row.notify_rev, str(row.value.kind): to_base64(row.value.body)}
