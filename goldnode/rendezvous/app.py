"""The server as a bare ASGI application: turns bytes into a call, and the result into an answer.

    PUT DELETE /v1/rooms/{room}/slots/{slot}       POST …/touch
    GET        /v1/rooms/{room}                    list and long-poll
    GET PUT    /v1/policies/{fingerprint}
    GET        /v1/caps  /healthz  /readyz  /metrics

Each request passes the same checks in the same order: its address's rate, its sizes, its path,
then those of the call (calls.py).  A refused request has changed nothing.
"""

from __future__ import annotations

import contextlib
import logging
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from goldnode.errors import ExchangeError
from goldnode.protocol.codes import Code
from goldnode.protocol.wire import refuse
from goldnode.rendezvous import calls
from goldnode.rendezvous.address import bucket
from goldnode.rendezvous.config import Config
from goldnode.rendezvous.limiter import Limiter, Outgoing
from goldnode.rendezvous.metrics import Metrics
from goldnode.rendezvous.notifier import Notifier
from goldnode.rendezvous.problem import RefusalError, problem, unavailable
from goldnode.rendezvous.reply import Reply, Send, deliver, text_reply
from goldnode.rendezvous.request import ClientGoneError, Receive, Request, read_address, read_head
from goldnode.rendezvous.rooms import Rooms
from goldnode.rendezvous.storage.store import Store, StoreError, StoreStats

log = logging.getLogger(__name__)

Handler = Callable[..., Awaitable[Reply]]

#: What a supervisor asks often: not counted against its address.
_SUPERVISION = ("/healthz", "/readyz")


@dataclass(frozen=True, slots=True)
class Route:
    """A path with its methods.

    Attributes:
        name: What metrics call it.
        pattern: Matches the whole path; its groups are the call's arguments.
        handlers: By method.
        query: Whether it accepts a query.
    """

    name: str
    pattern: re.Pattern[str]
    handlers: dict[str, Handler]
    query: bool = False


class App:
    """One server's application.

    Args:
        store: Where rooms are kept.
        notifier: Who waits for news; closed when the server is about to stop.
        config: Rates and proxies.
        clock: Unix seconds.
    """

    def __init__(self, store: Store, notifier: Notifier, config: Config, clock: Callable[[], float]) -> None:
        self._store, self._notifier, self._config, self._clock = store, notifier, config, clock
        address_rate, _, new_rooms = config.rates()
        self._limiter = Limiter(address_rate)
        self._metrics = Metrics()
        self._stats = StoreStats(0, 0)
        self._outgoing = Outgoing()
        self._asked_ready = False
        rooms = Rooms(store, Limiter(new_rooms))
        self._routes = self._table(calls.Calls(rooms, config, self._metrics, self._outgoing, clock))

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Answer one request (ASGI 3)."""
        name, outcome, address = "none", "ok", ""
        try:
            address = read_address(scope, self._config.proxies)
            if scope["raw_path"].decode("latin-1") not in _SUPERVISION:
                self._count(address)
            request = read_head(scope, address)
            route, handler, ids = self._find(request)
            name = route.name
            answer = handler(request, receive, *ids)
            del request  # thousands may be waiting in here
            scope["headers"] = ()
            reply = await answer
            self._outgoing.check(len(reply.body), bucket(address))
        except ClientGoneError:
            self._metrics.requests[name, "gone"] += 1
            return
        except Exception as error:  # noqa: BLE001 - nothing may reach the client as a traceback
            refusal = _as_refusal(error)
            reply, outcome = problem(refusal, int(self._clock() * 1000)), refusal.code
        self._metrics.requests[name, outcome] += 1
        with self._outgoing.counted(len(reply.body), bucket(address)):
            await deliver(reply, send, self._store.generation)

    async def sweep(self) -> None:
        """Delete what has expired; call it every few seconds.

        While somebody wants to know whether the server is ready, or the last write failed, it is proven too that
        the disk takes what is written.
        """
        with contextlib.suppress(StoreError):  # the store has logged it, and /readyz keeps reporting it
            self._stats = await self._store.sweep(self._clock())
            if self._asked_ready or self._store.fault is not None:
                self._asked_ready = False
                await self._store.prove()

    def _table(self, protocol: calls.Calls) -> tuple[Route, ...]:
        one = "([^/]+)"
        slot, heartbeat = f"/v1/rooms/{one}/slots/{one}", f"/v1/rooms/{one}/slots/{one}/touch"
        put, delete = partial(protocol.slot, call=calls.PUT), partial(protocol.slot, call=calls.DELETE)
        table: tuple[tuple[str, str, dict[str, Handler]], ...] = (
            ("slot", slot, {"PUT": put, "DELETE": delete}),
            ("touch", heartbeat, {"POST": partial(protocol.slot, call=calls.HEARTBEAT)}),
            ("list", f"/v1/rooms/{one}", {"GET": protocol.list}),
            ("policy", f"/v1/policies/{one}", {"GET": protocol.get_policy, "PUT": protocol.put_policy}),
            ("caps", "/v1/caps", {"GET": protocol.caps}),
            ("healthz", "/healthz", {"GET": self._healthz}),
            ("readyz", "/readyz", {"GET": self._readyz}),
            ("metrics", "/metrics", {"GET": self._metrics_page}),
        )
        return tuple(Route(name, re.compile(path), handlers, name == "list") for name, path, handlers in table)

    def _count(self, address: str) -> None:
        wait = self._limiter.take(bucket(address), self._clock())
        if wait:
            raise RefusalError(f"{address} sends too many requests", Code.RATE, retry=wait)

    def _find(self, request: Request) -> tuple[Route, Handler, tuple[str, ...]]:
        for route in self._routes:
            found = route.pattern.fullmatch(request.path)
            if found is None:
                continue
            if request.method not in route.handlers:
                allow = ", ".join(route.handlers)
                raise RefusalError(f"this path accepts {allow}, not {request.method}", Code.NO_METHOD, allow=allow)
            if request.query and not route.query:
                raise refuse("this path takes no query")
            return route, route.handlers[request.method], found.groups()
        raise RefusalError("there is nothing at this path", Code.NO_ROUTE)

    async def _healthz(self, _: Request, __: Receive) -> Reply:
        return text_reply(200, "ok\n")

    async def _readyz(self, _: Request, __: Receive) -> Reply:
        if self._notifier.closed:
            raise unavailable("the server is about to stop")
        self._asked_ready = True
        if self._store.fault is not None:
            raise unavailable(self._store.fault.message)
        await self._store.get("", "")
        return text_reply(200, "ready\n")

    async def _metrics_page(self, _: Request, __: Receive) -> Reply:
        gauges = {
            "rooms": self._stats.rooms,
            "slots": self._stats.slots,
            "watchers": len(self._notifier),
            "outgoing_bytes": self._outgoing.size,
        }
        return text_reply(200, self._metrics.render(gauges))


def _as_refusal(error: Exception) -> ExchangeError:
    if isinstance(error, ExchangeError):
        return error
    if not isinstance(error, StoreError):  # the store logs its own, once
        log.error("a request failed", exc_info=error)
    return unavailable("the request could not be completed; the server's log says why")
