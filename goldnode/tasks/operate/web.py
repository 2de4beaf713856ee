"""The page in a browser: plain HTML and a little script, served on loopback, nothing from elsewhere."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from goldnode.node.observe import page_server
from goldnode.node.observe.page_server import Page
from goldnode.tasks.operate.view import ClusterState

PAGE = Path(__file__).with_name("page.html")
#: The page runs its own script and style only, loads nothing, and stands in no other page.
_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = {"Content-Security-Policy": _POLICY, "X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}
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

    def answer(path: str, headers: Mapping[str, str]) -> Page:
        # A site of somebody else's whose name leads here must not read the page.
        named = headers.get("host", "")
        if (named.rpartition(":")[0] or named) not in _LOOPBACK:
            return Page(403, "text/plain", b"only as 127.0.0.1\n", _HEADERS)
        if path == "/":
            return Page(200, "text/html; charset=utf-8", PAGE.read_bytes(), _HEADERS)
        if path == "/state.json" and (seen := state()):
            return Page(200, "application/json", json.dumps(seen.document()).encode(), _HEADERS)
        return Page(404, "text/plain", b"nothing here\n", _HEADERS)

    with page_server.serving("127.0.0.1", port, answer) as served:
        yield f"http://127.0.0.1:{served}/"
