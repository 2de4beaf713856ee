"""What is true for every test with real servers: the port that a rendezvous usually has is somebody else's."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack, suppress

import pytest

#: Where `./invoke rendezvous` listens when nothing is said.
USUAL = 8700


@pytest.fixture(scope="session", autouse=True)
def usual_port() -> Iterator[int]:
    """Taken as long as tests run: one that needs it free fails here, and not only on a machine with a rendezvous."""
    with ExitStack() as stack:
        # Another worker of the tests may have it, or a rendezvous of this machine: taken is taken.
        with suppress(OSError):
            stack.enter_context(socket.create_server(("127.0.0.1", USUAL)))
        yield USUAL
