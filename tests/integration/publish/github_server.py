"""The part of GitHub's release API that we use, behind real HTTP, strict where GitHub is strict.

Drafts are listed but have no tag yet; an asset's name can be used once; an upload that breaks off
leaves an asset in state `starter`; downloads are redirected to another address, which refuses a
token (as the real one's object storage does).
"""

from __future__ import annotations

import contextlib
import json
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

TOKEN = "test-token"
REPOSITORY = "/repos/owner/name/releases"


@dataclass(slots=True)
class Github:
    """What the server holds.

    Attributes:
        releases: By id, as the API shows them.
        assets: By id: release, name, state and content.
    """

    releases: dict[int, dict[str, Any]] = field(default_factory=dict)
    assets: dict[int, dict[str, Any]] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)


def handler(github: Github) -> type[BaseHTTPRequestHandler]:
    """The class that serves this state."""

    class Api(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: Any) -> None: ...  # noqa: A002 - the base's name

        def _any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            url = urlsplit(self.path)
            with github.lock:
                if url.path.startswith("/storage/"):
                    self._storage(int(url.path.rpartition("/")[2]))
                elif self.headers.get("Authorization") != f"Bearer {TOKEN}":
                    self._answer(401, {"message": "Bad credentials"})
                else:
                    self._api(url.path, parse_qs(url.query), body)

        def _storage(self, asset: int) -> None:
            if "Authorization" in self.headers:
                self._answer(400, {"message": "Only one auth mechanism allowed"})
            else:
                self._send(200, github.assets[asset]["content"])

        def _api(self, path: str, query: dict[str, list[str]], body: bytes) -> None:
            host = f"http://{self.headers['Host']}"
            asset = re.fullmatch(rf"{REPOSITORY}/assets/(\d+)", path)
            below = re.fullmatch(rf"{REPOSITORY}/(\d+)(/assets)?", path)
            if path == REPOSITORY and self.command == "GET":
                self._answer(200, list(github.releases.values()))
            elif path == REPOSITORY:
                self._create(json.loads(body), host)
            elif asset and self.command == "DELETE":
                del github.assets[int(asset[1])]
                self._send(204, b"")
            elif asset:
                self._send(302, b"", Location=f"{host}/storage/{asset[1]}")
            elif below and below[2] and self.command == "GET":
                found = [self._shown(number, host) for number in github.assets if self._of(number) == int(below[1])]
                self._answer(200, found)
            elif below and below[2]:
                self._upload(int(below[1]), query["name"][0], body, host)
            elif below and self.command == "PATCH":
                release = github.releases[int(below[1])]
                release.update(json.loads(body))
                self._answer(200, release)
            else:
                self._answer(404, {"message": "Not Found"})

        def _create(self, wanted: dict[str, Any], host: str) -> None:
            number = len(github.releases) + 1
            address = f"{host}{REPOSITORY}/{number}"
            github.releases[number] = {
                **wanted, "id": number, "html_url": f"https://github.com/owner/name/releases/tag/{wanted['tag_name']}",
                "upload_url": f"{address}/assets{{?name,label}}",
            }  # fmt: skip
            self._answer(201, github.releases[number])

        def _upload(self, release: int, name: str, body: bytes, host: str) -> None:
            if any(asset["name"] == name and asset["release"] == release for asset in github.assets.values()):
                self._answer(422, {"message": "Validation Failed", "errors": [{"code": "already_exists"}]})
                return
            number = max(github.assets, default=0) + 1
            github.assets[number] = {"release": release, "name": name, "state": "uploaded", "content": body}
            self._answer(201, self._shown(number, host))

        def _shown(self, number: int, host: str) -> dict[str, Any]:
            asset = github.assets[number]
            address = f"{host}{REPOSITORY}/assets/{number}"
            return {"id": number, "name": asset["name"], "state": asset["state"], "url": address}

        def _of(self, number: int) -> int:
            return int(github.assets[number]["release"])

        def _answer(self, status: int, document: object) -> None:
            self._send(status, json.dumps(document).encode())

        def _send(self, status: int, content: bytes, **headers: str) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PATCH = do_DELETE = _any  # noqa: N815 - the base's names

    return Api


@contextlib.contextmanager
def serving() -> Iterator[tuple[int, Github]]:
    """Run the server for the block; gives its port and what it holds."""
    github = Github()
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler(github))
    server.daemon_threads = True
    server.block_on_close = False
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield server.server_port, github
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
