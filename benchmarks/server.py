"""The rendezvous as a process to be measured, its rate limits raised, and what it costs in memory."""

from __future__ import annotations

import contextlib
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from goldnode.errors import HostError
from goldnode.paths import REPOSITORY
from goldnode.run import spawn

#: What a measurement raises; the report names them.
RAISED = ("--address-rate", "1e6", "--room-rate", "1e6", "--new-rooms", "1e6", "--address-connections", "10000")


@dataclass(frozen=True, slots=True)
class Server:
    """A server that runs: its URL and its process."""

    url: str
    pid: int

    def memory(self) -> int:
        """Its proportional set size, in bytes: what would be free without it."""
        rollup = Path(f"/proc/{self.pid}/smaps_rollup").read_text(encoding="ascii")
        found = re.search(r"^Pss:\s+(\d+) kB$", rollup, re.MULTILINE)
        return int(found[1]) * 1024 if found else 0


@contextlib.contextmanager
def server(database: Path, listen: str = "127.0.0.1:0") -> Iterator[Server]:
    """Run one until the block ends.

    Raises:
        HostError: It did not start.
    """
    hint = f"./invoke rendezvous --listen {listen}"
    with _started(["goldnode.rendezvous", "--listen", listen, "--database", str(database), *RAISED], hint) as found:
        yield found


@contextlib.contextmanager
def empty_server() -> Iterator[Server]:
    """Run the empty server until the block ends: what any server of this kind costs.

    Raises:
        HostError: It did not start.
    """
    with _started(["benchmarks.empty_server"], "./invoke bench rendezvous --debug") as found:
        yield found


@contextlib.contextmanager
def _started(module: list[str], hint: str) -> Iterator[Server]:
    with spawn([sys.executable, "-m", *module], cwd=REPOSITORY, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None  # noqa: S101 - asked for a pipe
        with process.stdout:
            found = re.search(r"http://\S+", process.stdout.readline().decode())
            if found is None:
                raise HostError(f"{module[0]} did not start", hint=hint)
            yield Server(found[0], process.pid)
