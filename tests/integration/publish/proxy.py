"""A reverse proxy that stands between boto3 and the server, counts what passes, and does harm on demand."""

from __future__ import annotations

import contextlib
import http.client
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Harm(StrEnum):
    """What can happen to a call.  LOST is the cruel one: it takes effect, and nobody hears of it."""

    THROTTLED = "throttled"
    FAILED = "failed"
    SLOW = "slow"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class Call:
    """One request as it passed.

    Attributes:
        number: Counted from 0.
        method: As `PUT`.
        path: With its query.
        body: What was sent.
        region: From the signature, as `eu-west-1`; empty when unsigned.
    """

    number: int
    method: str
    path: str
    body: bytes
    region: str

    def does(self, action: str) -> bool:
        """Whether it is this EC2 or SSM action."""
        return f"Action={action}&".encode() in self.body + b"&"


@dataclass(slots=True)
class Traffic:
    """What a test says to the proxy, and hears from it.

    Attributes:
        upstream: Port of the server behind.
        harm: Decides about every call; None lets it pass.
        timeout: Seconds for which a SLOW answer is held back: more than the client waits.
        calls: Every call, in the order they came.
    """

    upstream: int
    harm: Callable[[Call], Harm | None] = lambda _: None
    timeout: float = 3.0
    calls: list[Call] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    closing: threading.Event = field(default_factory=threading.Event)

    def note(self, method: str, path: str, body: bytes, authorization: str) -> Call:
        """Remember a call."""
        with self.lock:
            scope = authorization.partition("Credential=")[2].split("/")
            call = Call(len(self.calls), method, path, body, scope[2] if len(scope) > 2 else "")
            self.calls.append(call)
            return call


ANSWERS = {
    Harm.THROTTLED: (503, "RequestLimitExceeded", "RequestThrottledException"),
    Harm.FAILED: (500, "InternalError", "InternalServerException"),
}


def handler(traffic: Traffic) -> type[BaseHTTPRequestHandler]:
    """The class that serves connections for this traffic."""

    class Proxy(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: Any) -> None: ...  # noqa: A002 - the base's name

        def _any(self) -> None:
            body = self._body()
            call = traffic.note(self.command, self.path, body, self.headers.get("Authorization", ""))
            harm = traffic.harm(call)
            if harm in ANSWERS:
                self._refuse(*ANSWERS[harm])
                return
            if harm is Harm.SLOW:
                traffic.closing.wait(traffic.timeout)
            upstream = http.client.HTTPConnection("127.0.0.1", traffic.upstream, timeout=60)
            with contextlib.closing(upstream):
                headers = {k: v for k, v in self.headers.items() if k.lower() not in {"expect", "transfer-encoding"}}
                upstream.request(self.command, self.path, body, {**headers, "Content-Length": str(len(body))})
                answer = upstream.getresponse()
                content = answer.read()
            if harm in (Harm.LOST, Harm.SLOW):
                self.close_connection = True
                return
            self._answer(answer.status, answer.getheaders(), content)

        def _body(self) -> bytes:
            if "chunked" not in self.headers.get("Transfer-Encoding", ""):
                return self.rfile.read(int(self.headers.get("Content-Length") or 0))
            content = b""
            while size := int(self.rfile.readline().split(b";")[0], 16):
                content += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return content

        def _refuse(self, status: int, xml: str, code: str) -> None:
            if self.path.startswith("/snapshots") or "X-Amz-Target" in self.headers:
                content = b'{"__type": "%b", "message": "injected"}' % code.encode()
            else:
                error = f"<Errors><Error><Code>{xml}</Code><Message>injected</Message></Error></Errors>"
                content = f"<Response>{error}</Response>".encode()
            self._answer(status, [("x-amzn-errortype", code)], content)

        def _answer(self, status: int, headers: list[tuple[str, str]], content: bytes) -> None:
            own = {"content-length", "transfer-encoding", "connection", "server", "date"}
            with contextlib.suppress(ConnectionError):
                self.send_response(status)
                for name, value in headers:
                    if name.lower() not in own:
                        self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(content)

        do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = do_PATCH = _any  # noqa: N815 - the base's names

    return Proxy


class _Server(ThreadingHTTPServer):
    # Idle connections that a client keeps open must not hold the end of a test up.
    daemon_threads = True
    block_on_close = False
    request_queue_size = 256

    def handle_error(self, request: Any, client_address: Any) -> None: ...


@contextlib.contextmanager
def proxied(upstream: int) -> Iterator[tuple[str, Traffic]]:
    """Run the proxy for the block; gives its address and what it sees."""
    traffic = Traffic(upstream)
    server = _Server(("127.0.0.1", 0), handler(traffic))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", traffic
    finally:
        traffic.closing.set()
        server.shutdown()
        server.server_close()
        thread.join()
