"""Run the JVM host for tests: its real jar, real nodes, a socket and ports of its own."""

from __future__ import annotations

import contextlib
import random
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from goldnode import run
from goldnode.config.jvm_options import USUAL, JvmSettings
from goldnode.errors import HostError
from goldnode.node.jvm.jvm import ENVIRONMENT, FLAGS
from goldnode.node.jvm.jvm_host import HostedStatus, JvmHost

PROGRAMS = Path(__file__).parent / "programs"
#: Every Java of this machine: the host has to hold on each.
JAVAS = sorted({path.resolve() for path in Path("/usr/lib/jvm").glob("*/bin/java")}) or [
    Path(shutil.which("java") or "java")
]


def free_port() -> int:
    """A loopback port that nobody listens on, below those the kernel gives to clients.

    One of the kernel's own could be the source of a probe to itself, which then succeeds.
    """
    while True:
        # Not of the seeded ones: a run beside this one would look at the same port at the same moment.
        port = random.SystemRandom().randrange(20000, 26000)
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            return port


def until(true: Callable[[], bool], what: str, seconds: float = 30) -> None:
    """Wait for something to become true.

    Raises:
        AssertionError: It did not.
    """
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, f"{what} did not happen within {seconds} s"
        time.sleep(0.02)


def ask(port: int, line: str) -> str:
    """Send one line to a sample node; its answer.

    Raises:
        OSError: It does not serve.
    """
    with socket.create_connection(("127.0.0.1", port), 10) as connection:
        connection.sendall(f"{line}\n".encode())
        answer = connection.makefile().readline()
    if not answer:
        raise ConnectionError("hung up")
    return answer.strip()


@dataclass(frozen=True, slots=True)
class Hosted:
    """A running host.

    Attributes:
        process: Its JVM.
        folder: Where node files, homes and logs are.
        metrics: Its HTTP port.
        control: Its socket.
        jars: The class path of nodes that name none.
        java: The Java it runs on.
    """

    process: subprocess.Popen[bytes]
    folder: Path
    metrics: int
    control: JvmHost
    jars: Sequence[Path]
    java: Path

    def write(self, name: str, entries: Mapping[str, object]) -> None:
        """Write a node's file; jars, home and log have defaults."""
        whole = {"jars": ":".join(map(str, self.jars)), "home": self.folder / name, "log": self.log(name), **entries}
        text = "".join(f"{key}={value}\n" for key, value in whole.items())
        (self.folder / "nodes" / f"{name}.properties").write_text(text)

    def log(self, name: str) -> Path:
        """A node's log file."""
        return self.folder / f"{name}.log"

    def add(self, name: str, entries: Mapping[str, object]) -> None:
        """Write a node's file and start it."""
        self.write(name, entries)
        self.control.act("add", name)

    def sample(self, name: str, *actions: str, port: int | None = None, **entries: object) -> int:
        """Add a sample node and wait until it serves; its port.

        Args:
            name: The node's name.
            actions: What it does before it serves.
            port: Where it serves.
            entries: Further lines of its file, ``_`` for ``.``.
        """
        port = port or free_port()
        arguments = {f"argument.{number}": word for number, word in enumerate([port, *actions], 1)}
        self.add(name, {"main": "sample.Sample", "ready.port": port, "stop.seconds": 1, "restart.seconds": 0,
                        **arguments, **{key.replace("_", "."): value for key, value in entries.items()}})  # fmt: skip
        until(lambda: self.status(name).ready, f"{name} ready")
        return port

    def answers(self) -> bool:
        """Whether the host serves commands yet."""
        with contextlib.suppress(HostError):
            self.control.ask("list")
            return True
        return False

    def status(self, name: str) -> HostedStatus:
        """How one node is."""
        return next(status for status in self.control.status() if status.name == name)

    def get(self, path: str) -> tuple[int, str]:
        """Status and text of the host's HTTP endpoint."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.metrics}{path}", timeout=10) as reply:
                return reply.status, reply.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()


@contextlib.contextmanager
def hosting(
    jar: Path,
    folder: Path,
    jars: Sequence[Path] = (),
    java: Path = JAVAS[0],
    settings: JvmSettings = USUAL,
    open_files: int | None = None,
) -> Iterator[Hosted]:
    """A host with the nodes that have a file in the folder; at the end of the block nothing of it runs.

    Args:
        jar: The host.
        folder: Where node files, homes and logs are.
        jars: The class path of nodes that name none.
        java: What runs it.
        settings: How.
        open_files: How many files it may have open; None for as many as we may.
    """
    (folder / "nodes").mkdir(parents=True, exist_ok=True)
    control, metrics = folder / "control.sock", free_port()
    limit = ["prlimit", f"--nofile={open_files}:{open_files}"] if open_files else []
    command = [
        str(word) for word in (*limit, java, *settings.flags, *FLAGS, "-jar", jar, folder / "nodes", control, metrics)
    ]
    with (
        (folder / "host.log").open("ab") as log,
        run.spawn(command, cwd=folder, env=ENVIRONMENT, stdout=log) as process,
    ):
        hosted = Hosted(process, folder, metrics, JvmHost(control), jars, java)
        until(lambda: process.poll() is not None or hosted.answers(), "the host's start")
        yield hosted
