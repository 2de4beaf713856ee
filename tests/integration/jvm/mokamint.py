"""Nodes of one Mokamint chain in one JVM, started from the files that a machine would have."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from benchmarks.jvm import Bench
from goldnode.bake.programs import jvmhost
from goldnode.config.network import load
from goldnode.node.jvm.jvm import HostedNode, files
from goldnode.node.jvm.jvm_host import HostedStatus
from goldnode.progress import SILENT
from tests.integration.jvm.hosting import JAVAS, PROGRAMS, Hosted, hosting, until

#: Position of the first node: ports far from those of other tests.
FIRST = 30
MAIN = "main=goldnode.network.Mokamint\n"


@dataclass(frozen=True, slots=True)
class Chain:
    """Running nodes of one chain.

    Attributes:
        host: Their JVM.
        names: All of them; the first one founded the chain.
        breaker: Classes of a main that breaks a node.
    """

    host: Hosted
    names: tuple[str, ...]
    breaker: Path

    def states(self) -> dict[str, HostedStatus]:
        """How each node is."""
        return {status.name: status for status in self.host.control.status()}

    def grows(self, blocks: int, without: Sequence[str] = (), seconds: float = 600) -> None:
        """Wait until every node, except those that are not asked, has so many blocks more than the highest has now."""
        goal = max(status.height for status in self.states().values()) + blocks

        def there() -> bool:
            return all(status.height >= goal for name, status in self.states().items() if name not in without)

        until(there, f"height {goal} on all of {self.names} without {without}", seconds)

    def agree(self, seconds: float = 300) -> None:
        """Wait until all nodes have one and the same newest block."""
        until(lambda: len(heads := {status.head for status in self.states().values()}) == 1 and "" not in heads,
              "one head", seconds)  # fmt: skip

    @contextlib.contextmanager
    def other_file(self, name: str, text: str) -> Iterator[None]:
        """Let a node have another file for a while; what it runs with changes with its next start."""
        file = self.host.folder / "nodes" / f"{name}.properties"
        before = file.read_text()
        file.write_text(text)
        try:
            yield
        finally:
            file.write_text(before)

    def file(self, name: str) -> str:
        """A node's file."""
        return (self.host.folder / "nodes" / f"{name}.properties").read_text()

    def broken(self, name: str, *lines: str) -> str:
        """The node's file with a main before its own, that breaks it."""
        with_breaker = self.file(name).replace("jars=", f"jars={self.breaker}\\:")
        return with_breaker.replace(MAIN, "main=breaker.Breaker\nproperty.breaker.main=goldnode.network.Mokamint\n"
                                    + "".join(f"{line}\n" for line in lines))  # fmt: skip


def modern_java() -> Path:
    """A Java that Mokamint runs on; the test is left out where the machine has none."""
    found = [java for java in JAVAS if "java-17" not in str(java)]
    if not found:
        # Debian 12 has 17 only; images have 21.
        pytest.skip("Mokamint needs Java 21")
    return found[0]


@contextlib.contextmanager
def mining(folder: Path, count: int, *, block: int) -> Iterator[Chain]:
    """So many nodes of one chain in one JVM, until the end of the block; ``block``: seconds from block to block."""
    java, bench = modern_java(), Bench.prepare(load("mokamint"), SILENT)
    nodes = [
        HostedNode(f"n{number}", FIRST + number, folder / f"n{number}",
                   arguments=(f"--block={block}", *(("--found=0",) if number == 0 else ())))
        for number in range(count)
    ]  # fmt: skip
    (folder / "nodes").mkdir()
    for name, text in files(bench.network.daemon, bench.network.ports, nodes, bench.jars, folder).items():
        (folder / "nodes" / name).write_text(text + "restart.seconds=1\n")
    breaker = folder / "breaker"
    jvmhost.compile_java(jvmhost.compiler(), [PROGRAMS / "breaker" / "Breaker.java"], breaker)
    with hosting(bench.host, folder, java=java) as host:
        yield Chain(host, tuple(node.name for node in nodes), breaker)
