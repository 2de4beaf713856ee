"""The JVM host's files for the nodes of a JVM network: one properties file per node; pure.

The network file says how one node is started, with placeholders for what differs from node to
node: ``{name}``, ``{index}`` (from 0), ``{home}``, ``{database}`` (a JDBC URL), ``{port_X}`` for each of its ports, and
``{peers}``, the first port of other nodes of the machine, as ``127.0.0.1:26756,127.0.0.1:26856``.
In isolated mode every node gets a class loader and a file of its own.  In native mode the program
hosts all of them by its own configuration: one file, in which every word with a placeholder,
and the option before it, is repeated for each node.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from goldnode.config import jvm_options
from goldnode.config.daemon import Daemon, Jvm, JvmMode, Ready
from goldnode.config.jvm_options import JvmSettings
from goldnode.errors import InputError
from goldnode.node.plan.ports import BASE, BLOCK

#: What every JVM that hosts nodes is started with; goldnode-jvm.service has the same words.  Heap and collector come
#: from node.yaml, by the file of options: serial collection and small arenas keep the process small; the free ratios
#: give memory of a stopped node's classes back with the next collection instead of after hundreds of megabytes.
FLAGS = (
    "-Xss512k",
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
        database: JDBC URL of its database; empty when the network needs none.
        arguments: Its own words, after those of the network.
        properties: Its own system properties.
        log: How much it logs; empty for the program's own choice.
        jars: Its own class path; empty for that of all.
    """

    name: str
    index: int
    home: Path
    database: str = ""
    arguments: tuple[str, ...] = ()
    properties: Mapping[str, str] = field(default_factory=dict)
    log: str = ""
    jars: tuple[Path, ...] = ()

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
    hosts: list[tuple[str, HostedNode, list[str], Sequence[HostedNode]]]
    jvm = daemon.jvm
    assert jvm is not None  # noqa: S101 - the caller has a JVM network
    if jvm.mode is JvmMode.NATIVE:
        values = [_values(node, ports, nodes) for node in nodes]
        hosts = [(daemon.name, nodes[0], list(_repeated(daemon.start_args, values)), nodes)]
    else:
        hosts = [(node.name, node, arguments(daemon, ports, node, nodes), ()) for node in nodes]
    ready, own = next(iter(ports.values()), None), jvm_options.split(jvm.options)[1]
    return {
        f"{name}.properties": _properties(
            {
                **_start(jvm),
                "jars": ":".join(map(str, node.jars or jars)),
                "home": str(node.home),
                "log": str(logs / f"{name}.log"),
                **({} if ready is None or inside else {"ready.port": str(node.port(ready))}),
                **{f"inside.{each.name}": str(0 if ready is None else each.port(ready)) for each in inside},
                **{f"argument.{number}": word for number, word in enumerate(words, 1)},
                **({"ready.kind": jvm.ready.value} if jvm.ready is not Ready.TCP else {}),
                **({"log.level": node.log} if node.log else {}),
                **{f"property.{key}": value for key, value in {**own, **node.properties}.items()},
            }
        )
        for name, node, words, inside in hosts
    }


def arguments(
    daemon: Daemon, ports: Mapping[str, int], node: HostedNode, nodes: Sequence[HostedNode] = ()
) -> list[str]:
    """The words one node is started with; ``nodes``: all of its machine.

    Raises:
        InputError: An argument has an unknown placeholder.
    """
    values = _values(node, ports, nodes)
    return [*(_filled(word, values) for word in daemon.start_args), *node.arguments]


def options(jvm: Jvm, settings: JvmSettings) -> str:
    """The file of options that concern the JVM as a whole; the machine's come last, so that they hold."""
    words = (*jvm_options.split(jvm.options)[0], *settings.flags)
    return "".join('"' + re.sub(r'(["\\])', r"\\\1", word) + '"\n' for word in words)


def _start(jvm: Jvm) -> dict[str, str]:
    return {"adapter": jvm.adapter} if jvm.adapter else {"main": jvm.main}


def _values(node: HostedNode, ports: Mapping[str, int], nodes: Sequence[HostedNode]) -> dict[str, str]:
    first = next(iter(ports.values()), 0)
    return {
        "name": node.name,
        "index": str(node.index),
        "home": str(node.home),
        "database": node.database,
        "peers": ",".join(f"127.0.0.1:{other.port(first)}" for other in _neighbours(node, nodes)),
        **{f"port_{name}": str(node.port(offset)) for name, offset in ports.items()},
    }


def _neighbours(node: HostedNode, nodes: Sequence[HostedNode]) -> Iterator[HostedNode]:
    """The nodes that stand 1, 2, 4, 8, … places after this one, in a circle.

    Of three nodes that is each other one.  Of twenty, each dials five and not nineteen, and what one node tells
    reaches all in five steps; a chain whose nodes tell each other of peers may connect more of them.
    """
    place, step = nodes.index(node), 1
    while step < len(nodes):
        yield nodes[(place + step) % len(nodes)]
        step *= 2


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
