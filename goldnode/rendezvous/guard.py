"""uvicorn's HTTP protocol, made safe to leave open to the world.

An answer's head and body are sent in one piece, which halves the work of the kernel and the reader.
uvicorn sets no time limit for a client that never finishes its headers, or never reads its
answer, and answers broken HTTP in plain text; with the parser in C (httptools), which costs a third of
the one in Python, it sets no limit either to the size of a head, to requests that are sent ahead, and
takes what follows a body for headers.  This subclass closes those holes and leaves everything
else alone; it uses only what is the same from uvicorn 0.17 (Debian 12) to today's.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any, ClassVar, Self

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from goldnode.protocol.wire import refuse
from goldnode.rendezvous.connections import Connections
from goldnode.rendezvous.problem import problem
from goldnode.rendezvous.request import LEFT

#: Seconds from the connection, or from the last answer, to the end of the next request's headers.
IDLE_SECONDS = 20
#: Seconds an answer may wait for a client that does not read.
STALL_SECONDS = 10
#: Bytes of a request besides its body: request line, headers, sizes of chunks, trailers.
HEAD_BYTES = 64 * 1024
#: Requests sent ahead of an answer.
AHEAD = 16
#: What our application reads of a request; thousands that wait keep no more.
READ = ("method", "raw_path", "query_string", "headers", "client", LEFT)
#: The start of a final answer, and of an interim one, which another head follows.
_HEAD, _INTERIM = b"HTTP/1.1 ", b"HTTP/1.1 1"


class LightEvent:
    """An ``asyncio.Event`` for one waiter: without the queue, which is most of its memory."""

    __slots__ = ("_is_set", "_waiter")

    def __init__(self, *, is_set: bool) -> None:
        self._is_set = is_set
        self._waiter: asyncio.Future[int | None] | None = None

    def is_set(self) -> bool:
        """Whether nobody needs to wait."""
        return self._is_set

    def set(self) -> None:
        """Wake the waiter."""
        self._is_set = True
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def clear(self) -> None:
        """Make the next one wait."""
        self._is_set = False

    def end(self, future: asyncio.Future[int | None]) -> None:
        """Have a future end with None as soon as it is set, unless that has ended before."""
        self._waiter = future
        if self._is_set:
            self.set()

    async def wait(self) -> bool:
        """Wait until it is set."""
        if not self._is_set:
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        return True


class ShortQueue(list[Any]):
    """The requests that were sent ahead, the newest first; most connections have none, and a deque takes 700 bytes."""

    __slots__ = ()

    def appendleft(self, item: object) -> None:
        """Put one behind all others."""
        self.insert(0, item)


class JoiningTransport:
    """A connection's transport that holds back an answer's head until the first part of its body comes.

    Args:
        transport: The connection's own.
    """

    __slots__ = ("_head", "_transport")

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport, self._head = transport, b""

    def write(self, data: bytes) -> None:
        """Send, or wait for more."""
        if not self._head and data.startswith(_HEAD) and not data.startswith(_INTERIM):
            self._head = data
        elif self._head or data:
            self._transport.write(self._head + data)
            self._head = b""

    def close(self) -> None:
        """Send what is left, and close."""
        if self._head:
            self.write(b"")
        self._transport.close()

    def __getattr__(self, name: str) -> Any:
        """Pass everything else on to the connection's transport."""
        return getattr(self._transport, name)


class GuardedProtocol(HttpToolsProtocol):
    """One connection, with a deadline at every moment when it waits for the client, and a limit to what it keeps."""

    #: The server's open connections: `among` gives each server a class with its own.
    all_open: ClassVar[Connections] = Connections()

    #: Set again only when it ends: a timer for each answer would be a tenth of what an answer costs.
    _idle: asyncio.TimerHandle | None = None
    _idle_since = 0.0
    _stall: asyncio.TimerHandle | None = None
    _peer = ""
    #: Bytes of the request that arrives, less those of its body.
    _besides = 0

    @classmethod
    def among(cls, connections: Connections) -> type[Self]:
        """This protocol for one server, whose connections it counts."""
        return type(cls.__name__, (cls,), {"all_open": connections})

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the clock, or drop the connection at once if there are too many."""
        super().connection_made(transport)
        self.transport = JoiningTransport(transport)  # type: ignore[assignment]
        self.flow._is_writable_event = LightEvent(is_set=True)  # type: ignore[assignment]  # noqa: SLF001 - memory
        self.access_log = False  # it would need more than READ
        self.pipeline = ShortQueue()  # type: ignore[assignment]
        self._peer = self.client[0] if self.client else ""
        if self.all_open.enter(self._peer, self):
            self._start_clock()
        else:
            transport.abort()

    def data_received(self, data: bytes) -> None:
        """Parse what has arrived."""
        if self.transport.is_closing():
            return
        self._besides += len(data)
        self._unset_keepalive_if_required()
        try:
            self.parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self.send_400_response("this is no HTTP request that is taken here")
            return
        if self._besides > HEAD_BYTES:
            self.send_400_response(f"the request has more than {HEAD_BYTES} bytes besides its body")

    def on_headers_complete(self) -> None:
        """Answer the request, once those before it are; one that waits takes little memory."""
        if self.parser.should_upgrade() or len(self.pipeline) >= AHEAD:
            raise ValueError
        super().on_headers_complete()
        # uvicorn sets it when the client is gone: once the request is read, that is all it is set for.
        event = self.cycle.message_event = LightEvent(is_set=False)  # type: ignore[assignment]
        scope: dict[str, Any] = {**self.scope, LEFT: event.end}
        self.cycle.scope = {name: scope[name] for name in READ}  # type: ignore[assignment]
        # What follows a body goes nowhere: it would be added to what a proxy said before it.
        self.scope, self.headers, self.url = None, [], b""  # type: ignore[assignment]

    def on_body(self, body: bytes) -> None:
        """Take a part of the body."""
        self._besides -= len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The request has arrived; what came with it in one packet is not counted for the next."""
        self._besides = 0
        super().on_message_complete()

    def drop(self) -> None:
        """Close at once: another connection takes the place."""
        self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop every clock, and release the place."""
        self.all_open.leave(self._peer, self)
        for timer in (self._idle, self._stall):
            if timer is not None:
                timer.cancel()
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        """Start the clock for the next request, or for sending the rest of this answer."""
        self._start_clock()
        self.transport.write(b"")
        if self.cycle.response_complete and self.cycle.more_body:  # nobody waits for what is left of its body
            self.transport.close()
        super().on_response_complete()

    def pause_writing(self) -> None:
        """The client does not read: start its deadline."""
        self._stall = self.loop.call_later(STALL_SECONDS, self.transport.abort)
        super().pause_writing()

    def resume_writing(self) -> None:
        """The client reads again: stop the deadline."""
        if self._stall is not None:
            self._stall.cancel()
        super().resume_writing()

    def send_400_response(self, msg: str) -> None:
        """Answer invalid HTTP like every other mistake, unless the answer to something else is due before it."""
        under_way = self.cycle is not None and not self.cycle.response_complete  # type: ignore[redundant-expr] # at first
        if under_way and (self.pipeline or self.cycle.response_started or not self.cycle.more_body):
            self.transport.abort()
            return
        reply = problem(refuse(msg), int(time.time() * 1000))
        headers = [*reply.all_headers(), (b"connection", b"close")]
        head = b"".join(b"%s: %s\r\n" % header for header in headers)
        self.transport.write(b"HTTP/1.1 %d Bad Request\r\n%s\r\n" % (reply.status, head))
        self.transport.write(reply.body)
        self.transport.close()

    def _start_clock(self) -> None:
        self._idle_since = self.loop.time()
        if self._idle is None:
            self._idle = self.loop.call_later(IDLE_SECONDS, self._abort_if_idle)

    def _abort_if_idle(self) -> None:
        self._idle = None
        if self.cycle is not None and not self.cycle.response_complete:  # type: ignore[redundant-expr] # None at first
            return
        left = self._idle_since + IDLE_SECONDS - self.loop.time()
        if left <= 0:
            self.transport.abort()
        else:
            self._idle = self.loop.call_later(left, self._abort_if_idle)
