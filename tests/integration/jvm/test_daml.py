"""Real Daml ledgers in one JVM, each with a PostgreSQL database of its own."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Thread

import pytest

from benchmarks.jvm import LOGBACK, Bench
from benchmarks.postgres import Database, database_server
from goldnode.bake.programs import jvmhost
from goldnode.config.network import load
from goldnode.node.jvm.jvm import HostedNode, files
from goldnode.progress import SILENT
from goldnode.run import run
from tests.integration.jvm.hosting import PROGRAMS, Hosted, free_port, hosting, until

pytestmark = [pytest.mark.long, pytest.mark.timeout(1800)]
WRITES = 400
FIRST = 40


@dataclass(frozen=True, slots=True)
class Ledgers:
    """Three running ledgers: alice, bob and carol."""

    host: Hosted
    nodes: Sequence[HostedNode]
    classpath: str

    def writer(self, name: str, writes: int, pause: int = 0) -> subprocess.Popen[str]:
        """Start writing to a ledger; it prints how many of its writes the ledger knows at the end."""
        port = next(node.port(65) for node in self.nodes if node.name == name)
        command = ["java", "-XX:+UseSerialGC", f"-Dlogback.configurationFile={LOGBACK}", "-cp", self.classpath,
                   "writer.Writer", str(port), str(writes), str(pause)]  # fmt: skip
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    def restart(self, name: str, times: int = 1) -> None:
        """Restart one ledger and wait until it serves again, so many times."""
        for _ in range(times):
            self.host.control.act("restart", name)
            self.ready(name)

    def ready(self, name: str) -> None:
        """Wait until a ledger serves."""
        until(lambda: self.host.status(name).ready, f"{name} ready", seconds=180)


@pytest.fixture(scope="module")
def bench() -> Bench:
    """The network's jars, each found by its pinned hash."""
    return Bench.prepare(load("daml"), SILENT)


@pytest.fixture(scope="module")
def writer(bench: Bench, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Class path of the writing program."""
    classes = tmp_path_factory.mktemp("writer")
    classpath = ":".join(map(str, bench.jars))
    sources = str(PROGRAMS / "writer" / "Writer.java")
    run([jvmhost.compiler(), "--release", "17", "-proc:none", "-cp", classpath, "-d", classes, sources])
    return f"{classes}:{classpath}"


@pytest.fixture(scope="module")
def database() -> Iterator[Database]:
    """A PostgreSQL server for this module."""
    with database_server(free_port()) as server:
        yield server


@pytest.fixture
def ledgers(
    bench: Bench, writer: str, database: Database, tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[Ledgers]:
    """Three ledgers in one JVM, started from the node files that a real machine would have."""
    nodes = [
        HostedNode(name, FIRST + number, tmp_path / name, database.create(f"{request.node.name[:40]}_{name}"))
        for number, name in enumerate(("alice", "bob", "carol"))
    ]
    (tmp_path / "nodes").mkdir()
    for name, text in files(bench.network.daemon, bench.network.ports, nodes, bench.jars, tmp_path).items():
        (tmp_path / "nodes" / name).write_text(text.replace("/usr/lib/goldnode/jvm/logback.xml", str(LOGBACK)))
    with hosting(bench.host, tmp_path, java=Path("java")) as host:
        running = Ledgers(host, nodes, writer)
        for node in nodes:
            running.ready(node.name)
        yield running


def test_siblings_lose_no_write(ledgers: Ledgers) -> None:
    """While one ledger restarts and another crashes 20 times, the third takes 400 of 400 writes."""
    conflicting = {
        f"argument.{number}": word.replace(str(ledgers.nodes[2].port(65)), str(ledgers.nodes[0].port(65)))
        for number, word in enumerate(arguments_of(ledgers.host, "carol"), 1)
    }
    ledgers.host.control.act("remove", "carol")
    writing = ledgers.writer("alice", WRITES, pause=250)

    restarts = Thread(target=ledgers.restart, args=("bob", 5))
    restarts.start()
    main = {"main": "com.daml.platform.sandboxnext.Main", "jars": ":".join(ledgers.classpath.split(":")[1:])}
    ledgers.host.add("carol", {**main, **conflicting, "restart.seconds": 0, **LOGGED})
    until(lambda: ledgers.host.status("carol").restarts >= 20, "twenty crashes", seconds=900)
    restarts.join()
    known, _ = writing.communicate(timeout=600)

    assert (0, str(WRITES)) == (writing.returncode, known.strip())
    assert ["running", "running"] == [ledgers.host.status(name).state for name in ("alice", "bob")]


def test_a_ledger_is_as_it_was_after_a_restart(ledgers: Ledgers, database: Database) -> None:
    """What a node wrote before a restart is there after it, and it takes writes again at once."""
    first, _ = ledgers.writer("alice", 10).communicate(timeout=120)
    ledgers.restart("alice")
    kept = database.query(
        f"{test_a_ledger_is_as_it_was_after_a_restart.__name__[:40]}_alice",
        "SELECT count(*) FROM parties WHERE party LIKE 'party-%'",
    )

    assert ("10", "10") == (first.strip(), kept)


def test_fifty_restarts_cost_nothing(ledgers: Ledgers) -> None:
    """Heap and metaspace stay within 5 %, resident memory within 15 %, from the 10th to the 50th restart."""
    ledgers.restart("alice", 10)
    tenth, resident = ledgers.host.control.figures(settled=True), rss(ledgers.host.process.pid)
    ledgers.restart("alice", 40)
    # The last life's classes may wait for an idle thread of the JDK's or for a finalizer; a leak would stay.
    until(lambda: used(ledgers.host.control.figures(settled=True)) <= 1.05 * used(tenth), "the end", seconds=120)
    last, in_the_end = ledgers.host.control.figures(settled=True), rss(ledgers.host.process.pid)

    assert (3, 3) == (tenth["node_loaders"], last["node_loaders"])
    assert in_the_end <= 1.15 * resident


LOGGED = {"property.logback.configurationFile": LOGBACK, "stop.seconds": 10}


def arguments_of(host: Hosted, name: str) -> list[str]:
    """The words a node's file starts it with."""
    lines = (host.folder / "nodes" / f"{name}.properties").read_text().splitlines()
    return [line.partition("=")[2].replace("\\", "") for line in lines if line.startswith("argument.")]


def used(figures: dict[str, int]) -> int:
    """Heap and metaspace, in bytes."""
    return figures["heap_bytes"] + figures["metaspace_bytes"]


def rss(pid: int) -> int:
    """Resident memory of a process, in kB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))
