"""What is true for every test with real servers: the port that a rendezvous usually has is somebody else's."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import suppress

import pytest

#: Where `./invoke rendezvous` listens when nothing is said.
USUAL = 8700


@pytest.fixture(scope="session")
def held() -> Iterator[list[socket.socket]]:
    """The usual port, once it is ours."""
    sockets: list[socket.socket] = []
    yield sockets
    for each in sockets:
        each.close()


@pytest.fixture(autouse=True)
def usual_port(held: list[socket.socket]) -> int:
    """Taken while a test runs: one that needs it free fails here, and not only on a machine with a rendezvous."""
    if not held:
        # Another run of the tests may have it, or a rendezvous of this machine: taken is taken, until those end.
        with suppress(OSError):
            held.append(socket.create_server(("127.0.0.1", USUAL)))
    return USUAL
