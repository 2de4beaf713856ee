"""Members with their loops running, at real rendezvous servers on loopback."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from subprocess import Popen

from goldnode.discovery.exchange import Exchange
from goldnode.discovery.member import Membership
from tests.integration.rendezvous.support import process
from tests.support.cluster_lab import Clock, Lab

#: The server's limits lifted, for tests that put load on it.
LIFTED = ("--address-rate", "1e6", "--room-rate", "1e6", "--new-rooms", "1e6")


class RealClock(Clock):
    """The machine's clock, in the lab's form."""

    def __call__(self) -> float:
        """Unix seconds."""
        self.now = time.time()
        return self.now


def lab() -> Lab:
    """A cluster that lives now, with random bytes of its own."""
    made = Lab(clock=RealClock(), dice=os.urandom)  # type: ignore[arg-type]
    made.clock()
    return made


def server(database: Path, port: int) -> AbstractContextManager[tuple[str, Popen[bytes]]]:
    """The real server, as a process, on a port of the test's choice."""
    return process(database, "--listen", f"127.0.0.1:{port}", *LIFTED)


def until(holds: Callable[[], bool], seconds: float = 20.0) -> float:
    """Wait until something holds; the seconds it took."""
    started = time.monotonic()
    while not holds():
        assert time.monotonic() - started < seconds, "it never came to hold"
        time.sleep(0.005)
    return time.monotonic() - started


def know_each_other(members: list[Membership]) -> bool:
    """Whether each has all the others, and no one else, on its roster."""
    everybody = {member.node_id for member in members}
    return all(set(member.members()) == everybody - {member.node_id} for member in members)


@contextlib.contextmanager
def running(members: list[Membership], urls: list[str]) -> Iterator[list[Exchange]]:
    """Run the loops of all these members."""
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(Exchange(member, urls)) for member in members]
