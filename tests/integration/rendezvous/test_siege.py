"""A member at work while somebody attacks the server it meets at: of its puts, 99 in 100 must succeed.

The server is a process of its own on loopback; attackers come from 127.0.0.2 and above, the member
from 127.0.1.1.  Each attack is bounded in count and time.
"""

from __future__ import annotations

import contextlib
import resource
import selectors
import socket
import threading
import time
from collections.abc import Callable, Iterator
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from urllib.parse import urlsplit

from goldnode.discovery.client import TIMEOUT
from goldnode.protocol import limits
from goldnode.protocol.wire import write_body
from tests.integration.rendezvous.support import Call, Member, ask, process, until

#: The protocol's own limits: naming one keeps `process` from raising all.
USUAL = ("--address-rate", str(limits.ADDRESS_RATE))
HOME = "127.0.1.1"
PUTS, PACE = 100, 0.06
#: Sockets of an attacker with one address.
SOCKETS = 10_000
#: Listings that one address asks for and does not read, and for how long it holds each.
UNREAD, UNREAD_SECONDS = 150, 8.0


def insider(slot: bytes = b"slot") -> Member:
    """The member that is attacked."""
    return Member.make(b"besieged", slot, time.time())


def call_from(url: str, call: Call, source: str = HOME) -> int:
    """The status of an answer; 0 for none in the time a member waits for one."""
    parts = urlsplit(url)
    connection = HTTPConnection(str(parts.hostname), parts.port, timeout=TIMEOUT, source_address=(source, 0))
    try:
        with contextlib.closing(connection):
            connection.request(call.method, call.target, call.body or None, dict(call.headers))
            response = connection.getresponse()
            response.read()
            return response.status
    except (OSError, HTTPException):
        return 0


def work(url: str, first: int = 1) -> list[int]:
    """The statuses of a member that puts at its pace; no try is repeated."""
    one, statuses = insider(), []
    for number in range(PUTS):
        statuses.append(call_from(url, one.put(first + number)))
        time.sleep(PACE)
    return statuses


def succeeded(statuses: list[int]) -> float:
    """The share of calls that were accepted."""
    return sum(status in (200, 201) for status in statuses) / len(statuses)


@contextlib.contextmanager
def under(attack: Callable[[threading.Event], None], *, threads: int = 1) -> Iterator[None]:
    """Let an attack go on while the block runs."""
    stop = threading.Event()
    attackers = [threading.Thread(target=attack, args=(stop,)) for _ in range(threads)]
    for attacker in attackers:
        attacker.start()
    try:
        yield
    finally:
        stop.set()
        for attacker in attackers:
            attacker.join(30)


class Crowd:
    """Connections that are opened, never used, and opened again when the server ends them.

    Args:
        url: The server.
        sources: The attacker's addresses.
        count: How many to hold.
    """

    def __init__(self, url: str, sources: list[str], count: int) -> None:
        parts = urlsplit(url)
        self._server = (str(parts.hostname), int(parts.port or 0))
        self._sources, self._count = sources, count
        self.full = threading.Event()

    def __call__(self, stop: threading.Event) -> None:
        """Attack until the event is set."""
        with selectors.DefaultSelector() as held, contextlib.ExitStack() as stack:
            stack.callback(lambda: [key.fileobj.close() for key in held.get_map().values()])  # type: ignore[union-attr]
            for number in range(3 * self._count):
                if stop.is_set() or len(held.get_map()) >= self._count:
                    break
                self._open(held, self._sources[number % len(self._sources)])
            self.full.set()
            while not stop.wait(0.02):
                for key, _ in held.select(0)[:50]:  # these were ended by the server
                    held.unregister(key.fileobj)
                    key.fileobj.close()  # type: ignore[union-attr]
                    self._open(held, self._sources[key.fd % len(self._sources)])

    def _open(self, held: selectors.BaseSelector, source: str) -> None:
        connection = socket.socket()
        connection.setsockopt(socket.IPPROTO_IP, _BIND_ADDRESS_NO_PORT, 1)
        try:
            connection.bind((source, 0))
            connection.settimeout(1)
            connection.connect(self._server)
            held.register(connection, selectors.EVENT_READ)
        except OSError:
            connection.close()


#: Linux's IP_BIND_ADDRESS_NO_PORT: the port is chosen when it connects, so that one address has enough of them.
_BIND_ADDRESS_NO_PORT = 24


def many_files() -> None:
    """Let this process open as many files as the attack needs."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def test_sockets_of_one_address(tmp_path: Path) -> None:
    """Ten thousand connections of one address shut nobody else out."""
    many_files()
    with process(tmp_path / "store.sqlite", *USUAL) as (url, _):
        crowd = Crowd(url, ["127.0.0.2"], SOCKETS)
        with under(crowd):
            assert crowd.full.wait(60)
            statuses = work(url)

    assert succeeded(statuses) >= 0.99


def test_sockets_of_many_addresses(tmp_path: Path) -> None:
    """Addresses that together hold every connection give one to whoever has none."""
    fewer = "import goldnode.rendezvous.server as s; s.TOTAL = 400"
    with process(tmp_path / "store.sqlite", *USUAL, program=fewer) as (url, _):
        crowd = Crowd(url, [f"127.0.0.{number}" for number in range(2, 12)], 600)
        with under(crowd):
            assert crowd.full.wait(60)
            statuses = work(url)

    assert succeeded(statuses) >= 0.99


def test_few_files(tmp_path: Path) -> None:
    """A server that may open few files takes fewer connections; nobody is shut out, and its log is not flooded."""
    few = "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (300, 300))"
    log = tmp_path / "log"
    with process(tmp_path / "store.sqlite", *USUAL, program=f"{few}\n{_log_to(log)}") as (url, _):
        crowd = Crowd(url, [f"127.0.0.{number}" for number in range(2, 6)], 1000)
        with under(crowd):
            assert crowd.full.wait(60)
            statuses = work(url)

    assert succeeded(statuses) >= 0.99
    assert ["at most 140 connections at once"] == [
        line.partition(": ")[2][:31] for line in log.read_text().splitlines()
    ]


def test_readers_that_never_read(tmp_path: Path) -> None:
    """Who asks for much and reads nothing starves nobody else of full listings."""
    hostile = [Member.make(b"unread", b"%d" % number, time.time()) for number in range(120)]
    with process(tmp_path / "store.sqlite") as (url, _):
        for one in [*hostile, *(insider(b"%d" % number) for number in range(120))]:
            body = write_body("record", one.record(1, size=4096))
            assert 201 == call_from(url, one.signed("PUT", one.path, body))
        with under(lambda stop: _never_read(url, hostile[0], stop)):
            time.sleep(2)
            listings, statuses = [call_from(url, insider().list()) for _ in range(30)], work(url)

    assert (succeeded(statuses) >= 0.99, 1.0) == (True, succeeded(listings))


def test_replays(tmp_path: Path) -> None:
    """Captured requests, replayed from several addresses, cost the room nothing and are soon refused by name."""
    with process(tmp_path / "store.sqlite", *USUAL) as (url, _):
        captured = [insider().put(1), insider().list()]
        first = [call_from(url, call) for call in captured]
        sources = iter([f"127.0.0.{number}" for number in range(2, 10)])
        with under(lambda stop: _replay(url, captured, next(sources), stop), threads=8):
            statuses = work(url, first=2)
        until(lambda: call_from(url, captured[1], "127.0.0.20"), lambda status: status == 409)
        code = ask(url, captured[1]).code

    assert ([201, 200], "replayed") == (first, code)
    assert succeeded(statuses) >= 0.99


def test_store_filled_by_strangers(tmp_path: Path) -> None:
    """Strangers that fill the store with rooms of their own keep no member from writing and touching."""
    small = "import goldnode.rendezvous.server as s; s.MAX_BYTES = 512 * 1024"
    with process(tmp_path / "store.sqlite", program=small) as (url, _):
        assert 201 == call_from(url, insider().put(1))
        strangers = [Member.make(b"stranger %d" % number, time=time.time()) for number in range(600)]
        taken = {call_from(url, one.put(1), "127.0.0.2") for one in strangers}
        with under(lambda stop: _put_all(url, strangers, stop)):
            statuses = work(url, first=2)
        touched = [call_from(url, insider().touch(PUTS + 1, counter)) for counter in range(1, 31)]

    assert {201, 507} == taken
    assert (succeeded(statuses) >= 0.99, 1.0) == (True, succeeded(touched))


def test_damaged_before_the_start(tmp_path: Path) -> None:
    """A store that is no store any more is set aside, and an empty one begun: members fill it again."""
    database = tmp_path / "store.sqlite"
    database.write_bytes(b"not a database, by any measure" * 99)
    with process(database, *USUAL) as (url, _):
        statuses = work(url)

    assert succeeded(statuses) >= 0.99
    assert [b"not a database"] == [path.read_bytes()[:14] for path in tmp_path.glob("store.sqlite.damaged-*")]


def test_damaged_while_it_serves(tmp_path: Path) -> None:
    """A store that is damaged under the running server is set aside by itself; nobody needs to delete anything."""
    database = tmp_path / "store.sqlite"
    with process(database) as (url, _):
        crowd = [insider(b"%d" % number) for number in range(100)]
        assert {201} == {call_from(url, one.put(1)) for one in crowd}
        before = ask(url, insider().list()).document["incarnation"]
        for path in (database, database.with_name("store.sqlite-wal")):
            with path.open("r+b") as file:  # as a failing disk does, beneath SQLite
                file.seek(100)
                file.write(b"\xa5" * max(path.stat().st_size, 1 << 20))
        for one in crowd:
            call_from(url, one.put(2))
        until(lambda: len(list(tmp_path.glob("store.sqlite.damaged-*"))), lambda count: count == 1)
        until(lambda: call_from(url, insider().put(3)), lambda status: status == 201)
        statuses = work(url, first=4)
        after = ask(url, insider().list()).document["incarnation"]
        ready = ask(url, Call("GET", "/readyz")).status

    assert (True, 200, True) == (succeeded(statuses) >= 0.99, ready, before != after)


def _log_to(path: Path) -> str:
    return f"import sys; sys.stderr = open({str(path)!r}, 'w', buffering=1)"


def _never_read(url: str, one: Member, stop: threading.Event) -> None:
    """Hold 150 listings that nobody reads; the server ends each after ten seconds, so each is asked again before."""
    held = list[tuple[float, socket.socket]]()
    while not stop.is_set():
        if held and time.monotonic() - held[0][0] > UNREAD_SECONDS:
            held.pop(0)[1].close()
        if len(held) >= UNREAD:
            time.sleep(0.01)
            continue
        connection = socket.socket()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.bind(("127.0.0.2", 0))
        held.append((time.monotonic(), connection))
        with contextlib.suppress(OSError):
            parts, call = urlsplit(url), one.list()
            connection.connect((str(parts.hostname), int(parts.port or 0)))
            head = "".join(f"{name}: {value}\r\n" for name, value in call.headers.items())
            connection.sendall(f"{call.method} {call.target} HTTP/1.1\r\nhost: x\r\n{head}\r\n".encode())
    for _, connection in held:
        connection.close()


def _replay(url: str, captured: list[Call], source: str, stop: threading.Event) -> None:
    while not stop.is_set():
        for call in captured:
            call_from(url, call, source)


def _put_all(url: str, strangers: list[Member], stop: threading.Event) -> None:
    for seq in range(2, 100):
        for one in strangers:
            if stop.is_set():
                return
            call_from(url, one.put(seq), "127.0.0.2")
