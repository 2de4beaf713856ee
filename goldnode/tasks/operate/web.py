"""The page in a browser: plain HTML and a little script, served on loopback, nothing from elsewhere."""

from __future__ import annotations

import contextlib
import http.server
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from goldnode.tasks.operate.view import ClusterState

PAGE = Path(__file__).with_name("page.html")
#: The page runs its own script and style only, loads nothing, and stands in no other page.
_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")


@contextlib.contextmanager
def serving(port: int, state: Callable[[], ClusterState | None]) -> Iterator[str]:
    """Serve the page on loopback while the block runs.

    Args:
        port: 0 for any free one.
        state: Gives what was seen last; None before the first look.

    Yields:
        Its URL.
    """

    class Handler(http.server.BaseHTTPRequestHandler):
        timeout = 5.0

        def do_GET(self) -> None:
            # A site of somebody else's whose name leads here must not read the page.
            host = (self.headers.get("Host") or "").rpartition(":")[0] or self.headers.get("Host", "")
            if host not in _LOOPBACK:
                self._answer(403, "text/plain", b"only as 127.0.0.1\n")
            elif self.path == "/":
                self._answer(200, "text/html; charset=utf-8", PAGE.read_bytes())
            elif self.path == "/state.json" and (seen := state()):
                self._answer(200, "application/json", json.dumps(seen.document()).encode())
            else:
                self._answer(404, "text/plain", b"nothing here\n")

        def _answer(self, code: int, kind: str, body: bytes) -> None:
            self.send_response(code)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Content-Security-Policy", _POLICY)
            self.send_header("X-Content-Type-Options", "nosniff")
            self.send_header("Cache-Control", "no-store")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nobody reads who read."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler) as server:
        threading.Thread(target=server.serve_forever, name="web", daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/"
        finally:
            server.shutdown()
