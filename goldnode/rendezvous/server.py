"""The application on uvicorn: one socket, one store file, and an orderly end."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import resource
import secrets
import signal
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

import uvicorn

from goldnode.errors import HostError
from goldnode.rendezvous.app import App
from goldnode.rendezvous.config import Config
from goldnode.rendezvous.guard import IDLE_SECONDS, GuardedProtocol
from goldnode.rendezvous.notifier import Notifier
from goldnode.rendezvous.sqlite import SqliteStore

#: Seconds between two rounds of forgetting what ran out of time.
SWEEP_SECONDS = 5.0
#: Connections the kernel holds for us while we are busy: a whole fleet may come back at once.
BACKLOG = 4096
#: Bytes the kernel holds for one client that does not read; its own choice would be megabytes.
SEND_BUFFER = 128 * 1024


@dataclass(frozen=True, slots=True)
class Options:
    """How to run.

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


class _Server(uvicorn.Server):
    """uvicorn's server; whoever waits for news is answered before it ends."""

    def __init__(self, config: uvicorn.Config, notifier: Notifier) -> None:
        super().__init__(config)
        self._notifier = notifier

        self._loop = asyncio.get_running_loop()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002 - uvicorn's signature
        """End, and at the second Ctrl-C at once.  Unlike uvicorn's own, does not raise the signal again."""
        self.force_exit = self.should_exit and sig == signal.SIGINT
        self.stop()

    def stop(self) -> None:
        """End in good order; may be called from a signal handler or another thread."""
        self.should_exit = True
        self._loop.call_soon_threadsafe(self._notifier.close)


async def serve(options: Options, ready: Callable[[str, Callable[[], None]], None]) -> None:
    """Run until a signal, or the function given to ``ready``, says stop.

    Args:
        options: How.
        ready: Called once connections are taken, with the server's URL and what ends it.

    Raises:
        HostError: The address or the file cannot be used.
    """
    _raise_file_limit()
    with _listening(options) as listener, _alone(options.database):
        notifier = Notifier()
        store = SqliteStore(options.database, generation=secrets.token_hex(16), notifier=notifier)
        try:
            app = App(store, notifier, options.config, time.time)
            async with _swept(app):
                server = _Server(_uvicorn_config(app), notifier)
                host, port = listener.getsockname()[:2]
                ready(f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}", server.stop)
                await server.serve(sockets=[listener])
        finally:
            store.close()


def _uvicorn_config(app: App) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=GuardedProtocol, ws="none", loop="asyncio", lifespan="off", interface="asgi3",
        proxy_headers=False,  # believed only from --trusted-proxy: address.py
        access_log=False, log_config=None, server_header=False, date_header=False,
        timeout_keep_alive=IDLE_SECONDS, backlog=BACKLOG,
    )  # fmt: skip


def _raise_file_limit() -> None:
    """Each connection is a file; the usual soft limit of 1,024 would end long before our own."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


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
    """Hold the store for this process: watchers of another one would never hear of our writes."""
    database.parent.mkdir(parents=True, exist_ok=True)
    with database.with_name(f"{database.name}.lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as taken:
            message = f"another rendezvous already uses {database}"
            raise HostError(message, hint="./invoke rendezvous --database OTHER.sqlite") from taken
        yield


@contextlib.asynccontextmanager
async def _swept(app: App) -> AsyncIterator[None]:
    async def forever() -> None:
        while True:
            await app.sweep()
            await asyncio.sleep(SWEEP_SECONDS)

    task = asyncio.create_task(forever())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
