"""Serves pages over HTTP to readers that may go away before their answer is written: no fault, and nobody's news.

Python's own server prints a traceback then, on a node to the console.
"""

from __future__ import annotations

import http.server
import socket
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Page:
    """An answer.

    Attributes:
        code: The status, as HTTP has it.
        kind: The media type.
        body: The content.
        headers: Further headers.
    """

    code: int
    kind: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


class _PageServer(http.server.ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        # The reader went away; any other fault is ours, and is told.
        if not isinstance(sys.exception(), (ConnectionError, TimeoutError)):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


class _PageServer6(_PageServer):
    address_family = socket.AF_INET6


@contextmanager
def serving(address: str, port: int, answer: Callable[[str, Mapping[str, str]], Page]) -> Iterator[int]:
    """Serve pages while the block runs.

    Args:
        address: `127.0.0.1`, or `::` for all.
        port: 0 for any free one.
        answer: Gives the page for a path and a request's headers, in a thread for each request.

    Yields:
        The port.
    """

    class Handler(http.server.BaseHTTPRequestHandler):
        timeout = 5.0

        def do_GET(self) -> None:
            page = answer(self.path, {name.lower(): value for name, value in self.headers.items()})
            self.send_response(page.code)
            usual = {"Content-Type": page.kind, "Content-Length": str(len(page.body))}
            for name, value in {**usual, **page.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(page.body)

        def log_message(self, *_: object) -> None:
            """Nobody reads who read."""

    kind = _PageServer6 if ":" in address else _PageServer
    with kind((address, port), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, name="pages", daemon=True)
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()
