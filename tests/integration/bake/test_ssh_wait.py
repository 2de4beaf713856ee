"""The gate that lets Packer in the moment the guest answers, with real connections."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from goldnode.bake.vm import ssh_wait

READY = "goldnode-bake-ready"


class Guest:
    """A server that greets, and then says everything back in capitals."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.listener.getsockname()[1]
        self.callers = 0
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self) -> None:
        while True:
            try:
                caller, _ = self.listener.accept()
            except OSError:
                return
            self.callers += 1
            with caller:
                caller.sendall(b"hello\n")
                while data := caller.recv(65536):
                    caller.sendall(data.upper())

    def close(self) -> None:
        """Stop listening."""
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join(5)


@pytest.fixture
def guest() -> Iterator[Guest]:
    """A guest that is up."""
    server = Guest()
    yield server
    server.close()


def says(console: Path) -> Callable[[], bool]:
    """Whether the guest's console says that it is ready."""
    return partial(ssh_wait.says, console, READY)


def read(call: socket.socket, size: int) -> bytes:
    """Exactly that many bytes, or fewer at the end."""
    data = b""
    while len(data) < size and (more := call.recv(size - len(data))):
        data += more
    return data


def say(call: socket.socket, data: bytes) -> None:
    """Send it, and tell that this was all."""
    call.sendall(data)
    call.shutdown(socket.SHUT_WR)


def test_nobody_knocks_before_the_guest_is_ready(guest: Guest, tmp_path: Path) -> None:
    """A caller is accepted at once, waits, and reaches the guest only after its console has said so."""
    console = tmp_path / "console.log"
    with ssh_wait.proxy(guest.port, says(console)) as port, socket.create_connection(("127.0.0.1", port), 5) as call:
        console.write_text("[    0.000000] Linux version\n")
        time.sleep(0.5)
        before = guest.callers
        with console.open("a") as stream:
            stream.write(f"{READY}\n")
        greeting = read(call, 6)

    assert before == 0
    assert greeting == b"hello\n"


def test_a_large_transfer_both_ways(guest: Guest, tmp_path: Path) -> None:
    """What goes through arrives whole, in both directions, until the caller has said all."""
    console = tmp_path / "console.log"
    console.write_text(READY)
    sent = b"payload " * 200_000
    with ssh_wait.proxy(guest.port, says(console)) as port, socket.create_connection(("127.0.0.1", port), 5) as call:
        greeting = read(call, 6)
        sender = threading.Thread(target=say, args=(call, sent))
        sender.start()
        received = read(call, len(sent) + 1)
        sender.join()

    assert greeting == b"hello\n"
    assert sent.upper() == received


def test_the_end_of_a_bake_ends_waiting_callers(tmp_path: Path) -> None:
    """When the bake ends before the guest was ready, callers are let go and the port is free."""
    with ssh_wait.proxy(1, says(tmp_path / "console.log")) as port:
        call = socket.create_connection(("127.0.0.1", port), 5)
    with call:
        call.settimeout(5)

        assert call.recv(1) == b""
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), 5)


def test_free_port() -> None:
    """A free port can be listened on."""
    port = ssh_wait.free_port()
    with socket.create_server(("127.0.0.1", port)) as server:
        assert port == server.getsockname()[1]
