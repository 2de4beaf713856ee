"""A rendezvous that lies: a small real HTTP server whose answers a test spoils before they leave."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from goldnode.protocol.wire import to_base64


@dataclass
class Hostile:
    """What the server shows, and how it spoils it.

    Attributes:
        url: Where it listens.
        records: Slot and record bytes, as listed.
        tombstones: Slot and tombstone bytes.
        policy: Policy bytes.
        spoil: Takes the listing it would give, gives the one it does.
        refuse: When set, every request gets this status, these headers and this body.
        raw: When set, every request gets these bytes instead of any HTTP.
        drip: Seconds between single bytes, for ever, instead of an answer.
        got: Every request, as method, path and body.
    """

    url: str = ""
    records: dict[str, bytes] = field(default_factory=dict)
    tombstones: dict[str, bytes] = field(default_factory=dict)
    policy: bytes | None = None
    spoil: Callable[[dict[str, Any]], Any] = lambda listing: listing
    refuse: tuple[int, dict[str, str], bytes] | None = None
    raw: bytes | None = None
    drip: float = 0.0
    got: list[tuple[str, str, bytes]] = field(default_factory=list)

    def listing(self) -> dict[str, Any]:
        """Everything, honestly."""
        return {
            "incarnation": "0" * 32,
            "cursor": "1",
            "reset": True,
            "items": [
                {"slot": slot, "rev": n, "record": to_base64(data)}
                for n, (slot, data) in enumerate(self.records.items())
            ],
            "gone": [
                {"slot": slot, "rev": n, "tombstone": to_base64(data)}
                for n, (slot, data) in enumerate(self.tombstones.items())
            ],
            "policy": None if self.policy is None else to_base64(self.policy),
            "time": int(time.time() * 1000),
        }

    def problem(self, status: int, code: str, **headers: str) -> None:
        """Refuse everything from now on, in the protocol's form."""
        document = {"code": code, "detail": "a lie \x1b[31m", "fix": "", "seq": (1 << 63) - 2, "time": 1}
        self.refuse = status, {"content-type": "application/problem+json", **headers}, json.dumps(document).encode()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def answer(self) -> None:
        hostile = self.server.hostile
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        hostile.got.append((self.command, self.path, body))
        if hostile.raw is not None:
            self.wfile.write(hostile.raw)
            self.close_connection = True
        elif hostile.drip:
            self._drip(hostile.drip)
        elif hostile.refuse is not None:
            self._send(*hostile.refuse)
        elif self.command == "GET" and "policy" in parse_qs(urlsplit(self.path).query):
            self._send(200, {}, json.dumps(hostile.spoil(hostile.listing())).encode())
        else:
            self._send(200, {}, b'{"rev": 1, "time": 1}')

    do_GET = do_PUT = do_POST = do_DELETE = answer  # noqa: N815 - the base class's names

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Say nothing."""

    def _send(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in {"content-length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        with contextlib.suppress(OSError):
            self.wfile.write(body)

    def _drip(self, pause: float) -> None:
        self.send_response(200)
        self.end_headers()
        with contextlib.suppress(OSError):
            for _ in range(200):
                self.wfile.write(b" ")
                time.sleep(pause)
        self.close_connection = True


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    hostile: Hostile


@contextlib.contextmanager
def lying() -> Iterator[Hostile]:
    """Run the server on loopback."""
    with _Server(("127.0.0.1", 0), _Handler) as server:
        server.hostile = Hostile(f"http://127.0.0.1:{server.server_address[1]}")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server.hostile
        finally:
            server.shutdown()
            thread.join()
