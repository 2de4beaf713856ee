"""A cluster's members as the server sees them, and three ways to run the server: in process, in a thread, alone."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import re
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from http.client import HTTPConnection
from pathlib import Path
from subprocess import PIPE, Popen
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from goldnode.protocol import limits
from goldnode.protocol.record import TAG, sign_heartbeat, sign_record, sign_tombstone
from goldnode.protocol.request import sign_request
from goldnode.protocol.wire import hash_of, key_from_seed, public_of, write_body
from goldnode.rendezvous.app import App
from goldnode.rendezvous.config import Config
from goldnode.rendezvous.guard import LightEvent
from goldnode.rendezvous.notifier import Notifier
from goldnode.rendezvous.request import LEFT
from goldnode.rendezvous.server import Options, serve
from goldnode.rendezvous.storage.sqlite import MAX_BYTES, SqliteStore
from goldnode.run import spawn

T = TypeVar("T")
#: No limit a test could reach by accident.
OPEN = Config(address_rate=1e6, room_rate=1e6, new_rooms=1e6, address_connections=10_000)
#: When the in-process server's clock starts.
START = 1_800_000_000.0
_TICKS = itertools.count()


@dataclass(frozen=True)
class Call:
    """A request, ready to be sent, or to be spoilt first; one that stalls never sends the rest of its body."""

    method: str
    target: str
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    stalls: bool = False

    def with_headers(self, **headers: str | None) -> Call:
        """The same with headers changed, or dropped where the value is None."""
        changed = {**self.headers, **{name.replace("_", "-"): value for name, value in headers.items()}}
        return replace(self, headers={name: value for name, value in changed.items() if value is not None})


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def document(self) -> dict[str, Any]:
        """The JSON."""
        document: dict[str, Any] = json.loads(self.body)
        return document

    @property
    def code(self) -> str:
        """The stable code of a refusal, `ok` otherwise."""
        return str(self.document["code"]) if self.headers.get("content-type") == "application/problem+json" else "ok"


@dataclass(frozen=True)
class Member:
    """Somebody who knows a room's key and has a slot there."""

    room_key: Ed25519PrivateKey
    slot_key: Ed25519PrivateKey
    time: float = START

    @classmethod
    def make(cls, room: bytes = b"room", slot: bytes = b"slot", time: float = START) -> Member:
        """A member by name: the same names give the same keys."""
        return cls(key_from_seed(room.ljust(32, b".")), key_from_seed(slot.ljust(32, b".")), time)

    @property
    def room(self) -> str:
        """The room's id."""
        return hash_of(public_of(self.room_key))

    @property
    def slot(self) -> str:
        """The slot's id."""
        return hash_of(public_of(self.slot_key))

    @property
    def path(self) -> str:
        """Where the own slot is."""
        return f"/v1/rooms/{self.room}/slots/{self.slot}"

    def record(self, seq: int, ttl: int = limits.TTL_DEFAULT, size: int = 512) -> bytes:
        """A record whose sealed part no server can tell from a real one."""
        return sign_record(self.slot_key, seq, ttl, bytes(32), bytes(size + TAG))

    def put(self, seq: int, ttl: int = limits.TTL_DEFAULT, **conditions: str) -> Call:
        """Put a record."""
        return self.signed("PUT", self.path, write_body("record", self.record(seq, ttl)), **conditions)

    def touch(self, seq: int, counter: int) -> Call:
        """Heartbeat a record."""
        body = write_body("touch", sign_heartbeat(self.slot_key, seq, counter))
        return self.signed("POST", f"{self.path}/touch", body)

    def delete(self, seq: int) -> Call:
        """Leave."""
        return self.signed("DELETE", self.path, write_body("tombstone", sign_tombstone(self.slot_key, seq)))

    def list(self, query: str = "") -> Call:
        """Read the room."""
        return self.signed("GET", f"/v1/rooms/{self.room}" + (f"?{query}" if query else ""))

    def signed(self, method: str, target: str, body: bytes = b"", **conditions: str) -> Call:
        """Any request, signed by the room."""
        named = {name.replace("_", "-"): value for name, value in conditions.items()}
        now_ms = int(self.time * 1000) + next(_TICKS)  # as with any real clock, no two signatures are the same
        return Call(method, target, body, sign_request(self.room_key, method, target, body=body, now_ms=now_ms,
                                                       conditions=named))  # fmt: skip


class Harness:
    """The application over a real store, in this process, with a clock of the test's own."""

    def __init__(self, directory: Path, config: Config = OPEN, max_bytes: int = MAX_BYTES) -> None:
        self.now = START
        self.database = directory / "store.sqlite"
        self._config, self._max_bytes = config, max_bytes
        self._runner = asyncio.Runner()

    def __enter__(self) -> Self:
        self._runner.__enter__()
        self._runner.run(self._open())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.store.close()
        self._runner.__exit__(kind, value, trace)

    async def _open(self) -> None:
        self.hub = Notifier()
        generation = os.urandom(16).hex()
        self.store = SqliteStore(self.database, generation=generation, notifier=self.hub, max_bytes=self._max_bytes)
        self.app = App(self.store, self.hub, self._config, lambda: self.now)

    def ask(self, call: Call, peer: str = "192.0.2.1") -> Answer:
        """Send a request and wait for its answer."""
        return self._runner.run(self.answer(call, peer))

    def sweep(self) -> None:
        """What the server does every few seconds."""
        self._runner.run(self.app.sweep())

    async def answer(self, call: Call, peer: str = "192.0.2.1") -> Answer:
        """`ask` for tests that do several things at once."""
        sent: list[dict[str, Any]] = []
        messages: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        messages.put_nowait({"type": "http.request", "body": call.body, "more_body": call.stalls})

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        path, _, query = call.target.partition("?")
        headers = [(name.encode(), value.encode("latin-1")) for name, value in call.headers.items()]
        scope = {"type": "http", "method": call.method, "raw_path": path.encode(), "query_string": query.encode(),
                 "headers": headers, "client": (peer, 1), LEFT: LightEvent(is_set=False).end}  # fmt: skip
        await self.app(scope, messages.get, send)
        head = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
        return Answer(sent[0]["status"], head, b"".join(message["body"] for message in sent[1:]))


@contextlib.contextmanager
def serving(database: Path, config: Config = OPEN) -> Iterator[str]:
    """The real server on a real socket, in a thread; yields its URL."""
    started, found = threading.Event(), []

    def ready(url: str, stop: Any) -> None:
        found.extend([url, stop])
        started.set()

    options = Options("127.0.0.1", 0, database, config)
    thread = threading.Thread(target=serve, args=(options, ready))
    thread.start()
    assert started.wait(20)
    try:
        yield found[0]
    finally:
        found[1]()
        thread.join(20)

        assert not thread.is_alive()


@contextlib.contextmanager
def process(
    database: Path, *arguments: str, program: str = "", python: str = sys.executable
) -> Iterator[tuple[str, Popen[bytes]]]:
    """The real server as a program of its own; yields its URL and the process.

    Args:
        database: Its file.
        arguments: Further ones.
        program: Python to run before `main`, to arrange for an accident.
        python: The interpreter.
    """
    start = f"{program}\nimport sys\nfrom goldnode.rendezvous.__main__ import main\nsys.exit(main())"
    argv = [python, "-c", start, "--listen", "127.0.0.1:0", "--database", str(database)]
    raised = ["--address-rate", "1e6", "--room-rate", "1e6", "--new-rooms", "1e6"]
    repository = Path(__file__).resolve().parents[3]
    with spawn([*argv, *(arguments or raised)], cwd=repository, stdout=PIPE) as child:
        assert child.stdout is not None
        with child.stdout:
            found = None
            while found is None and (line := child.stdout.readline()):
                found = re.search(rb"listens on (http://\S+)", line)
            assert found
            yield found[1].decode(), child


def ask(url: str, call: Call) -> Answer:
    """Send a request over HTTP, on a connection of its own."""
    parts = urlsplit(url)
    connection = HTTPConnection(str(parts.hostname), parts.port, timeout=70)
    with contextlib.closing(connection):
        connection.request(call.method, call.target, call.body or None, dict(call.headers))
        response = connection.getresponse()
        headers = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, headers, response.read())


def gauge(url: str, name: str) -> int:
    """One of the server's own figures, as `watchers`."""
    text = ask(url, Call("GET", "/metrics")).body.decode()
    return int(text.split(f"\ngoldnode_rendezvous_{name} ")[1].split()[0])


def until(ask_again: Callable[[], T], wanted: Callable[[T], bool]) -> T:
    """Ask again until the answer is the wanted one; for less than the 55 s after which a watcher is let go anyway."""
    deadline = time.monotonic() + 40
    while not wanted(found := ask_again()) and time.monotonic() < deadline:
        time.sleep(0.1)

    assert wanted(found)
    return found


def raw(url: str, *pieces: bytes, timeout: float = 20) -> bytes:
    """Send bytes as they are and read until the server hangs up; the pieces leave a tenth of a second apart."""
    parts = urlsplit(url)
    with contextlib.closing(socket.create_connection((parts.hostname, parts.port), timeout=timeout)) as connection:
        for piece in pieces:
            connection.sendall(piece)
            time.sleep(0.1)
        received = b""
        while chunk := connection.recv(65536):
            received += chunk
        return received
