"""N nodes in one JVM against N JVMs: memory and start, side by side, the same program and flags.

Memory is PSS: what the processes share, jars and the JVM's own code, is divided among them, so
the sum over N JVMs is what they really cost together.  Each case runs on databases of its own.
"""

from __future__ import annotations

import contextlib
import os
import re
import socket
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.postgres import Database, database_server
from goldnode.bake.programs import jars, jvmhost
from goldnode.bake.vm.ssh_wait import free_port
from goldnode.config.daemon import Jvm
from goldnode.config.jvm_options import USUAL
from goldnode.config.network import Network, load
from goldnode.errors import BakeError
from goldnode.fetch.store import ArtifactStore
from goldnode.node.jvm.jvm import ENVIRONMENT, FLAGS, HostedNode, arguments, files
from goldnode.node.jvm.jvm_host import JvmHost
from goldnode.paths import REPOSITORY, cache
from goldnode.progress import Progress
from goldnode.run import spawn

#: Position of the first node: ports far from those of a real machine's nodes.
FIRST = 20
#: Seconds a case may take to be ready, and to come to rest before it is measured.
TIMEOUT = 300
REST = 10
#: What N nodes in one JVM may take at most, as a share of N JVMs.
MEMORY_GOALS = {3: 0.70, 10: 0.55}
START_GOALS = {5: 1.0}
#: The release in a name such as java-21-openjdk-amd64.
RELEASE = re.compile(r"(?<=-)\d\d(?=-)")
LOGBACK = REPOSITORY / "roles/common/rootfs/usr/lib/goldnode/jvm/logback.xml"


@dataclass(frozen=True, slots=True)
class Measured:
    """One case.

    Attributes:
        pss: Bytes, summed over its processes.
        seconds: From the first start until every node was ready.
    """

    pss: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """N nodes in one JVM, and in N."""

    nodes: int
    together: Measured
    apart: Measured

    @property
    def memory(self) -> float:
        """Memory in one JVM, as a share of what N JVMs take."""
        return self.together.pss / self.apart.pss

    @property
    def start(self) -> float:
        """Start in one JVM, as a share of the start of N at once."""
        return self.together.seconds / self.apart.seconds


@dataclass(frozen=True, slots=True)
class JvmReport:
    """All cases, and how busy the machine was when they began (load average)."""

    cases: tuple[Comparison, ...]
    load: float

    def rows(self) -> list[tuple[str, str, str, str, str]]:
        """For a table: nodes, memory in one JVM and in N, share, and start in one JVM and in N."""
        return [
            (
                str(case.nodes),
                f"{case.together.pss >> 20} MiB, {case.apart.pss >> 20} MiB",
                f"{case.memory:.2f}" + (f" (goal {MEMORY_GOALS[case.nodes]})" if case.nodes in MEMORY_GOALS else ""),
                f"{case.together.seconds:.1f} s, {case.apart.seconds:.1f} s",
                f"{case.start:.2f}" + (f" (goal {START_GOALS[case.nodes]})" if case.nodes in START_GOALS else ""),
            )
            for case in self.cases
        ]

    def document(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "load": self.load,
            "cases": [
                {**asdict(case), "memory_ratio": round(case.memory, 3), "start_ratio": round(case.start, 3)}
                for case in self.cases
            ],
        }


def measure(counts: Sequence[int], progress: Progress, network: str) -> JvmReport:
    """Measure every count, one case after the other.

    Raises:
        HostError: Java, Maven or PostgreSQL is not installed.
        BakeError: A node does not become ready.
    """
    load_before = os.getloadavg()[0]
    bench = Bench.prepare(load(network), progress)
    stored = any("{database}" in word for word in bench.network.daemon.start_args)
    with database_server(free_port()) if stored else contextlib.nullcontext() as database:
        cases = (
            Comparison(count, bench.case(count, database, together=True), bench.case(count, database, together=False))
            for count in counts
        )
        return JvmReport(tuple(cases), load_before)


@dataclass(frozen=True, slots=True)
class Bench:
    """What every case needs.

    Attributes:
        network: The JVM network.
        jvm: How its nodes run.
        host: The JVM host's jar.
        jars: The class path.
        progress: Told how far it is.
    """

    network: Network
    jvm: Jvm
    host: Path
    jars: tuple[Path, ...]
    progress: Progress

    @classmethod
    def prepare(cls, network: Network, progress: Progress) -> Bench:
        """Have the jars and the host."""
        jvm = network.daemon.jvm
        assert jvm is not None  # noqa: S101 - only JVM networks are measured here
        found = jars.classpath(network, None, ArtifactStore(cache() / "artifacts"), progress)
        return cls(network, jvm, jvmhost.build(progress), tuple(found.values()), progress)

    def case(self, count: int, database: Database | None, *, together: bool) -> Measured:
        """Start the nodes, wait until all are ready and have come to rest, and measure.

        A database inside the nodes is in the figure; a server beside them is the same in both cases, and is not.
        """
        kind = "one JVM" if together else f"{count} JVMs"
        with self.progress.step(f"{count} nodes in {kind}"), tempfile.TemporaryDirectory() as name:
            nodes = [
                HostedNode(f"n{number}", FIRST + number, Path(name) / f"n{number}",
                           database.create(f"{'one' if together else 'many'}_{count}_{number}") if database else "",
                           self._founds(number))
                for number in range(count)
            ]  # fmt: skip
            begun = time.monotonic()
            with self._together(nodes, Path(name)) if together else self._apart(nodes, Path(name)) as pids:
                for node in nodes:
                    await_port(node.port(self._ready), f"{node.name} of {count} in {kind}")
                seconds = time.monotonic() - begun
                time.sleep(REST)
                return Measured(sum(map(pss, pids)), seconds)

    def _founds(self, number: int) -> tuple[str, ...]:
        """The first node of a machine may begin a chain; here its ports are not the first ones."""
        asked = any(word.startswith("--found=") for word in self.network.daemon.start_args)
        return (f"--found={number}",) if asked else ()

    @property
    def _ready(self) -> int:
        return next(iter(self.network.ports.values()))

    @contextlib.contextmanager
    def _together(self, nodes: Sequence[HostedNode], folder: Path) -> Iterator[list[int]]:
        (folder / "nodes").mkdir()
        for name, text in files(self.network.daemon, self.network.ports, nodes, self.jars, folder).items():
            (folder / "nodes" / name).write_text(text.replace("/usr/lib/goldnode/jvm/logback.xml", str(LOGBACK)))
        socket_path = folder / "control.sock"
        command = [java(), *USUAL.flags, *FLAGS, "-jar", self.host, folder / "nodes", socket_path, free_port()]
        with spawn([str(word) for word in command], env=ENVIRONMENT) as process:
            yield [process.pid]
            JvmHost(socket_path).status()

    @contextlib.contextmanager
    def _apart(self, nodes: Sequence[HostedNode], folder: Path) -> Iterator[list[int]]:
        classpath = ":".join(map(str, self.jars))
        with contextlib.ExitStack() as stack:
            pids = []
            for node in nodes:
                node.home.mkdir()
                command = [java(), *USUAL.flags, *[flag for flag in FLAGS if not flag.startswith("-D")],
                           f"-Dlogback.configurationFile={LOGBACK}", "-cp", classpath, self.jvm.main,
                           *arguments(self.network.daemon, self.network.ports, node, nodes)]  # fmt: skip
                log = stack.enter_context((folder / f"{node.name}.log").open("wb"))
                pids.append(stack.enter_context(spawn(command, cwd=node.home, env=ENVIRONMENT, stdout=log)).pid)
            yield pids


def java() -> str:
    """The newest Java of this machine: a network's jars may need one that is not the usual one."""
    found = [path for path in Path("/usr/lib/jvm").glob("*/bin/java") if RELEASE.search(path.parent.parent.name)]
    return str(max(found, key=lambda path: int(RELEASE.findall(path.parent.parent.name)[0]), default="java"))


def pss(pid: int) -> int:
    """Proportional set size of a process, in bytes (proc(5), smaps_rollup)."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith("Pss:"))


def await_port(port: int, what: str) -> None:
    """Wait until somebody accepts connections.

    Raises:
        BakeError: Nobody did in time.
    """
    deadline = time.monotonic() + TIMEOUT
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise BakeError(f"{what} was not ready within {TIMEOUT} s")
