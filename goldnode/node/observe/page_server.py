"""Serves pages over HTTP to readers that may go away before their answer is written: no fault, and nobody's news.

Python's own server prints a traceback then, on a node to the console.
"""

from __future__ import annotations

import http.server
import socket
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType

NONE: Mapping[str, str] = MappingProxyType({})


class PageHandler(http.server.BaseHTTPRequestHandler):
    """Answers requests for pages; each kind of page says what it has (``answer``)."""

    timeout = 5.0

    def do_GET(self) -> None:
        """Answer."""
        self.answer()

    def answer(self) -> None:
        """Answer the request for ``path``, by ``reply``."""
        raise NotImplementedError

    def reply(self, code: int, kind: str, body: bytes, headers: Mapping[str, str] = NONE) -> None:
        """Send an answer.

        Args:
            code: Of HTTP.
            kind: The media type.
            body: The page.
            headers: Further ones.
        """
        self.send_response(code)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nobody reads who read."""


class _PageServer(http.server.ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        if not isinstance(sys.exception(), (ConnectionError, TimeoutError)):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


class _PageServer6(_PageServer):
    address_family = socket.AF_INET6


@contextmanager
def serving(address: str, port: int, handler: type[PageHandler]) -> Iterator[int]:
    """Serve pages while the block runs.

    Args:
        address: `127.0.0.1`, or `::` for all.
        port: 0 for any free one.
        handler: Answers each request, in a thread of its own.

    Yields:
        The port.
    """
    kind = _PageServer6 if ":" in address else _PageServer
    with kind((address, port), handler) as server:
        thread = threading.Thread(target=server.serve_forever, name="pages", daemon=True)
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()
