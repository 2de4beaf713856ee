"""Runs the application on uvicorn: one socket, one store file, and an orderly shutdown."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import logging
import resource
import secrets
import signal
import socket
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import FrameType

import uvicorn
import uvloop

from goldnode.errors import HostError
from goldnode.rendezvous.app import App
from goldnode.rendezvous.config import Config
from goldnode.rendezvous.connections import ACCEPTED_AT_ONCE, TOTAL, Connections, within_files
from goldnode.rendezvous.guard import IDLE_SECONDS, GuardedProtocol
from goldnode.rendezvous.notifier import Notifier
from goldnode.rendezvous.storage.sqlite import MAX_BYTES, SqliteStore, set_aside

log = logging.getLogger(__name__)

#: Seconds between sweeps of expired slots.
SWEEP_SECONDS = 5.0
#: Seconds before a server restarts after its store was damaged, so as not to hammer a failing disk.
PAUSE_SECONDS = 1.0
#: Connections that the kernel queues while we are busy: many clusters may come back at once.
BACKLOG = 4096
#: Bytes that the kernel buffers for a client that does not read; its default would be megabytes.
SEND_BUFFER = 128 * 1024


@dataclass(frozen=True, slots=True)
class Options:
    """How to run the server.

    Attributes:
        host: Address to listen on; `::` is every address of both families.
        port: Port; 0 for any free one.
        database: The store's file; it may be deleted whenever the server is down.
        config: Limits and proxies.
    """

    host: str
    port: int
    database: Path
    config: Config = field(default_factory=Config)


class _Stop:
    """Stops the server in good order, whichever store it serves.

    Attributes:
        asked: Whether it was called, perhaps from a signal handler or another thread.
        server: The server that is running now.
    """

    def __init__(self) -> None:
        self.asked = False
        self.server: _Server | None = None

    def __call__(self) -> None:
        """Stop the server."""
        self.asked = True
        if self.server is not None:
            self.server.end()


class _Server(uvicorn.Server):
    """uvicorn's server; waiting clients are answered before it stops."""

    def __init__(self, config: uvicorn.Config, notifier: Notifier, stop: _Stop) -> None:
        super().__init__(config)
        self._notifier, self._stop = notifier, stop
        self._loop = asyncio.get_running_loop()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Accept connections; restores the kernel's queue, which asyncio has just shortened to one batch."""
        await super().startup(sockets)
        for listener in sockets or ():
            listener.listen(BACKLOG)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002 - uvicorn's signature
        """Stop, at the second Ctrl-C at once.  Unlike uvicorn's own, does not raise the signal again."""
        self.force_exit = self.should_exit and sig == signal.SIGINT
        self._stop()

    def end(self) -> None:
        """Stop in good order; may be called from a signal handler or another thread."""
        self.should_exit = True
        self._loop.call_soon_threadsafe(self._notifier.close)


def serve(options: Options, ready: Callable[[str, Callable[[], None]], None]) -> None:
    """Run until a signal, or the function passed to ``ready``, stops it.

    A store that turns out to be damaged is set aside, and the server restarts on the same address.
    The event loop is libuv's: a put costs the server a fifth less than on asyncio's own.

    Args:
        options: How to run.
        ready: Called once connections are accepted, with the server's URL and a function that stops it.

    Raises:
        HostError: The address or the file cannot be used.
    """
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(options, ready))


async def _serve(options: Options, ready: Callable[[str, Callable[[], None]], None]) -> None:
    limit, stop = _connection_limit(), _Stop()
    with _listening(options) as listener, _alone(options.database):
        host, port = listener.getsockname()[:2]
        url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
        told: Callable[[], object] = partial(ready, url, stop)
        while await _serve_store(options, listener, limit, stop, told):
            await asyncio.sleep(PAUSE_SECONDS)
            set_aside(options.database)
            told = partial(bool)  # the caller of ``ready`` has been told already


async def _serve_store(
    options: Options, listener: socket.socket, limit: int, stop: _Stop, ready: Callable[[], object]
) -> bool:
    """Serve from one store; returns whether it stopped because that is damaged."""
    notifier, damaged, config = Notifier(), asyncio.Event(), options.config
    connections = Connections(limit, config.address_connections, config.proxies)
    name = secrets.token_hex(16)
    store = SqliteStore(
        options.database, generation=name, notifier=notifier, max_bytes=MAX_BYTES, on_damage=damaged.set
    )
    try:
        app = App(store, notifier, config, time.time)
        stop.server = server = _Server(_uvicorn_config(app, connections), notifier, stop)
        async with _background(_sweep(app)), _background(_end_when(damaged, server)):
            ready()
            await server.serve(sockets=[listener.dup()])
    finally:
        store.close()
    return damaged.is_set() and not stop.asked


async def _end_when(damaged: asyncio.Event, server: _Server) -> None:
    await damaged.wait()
    server.end()


def _uvicorn_config(app: App, connections: Connections) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=GuardedProtocol.among(connections), ws="none", loop="none", lifespan="off", interface="asgi3",
        proxy_headers=False,  # trusted only from --trusted-proxy: address.py
        access_log=False, log_config=None, server_header=False, date_header=False,
        timeout_keep_alive=IDLE_SECONDS, backlog=ACCEPTED_AT_ONCE,
    )  # fmt: skip


def _connection_limit() -> int:
    """The limit on connections: each is a file, and the usual soft limit of 1,024 is far below our own."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    limit = within_files(TOTAL, hard)
    if limit < TOTAL:
        log.warning("at most %d connections at once, because this process may open %d files", limit, hard)
    return limit


@contextlib.contextmanager
def _listening(options: Options) -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in options.host else socket.AF_INET
    address, both = (options.host, options.port), options.host == "::"
    try:
        listener = socket.create_server(address, family=family, backlog=BACKLOG, dualstack_ipv6=both)
    except OSError as error:
        message = f"cannot listen on {options.host} port {options.port}: {error.strerror}"
        raise HostError(message, hint="./invoke rendezvous --listen 127.0.0.1:8701") from error
    with listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
        yield listener


@contextlib.contextmanager
def _alone(database: Path) -> Iterator[None]:
    """Lock the store for this process: another's watchers would never hear of our writes."""
    database.parent.mkdir(parents=True, exist_ok=True)
    with database.with_name(f"{database.name}.lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as taken:
            message = f"another rendezvous already uses {database}"
            raise HostError(message, hint="./invoke rendezvous --database OTHER.sqlite") from taken
        yield


async def _sweep(app: App) -> None:
    while True:
        await app.sweep()
        await asyncio.sleep(SWEEP_SECONDS)


@contextlib.asynccontextmanager
async def _background(work: Coroutine[None, None, None]) -> AsyncIterator[None]:
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
