"""The JVM host's files for the nodes of a JVM network: one properties file per node; pure.

The network file says how one node is started, with placeholders for what differs between
nodes: ``{name}``, ``{index}`` (from 0), ``{home}``, ``{database}`` (a JDBC URL) and ``{port_X}`` for each of its ports.
In isolated mode every node gets its own class loader and file.  In native mode the program
hosts all of them by its own configuration: one file, in which every word with a placeholder,
and the option before it, is repeated for each node.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from goldnode.config.daemon import Daemon, Jvm, JvmMode
from goldnode.errors import InputError
from goldnode.node.plan.ports import BASE, BLOCK

#: Options of every JVM that hosts nodes; goldnode-jvm.service has the same ones.
#: Serial collection and small arenas keep the process small; the free ratios give memory of a
#: stopped node's classes back with the next collection instead of after hundreds of megabytes.
FLAGS = (
    "-XX:+UseSerialGC",
    "-XX:MaxRAMPercentage=60",
    "-Xss512k",
    "-XX:+ExitOnOutOfMemoryError",
    "-XX:SoftRefLRUPolicyMSPerMB=1",
    "-XX:MinHeapFreeRatio=10",
    "-XX:MaxHeapFreeRatio=25",
    "-XX:MinMetaspaceFreeRatio=5",
    "-XX:MaxMetaspaceFreeRatio=10",
    "-Djava.util.concurrent.ForkJoinPool.common.threadFactory=goldnode.jvm.PoolThreads",
    "-Djava.nio.channels.DefaultThreadPool.threadFactory=goldnode.jvm.SharedThreads",
    "-Djava.util.logging.manager=goldnode.jvm.NodeLogs",
    "-Djdk.trackAllThreads=true",
)
#: For the C library: each arena keeps memory it once had.
ENVIRONMENT = {"MALLOC_ARENA_MAX": "2", "MALLOC_TRIM_THRESHOLD_": "131072"}
PLACEHOLDER = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True, slots=True)
class HostedNode:
    """One node of the JVM.

    Attributes:
        name: The node's name.
        index: Its position on the machine, which determines its block of ports.
        home: Its directory.
        database: JDBC URL of its database; empty if the network needs none.
    """

    name: str
    index: int
    home: Path
    database: str = ""

    def port(self, offset: int) -> int:
        """A port in this node's block."""
        return BASE + BLOCK * self.index + offset


def files(
    daemon: Daemon, ports: Mapping[str, int], nodes: Sequence[HostedNode], jars: Sequence[Path], logs: Path
) -> dict[str, str]:
    """The files in the host's folder: file name → content.

    Args:
        daemon: The network's program, of kind jvm.
        ports: Further ports of a node, name → offset; the first shows when a node is ready.
        nodes: All nodes of this machine, at least one.
        jars: The class path.
        logs: Folder of the log files.

    Raises:
        InputError: An argument has an unknown placeholder.
    """
    jvm = daemon.jvm
    assert jvm is not None  # noqa: S101 - the caller has a JVM network
    if jvm.mode is JvmMode.NATIVE:
        values = [_values(node, ports) for node in nodes]
        hosts = [(daemon.name, nodes[0], list(_repeated(daemon.start_args, values)))]
    else:
        hosts = [(node.name, node, arguments(daemon, ports, node)) for node in nodes]
    ready = next(iter(ports.values()), None)
    return {
        f"{name}.properties": _properties(
            {
                **_start(jvm),
                "jars": ":".join(map(str, jars)),
                "home": str(node.home),
                "log": str(logs / f"{name}.log"),
                **({} if ready is None else {"ready.port": str(node.port(ready))}),
                **{f"argument.{number}": word for number, word in enumerate(words, 1)},
                **_own_properties(jvm),
            }
        )
        for name, node, words in hosts
    }


def arguments(daemon: Daemon, ports: Mapping[str, int], node: HostedNode) -> list[str]:
    """The arguments of one node.

    Raises:
        InputError: An argument has an unknown placeholder.
    """
    values = _values(node, ports)
    return [_filled(word, values) for word in daemon.start_args]


def options(jvm: Jvm) -> tuple[str, ...]:
    """The network's options for the JVM as a whole; ``-Dkey=value`` becomes each node's own property."""
    return tuple(option for option in jvm.options if not option.startswith("-D"))


def _start(jvm: Jvm) -> dict[str, str]:
    return {"adapter": jvm.adapter} if jvm.adapter else {"main": jvm.main}


def _own_properties(jvm: Jvm) -> dict[str, str]:
    pairs = (option[2:].partition("=") for option in jvm.options if option.startswith("-D"))
    return {f"property.{key}": value for key, _, value in pairs}


def _values(node: HostedNode, ports: Mapping[str, int]) -> dict[str, str]:
    return {
        "name": node.name,
        "index": str(node.index),
        "home": str(node.home),
        "database": node.database,
        **{f"port_{name}": str(node.port(offset)) for name, offset in ports.items()},
    }


def _filled(word: str, values: Mapping[str, str]) -> str:
    def value(match: re.Match[str]) -> str:
        if match[1] not in values:
            known = ", ".join(f"{{{name}}}" for name in values)
            raise InputError(f"daemon.start_args: {match[0]} means nothing; known are {known}")
        return values[match[1]]

    return PLACEHOLDER.sub(value, word)


def _repeated(words: Sequence[str], nodes: Iterable[Mapping[str, str]]) -> Iterator[str]:
    """The arguments of a program that hosts all nodes: those that name a node are repeated for each."""
    everyone = list(nodes)
    held: list[str] = []
    for word in words:
        if PLACEHOLDER.search(word):
            for values in everyone:
                yield from (*held, _filled(word, values))
            held = []
        else:
            yield from held
            held = [word]
            if not word.startswith("-"):
                yield word
                held = []
    yield from held


def _properties(entries: Mapping[str, str]) -> str:
    """The text of a Java properties file."""
    return "".join(f"{_escaped(key)}={_escaped(value)}\n" for key, value in entries.items())


def _escaped(text: str) -> str:
    return re.sub(r"([\\:=#! ])", r"\\\1", text).replace("\n", "\\n").replace("\t", "\\t")
