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
    argv = [sys.executable, "-m", "goldnode.rendezvous", "--listen", listen, "--database", database, *RAISED]
    with spawn([str(word) for word in argv], cwd=REPOSITORY, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None  # noqa: S101 - asked for a pipe
        with process.stdout:
            found = re.search(r"http://\S+", process.stdout.readline().decode())
            if found is None:
                raise HostError(
                    f"the rendezvous did not start on {listen}", hint=f"./invoke rendezvous --listen {listen}"
                )
            yield Server(found[0], process.pid)
