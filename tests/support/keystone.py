"""As much of OpenStack's identity service as it takes to be let in; what it leads to is not there."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

#: Nobody listens there: whoever was let in gets no further.
NOWHERE = "http://127.0.0.1:9/"


@dataclass(slots=True)
class Keystone:
    """A service that runs.

    Attributes:
        url: What Packer calls the identity endpoint.
        asked: Every request for a token, as it was sent.
    """

    url: str
    asked: list[dict[str, Any]] = field(default_factory=list)


@contextlib.contextmanager
def letting_in() -> Iterator[Keystone]:
    """Answer any credentials with a token and a catalog, on a free port of the loopback interface."""
    endpoint = {"interface": "public", "region": "here", "region_id": "here", "url": NOWHERE}
    kinds = ("compute", "image", "network", "volumev3")
    catalog = [{"type": kind, "name": kind, "endpoints": [endpoint]} for kind in kinds]
    body = json.dumps({"token": {"catalog": catalog, "expires_at": "2038-01-01T00:00:00.000000Z"}}).encode()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            service.asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(201)
            self.send_header("X-Subject-Token", "token")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None: ...

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        service = Keystone(f"http://127.0.0.1:{server.server_port}/v3")
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield service
        finally:
            server.shutdown()
            thread.join()
