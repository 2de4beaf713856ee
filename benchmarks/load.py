"""A load generator that costs little, so that what is measured is the server.

It speaks just enough HTTP/1.1 to send prepared bytes over kept connections and to see where an
answer ends.  Requests are signed before the clock starts.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from goldnode.errors import ExchangeError
from goldnode.protocol import limits
from goldnode.protocol.record import TAG, sign_record
from goldnode.protocol.request import sign_request
from goldnode.protocol.wire import hash_of, key_from_seed, public_of, write_body

_HEAD_END = b"\r\n\r\n"
_LENGTH = b"content-length: "


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer: its status and its body."""

    status: int
    body: bytes


class Connection(asyncio.Protocol):
    """One kept connection; one request at a time."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._received = b""
        self._end = 0
        self._waiting: asyncio.Future[Answer] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Asyncio's."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - what create_connection gives
        self._transport = transport

    def ask(self, request: bytes) -> asyncio.Future[Answer]:
        """Send a request as it is; the future holds its answer."""
        assert self._transport is not None  # noqa: S101 - connected before it is handed out
        self._waiting = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return self._waiting

    def data_received(self, data: bytes) -> None:
        """Collect until the body is as long as announced."""
        self._received += data
        if not self._end:
            head = self._received.find(_HEAD_END)
            if head < 0:
                return
            length = self._received.index(_LENGTH) + len(_LENGTH)
            size = int(self._received[length : self._received.index(b"\r", length)])
            self._end = head + len(_HEAD_END) + size
            self._body = head + len(_HEAD_END)
        if len(self._received) >= self._end and self._waiting is not None:
            answer = Answer(int(self._received[9:12]), self._received[self._body : self._end])
            self._received, self._end = b"", 0
            self._waiting.set_result(answer)

    def connection_lost(self, exc: Exception | None) -> None:
        """An answer that will never come is an error."""
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(ConnectionResetError(f"the server hung up: {exc}"))

    def close(self) -> None:
        """Hang up."""
        if self._transport is not None:
            self._transport.abort()


@contextlib.asynccontextmanager
async def connected(url: str, count: int) -> AsyncIterator[list[Connection]]:
    """Open connections, some at a time, so that the server's backlog is never full; hang up after the block."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))  # each is a file
    parts = urlsplit(url)
    host, port = str(parts.hostname), parts.port or 80
    loop = asyncio.get_running_loop()
    opened: list[Connection] = []
    for start in range(0, count, 100):
        batch = range(min(100, count - start))
        pairs = await asyncio.gather(*(loop.create_connection(Connection, host, port) for _ in batch))
        opened += [protocol for _, protocol in pairs]
    try:
        yield opened
    finally:
        for connection in opened:
            connection.close()
        await asyncio.sleep(0)  # the loop closes their sockets in its next round


@dataclass(frozen=True, slots=True)
class Room:
    """A room of made-up members: what lies in their records is random, which no server can tell."""

    key: Ed25519PrivateKey

    @classmethod
    def make(cls) -> Room:
        """A room nobody knows."""
        return cls(key_from_seed(os.urandom(32)))

    @property
    def name(self) -> str:
        """The room's id."""
        return hash_of(public_of(self.key))

    def put(self, slot_key: Ed25519PrivateKey, seq: int) -> bytes:
        """A whole request that puts a record of the smallest size."""
        ciphertext = os.urandom(limits.PADDED_SIZES[0] + TAG)
        record = sign_record(slot_key, seq, limits.TTL_DEFAULT, os.urandom(32), ciphertext)
        target = f"/v1/rooms/{self.name}/slots/{hash_of(public_of(slot_key))}"
        return self.request("PUT", target, write_body("record", record))

    def watch(self, cursor: str, wait: int) -> bytes:
        """A whole request that waits for news after a cursor."""
        return self.request("GET", f"/v1/rooms/{self.name}?after={cursor}&wait={wait}", b"")

    def request(self, method: str, target: str, body: bytes) -> bytes:
        """A whole signed request."""
        signed = sign_request(self.key, method, target, body=body, now_ms=int(time.time() * 1000))
        lines = [f"{method} {target} HTTP/1.1", "host: bench", f"content-length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in signed.items()]
        return "\r\n".join([*lines, "", ""]).encode() + body


async def drive(connections: Sequence[Connection], requests: Sequence[bytes], expected: int = 200) -> float:
    """Send all requests over all connections as fast as they are answered.

    Returns:
        Seconds from the first request to the last answer.

    Raises:
        ExchangeError: An answer had another status than ``expected`` or 201.
    """
    left = iter(requests)

    async def one(connection: Connection) -> None:
        for request in left:
            answer = await connection.ask(request)
            if answer.status not in (expected, 201):
                raise ExchangeError(f"the server answered {answer.status}: {answer.body.decode()}", code="unexpected")

    start = time.perf_counter()
    await asyncio.gather(*(one(connection) for connection in connections))
    return time.perf_counter() - start
