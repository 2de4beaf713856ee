"""One HTTP/1.1 request over a connection of its own, within a deadline and a size.

Python's own client loads the parsers of mail with it, at each start of a node (ADR 424); the rendezvous' parser reads
answers as well.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass

import httptools

#: Bytes of an answer besides its body: status line, headers, sizes of chunks.
HEAD_BYTES = 64 * 1024
_PIECE = 64 * 1024
_FINAL = 200


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """An answer.

    Attributes:
        status: The HTTP status.
        headers: By lower-case name; of several with one name the last.
        body: Its content; longer than the limit if there was more.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class HttpServer:
    """Where requests go.

    Attributes:
        host: A name or an address, IPv6 without brackets.
        port: None for the scheme's own.
        tls: Whether it speaks https.
    """

    host: str
    port: int | None
    tls: bool

    def connect(self, end: float) -> socket.socket:
        """A connection; over TLS only to a server whose certificate is this host's.

        Args:
            end: When to give up, seconds of the monotonic clock.

        Raises:
            OSError: There is none, or not in time.
        """
        port = self.port or (443 if self.tls else 80)
        host = self.host.encode("ascii")  # a str would load the tables of international names
        wire = socket.create_connection((host, port), timeout=_left(end))  # type: ignore[arg-type]
        if not self.tls:
            return wire
        import ssl  # noqa: PLC0415 - most rendezvous need none

        try:
            wire.settimeout(_left(end))
            return ssl.create_default_context().wrap_socket(wire, server_hostname=self.host)
        except BaseException:
            wire.close()
            raise

    def name(self) -> str:
        """As the Host header has it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}" if self.port else host


def call(
    server: HttpServer,
    method: str,
    target: str,
    *,
    headers: Mapping[str, str],
    body: bytes,
    seconds: float,
    limit: int,
    kept: Callable[[socket.socket], AbstractContextManager[None]],
) -> HttpAnswer:
    """Ask once; redirects and proxies are not followed.

    Args:
        server: Whom to ask.
        method: Upper case.
        target: Path and query.
        headers: Further headers.
        body: Empty for none.
        seconds: What everything may take together, however slowly the answer drips; only a name's further addresses,
            tried after one that does not answer, may each take as long again.
        limit: Bytes of the answer's body after which it is read no further.
        kept: Holds the connection while it is used; another thread may shut it down.

    Raises:
        OSError: The server cannot be reached, or hung up, or the time is over.
        ValueError: What it says is no HTTP.
    """
    end = time.monotonic() + seconds
    ours = {"host": server.name(), "accept-encoding": "identity", "connection": "close"}
    if body:
        ours["content-length"] = str(len(body))
    head = "".join(f"{name}: {value}\r\n" for name, value in {**ours, **headers}.items())
    with server.connect(end) as wire, kept(wire):
        wire.settimeout(_left(end))
        wire.sendall(f"{method} {target} HTTP/1.1\r\n{head}\r\n".encode("latin-1") + body)
        return _Reading(limit).read(wire, end)


class _Reading:
    """An answer that arrives; httptools calls the methods that begin with ``on_``."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._headers: dict[str, str] = {}
        self._body = bytearray()
        self._besides = 0
        self._head_ended = False
        self._answer: HttpAnswer | None = None
        self._parser = httptools.HttpResponseParser(self)

    def read(self, wire: socket.socket, end: float) -> HttpAnswer:
        while self._answer is None and len(self._body) <= self._limit:
            wire.settimeout(_left(end))
            data = wire.recv(_PIECE)
            if not data:
                self._end()
                break
            self._take(data)
        return self._answer or self._so_far()

    def on_message_begin(self) -> None:
        self._headers.clear()
        self._head_ended = False

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        self._head_ended = True

    def on_body(self, data: bytes) -> None:
        self._body += data
        self._besides -= len(data)

    def on_message_complete(self) -> None:
        if self._parser.get_status_code() < _FINAL:
            self._head_ended = False  # an interim answer is followed by another
        elif self._answer is None:  # what follows a final one is nobody's
            self._answer = self._so_far()

    def _take(self, data: bytes) -> None:
        self._besides += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            if self._answer is None:
                raise ValueError(f"no HTTP: {error}") from error
        if self._besides > HEAD_BYTES:
            raise ValueError(f"more than {HEAD_BYTES} bytes besides the body")

    def _so_far(self) -> HttpAnswer:
        return HttpAnswer(self._parser.get_status_code(), dict(self._headers), bytes(self._body))

    def _end(self) -> None:
        """The server hung up, which ends an answer that does not say how long it is."""
        if not self._head_ended or self._headers.keys() & {"content-length", "transfer-encoding"}:
            raise ConnectionError("it hung up before its answer was complete")


def _left(end: float) -> float:
    left = end - time.monotonic()
    if left <= 0:
        raise TimeoutError("timed out")
    return left
