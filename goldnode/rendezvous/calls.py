"""What each call of the protocol does.

A room's call passes three more checks before it takes effect: the room's signature, the rate of
its address in this room, and the slot's signature.  The rate is counted after the first, and by
address, so that neither strangers nor somebody who replays a member's requests can use it up.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from goldnode.protocol import limits
from goldnode.protocol.codes import Code
from goldnode.protocol.policy import verify_policy
from goldnode.protocol.record import verify_heartbeat, verify_record, verify_tombstone
from goldnode.protocol.request import IF_MATCH, IF_NONE_MATCH, PROOF, verify_request
from goldnode.protocol.wire import HASH_TEXT, refuse, to_base64
from goldnode.protocol.wire import read_body as read_structure
from goldnode.rendezvous import rules
from goldnode.rendezvous.address import bucket
from goldnode.rendezvous.config import Config
from goldnode.rendezvous.limiter import Limiter, Outgoing
from goldnode.rendezvous.metrics import Metrics
from goldnode.rendezvous.problem import RefusalError
from goldnode.rendezvous.replays import Replays
from goldnode.rendezvous.reply import Reply, json_reply
from goldnode.rendezvous.request import ClientGoneError, Receive, Request, parse_list_query, read_body
from goldnode.rendezvous.rooms import Rooms, Watch, policy_room
from goldnode.rendezvous.rules import Change, Condition
from goldnode.rendezvous.storage.store import Row


@dataclass(frozen=True, slots=True)
class SlotCall:
    """How one of the calls on a slot differs from the others.

    Attributes:
        field: The body's only key.
        verify: Checks the structure against the slot.
        rule: Decides how it changes the slot's content.
    """

    field: str
    verify: Callable[[bytes, str], Any]
    rule: Callable[[Row | None, Any, Condition, float], Change | None]


PUT = SlotCall("record", verify_record, rules.put_record)
DELETE = SlotCall("tombstone", verify_tombstone, rules.put_tombstone)
HEARTBEAT = SlotCall("touch", verify_heartbeat, rules.heartbeat)


class Calls:
    """The protocol's calls over one set of rooms.

    Args:
        rooms: Where everything is kept.
        config: The rates, for `/v1/caps` and the rooms' limiter.
        metrics: Counts watchers that were notified.
        outgoing: The answers being sent; a listing that would exceed its limits is not made.
        clock: Unix seconds.
    """

    def __init__(
        self, rooms: Rooms, config: Config, metrics: Metrics, outgoing: Outgoing, clock: Callable[[], float]
    ) -> None:
        self._rooms, self._config, self._metrics, self._clock = rooms, config, metrics, clock
        self._outgoing = outgoing
        self._room_limiter = Limiter(config.rates()[1])
        self._replays = Replays()

    async def slot(self, request: Request, receive: Receive, room: str, slot: str, *, call: SlotCall) -> Reply:
        """Put, heartbeat or delete the caller's own slot."""
        body, now = await self._signed(request, receive, room)
        condition = rules.parse_condition(request.headers.get(IF_MATCH), request.headers.get(IF_NONE_MATCH))
        structure = call.verify(read_structure(body, call.field), _hash(slot, "slot"))
        written = await self._rooms.write(
            room, slot, lambda there: call.rule(there, structure, condition, now),
            client=bucket(request.address), now=now,
        )  # fmt: skip
        status = 201 if written.created and call is PUT else 200
        return json_reply(status, {"rev": written.row.notify_rev, "time": _ms(now)}, etag=written.row.notify_rev)

    async def list(self, request: Request, receive: Receive, room: str) -> Reply:
        """List a room, or wait for news of it."""
        _, now = await self._signed(request, receive, room)
        query, reader, left = parse_list_query(request.query), bucket(request.address), request.left
        del request  # thousands may wait here, and it is no longer needed
        watch = Watch(room, query.revision(self._rooms.store.generation), query.policy)
        if self._outgoing.may_refuse(reader):
            self._outgoing.check(await self._rooms.store.size(room, watch.after), reader)
        answer = await self._rooms.changes(watch, now)
        if answer is None and watch.after is not None:
            rev = await self._rooms.store.wait(watch.places, watch.after, query.wait, left)
            if rev is None:
                raise ClientGoneError
            if rev > watch.after:
                self._metrics.notified += 1
                answer = await self._rooms.notified(watch, rev, self._clock())
        return Reply(200, answer or await self._rooms.nothing(watch, self._clock()))

    async def get_policy(self, _: Request, __: Receive, fingerprint: str) -> Reply:
        """Read a root's policy."""
        now = self._clock()
        row = await self._rooms.read(policy_room(_hash(fingerprint, "fingerprint")), fingerprint, now)
        if row is None:
            raise RefusalError("there is no policy of this root here", Code.NO_POLICY)
        policy = to_base64(row.value.body)
        return json_reply(200, {"version": row.value.seq, "policy": policy, "time": _ms(now)})

    async def put_policy(self, request: Request, receive: Receive, fingerprint: str) -> Reply:
        """Put a root's policy; the root's signature is all it needs."""
        body = await read_body(receive, limits.POLICY_BODY_BYTES)
        now = self._clock()
        structure = read_structure(body, "policy", limits.POLICY_BODY_BYTES)
        policy = verify_policy(structure, _hash(fingerprint, "fingerprint"))
        written = await self._rooms.write(
            policy_room(fingerprint), fingerprint, lambda there: rules.put_policy(there, policy, now),
            client=bucket(request.address), now=now,
        )  # fmt: skip
        return json_reply(201 if written.created else 200, {"version": policy.version, "time": _ms(now)})

    async def caps(self, request: Request, _: Receive) -> Reply:
        """Return the versions and limits, and the address that seems to ask."""
        document = {
            "versions": [limits.VERSION],
            "incarnation": self._rooms.store.generation,
            "address": request.address,
            "limits": self._config.limits(),
            "time": _ms(self._clock()),
        }
        return json_reply(200, document)

    async def _signed(self, request: Request, receive: Receive, room: str) -> tuple[bytes, float]:
        """The body of a request that is signed by the room and within its rate, and the time used for the checks."""
        body = await read_body(receive, limits.BODY_BYTES)
        now = self._clock()
        verify_request(
            _hash(room, "room"), request.method, request.target,
            headers=request.headers, body=body, now_ms=_ms(now), server=self._rooms.store.generation,
        )  # fmt: skip
        if self._replays.is_replay(request.headers[PROOF], now):
            raise RefusalError("this request was answered before", Code.REPLAYED)
        wait = self._room_limiter.take(f"{room} {bucket(request.address)}", now)
        if wait:
            raise RefusalError("this address sends too many requests to the room", Code.ROOM_RATE, retry=wait)
        return body, now


def _hash(text: str, what: str) -> str:
    if not HASH_TEXT.fullmatch(text):
        raise refuse(f"the {what} in the path is not 64 hex digits")
    return text


def _ms(now: float) -> int:
    return int(now * 1000)
