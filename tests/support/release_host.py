"""A release host on loopback that behaves as badly as it is told."""

from __future__ import annotations

import contextlib
import re
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(slots=True)
class Served:
    """One file and how it is served.

    Attributes:
        content: What a good host would send.
        statuses: Answers given before any file, one per request.
        cuts: Bytes after which the connection is cut, one per request; then it is served whole.
        ranges: Whether Range is honoured.
        announced: Whether Content-Length is sent.
        pause: Seconds of silence before the body.
        trickle: Seconds between single bytes; 0 for full speed.
        shift: Bytes by which a resumed answer starts elsewhere than was asked for.
    """

    content: bytes
    statuses: list[int] = field(default_factory=list)
    cuts: list[int] = field(default_factory=list)
    ranges: bool = True
    announced: bool = True
    pause: float = 0.0
    trickle: float = 0.0
    shift: int = 0


class ReleaseHost(ThreadingHTTPServer):
    """Serves ``files``; remembers every request as path and Range header."""

    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files: dict[str, Served] = {}
        self.requests: list[tuple[str, str]] = []

    def add(self, path: str, content: bytes) -> Served:
        """Serve ``content`` under ``path``."""
        self.files[path] = Served(content)
        return self.files[path]

    def url(self, path: str) -> str:
        """Where ``path`` is to be had."""
        return f"http://127.0.0.1:{self.server_address[1]}{path}"

    def handle_error(self, *_: object) -> None:
        """A client that gave up is part of the test."""


class _Handler(BaseHTTPRequestHandler):
    server: ReleaseHost

    def do_GET(self) -> None:
        asked = self.headers.get("Range", "")
        self.server.requests.append((self.path, asked))
        served = self.server.files.get(self.path)
        if served is None:
            self.send_error(404)
            return
        if served.statuses:
            self.send_error(served.statuses.pop(0))
            return
        self._send(served, asked)

    def _send(self, served: Served, asked: str) -> None:
        start = 0
        match = re.fullmatch(r"bytes=(\d+)-", asked) if served.ranges else None
        if match and int(match[1]) >= len(served.content):
            self.send_error(416)
            return
        if match:
            start = int(match[1]) + served.shift
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(served.content) - 1}/{len(served.content)}")
        else:
            self.send_response(200)
        body = served.content[start:]
        if served.announced:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        time.sleep(served.pause)
        cut = served.cuts.pop(0) if served.cuts else len(body)
        if served.trickle:
            for index in range(cut):
                self.wfile.write(body[index : index + 1])
                time.sleep(served.trickle)
        else:
            self.wfile.write(body[:cut])

    def log_message(self, *_: object) -> None:
        """Keep quiet."""


@contextlib.contextmanager
def serving() -> Iterator[ReleaseHost]:
    """Run a release host for the length of the block."""
    host = ReleaseHost()
    thread = threading.Thread(target=host.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield host
    finally:
        host.shutdown()
        host.server_close()
        thread.join()
