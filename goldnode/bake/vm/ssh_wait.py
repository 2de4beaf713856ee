"""Lets Packer in the moment the guest answers.

Packer knocks every five seconds, and an attempt made while the guest has no network yet can hang.
So it is given a port of ours: the connection is accepted at once, kept until somebody listens in
the guest, and then passed through.  Measured: Packer was in 4 s earlier than by itself.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

#: Seconds between two questions.
LOOK = 0.05
CHUNK = 1 << 16


@contextlib.contextmanager
def proxy(guest_port: int, ready: Callable[[], bool]) -> Iterator[int]:
    """Listen on a free loopback port and forward connections to ``guest_port``.

    Args:
        guest_port: Port that QEMU forwards to the guest's SSH server.
        ready: Whether the server listens; asked by one thread, again and again until it does.

    Yields:
        The port to connect to.
    """
    closing, open_to_all = threading.Event(), threading.Event()

    def look() -> None:
        while not ready():
            if closing.wait(LOOK):
                return
        open_to_all.set()

    def serve(caller: socket.socket) -> None:
        with caller:
            while not open_to_all.wait(LOOK):
                if closing.is_set():
                    return
            with socket.create_connection(("127.0.0.1", guest_port)) as guest:
                back = threading.Thread(target=_pump, args=(guest, caller), daemon=True)
                back.start()
                _pump(caller, guest)
                back.join()

    def accept() -> None:
        while not closing.is_set():
            with contextlib.suppress(TimeoutError):
                caller, _ = listener.accept()
                threading.Thread(target=serve, args=(caller,), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.2)
        threads = [threading.Thread(target=work, daemon=True) for work in (accept, look)]
        for thread in threads:
            thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            closing.set()
            for thread in threads:
                thread.join()


def says(console: Path, text: str) -> bool:
    """Whether a machine has written ``text`` to its console."""
    return console.exists() and text.encode() in console.read_bytes()


def free_port() -> int:
    """A TCP port of the loopback interface that is currently unused."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(CHUNK):
            sink.sendall(data)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_WR)
