"""Options of a JVM that nodes share: whose each is, and which ones the JVM host refuses.

What the JDK reads, it reads once for the whole JVM, most of it before any node starts, so such a property is
never one node's.  Standard library only, the node reads it at boot.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

#: A Java property's name.
PROPERTY = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.$-]{0,199}")
#: What the first word of an option may be; all else names another program, or belongs on another command line.
_OPTION = re.compile(
    r"-X\S+|-D[^=]+=.*|-(ea|da|esa|dsa)(:\S+)?|--(add-(opens|exports|reads)|enable-native-access)=\S+|--enable-preview"
)
#: Names that the JDK's own code reads.
_JDK = re.compile(
    r"(java|javax|jdk|sun|com\.sun|user|file|native|stdout|stderr|stdin|line|path|os|http|https|ftp|networkaddress)\..*"
    r"|(socks|http|https|ftp)[A-Z].*"
)
#: Exception: logging is each node's own, and so is the file that configures it.
_OWN = frozenset({"java.util.logging.config.file"})
#: What the host sets itself: for the JVM, or for each node.
_HOSTS = frozenset({
    "java.util.concurrent.ForkJoinPool.common.threadFactory", "java.nio.channels.DefaultThreadPool.threadFactory",
    "java.util.logging.manager", "jdk.trackAllThreads", "java.system.class.loader", "java.security.manager",
    "user.dir", "user.home", "java.io.tmpdir", "java.class.path", "java.home",
})  # fmt: skip
_REFUSED = (
    (re.compile(r"-XX:[+-]Use\w*GC"), "chooses a collector", "write collector: g1 under jvm: in node.yaml"),
    (
        re.compile(r"-Xmx.*|-mx.*|-XX:(Max|Initial|Min)(HeapSize|RAMPercentage|RAM|RAMFraction)=.*|-Xms.*"),
        "sizes the heap",
        "write heap: 2g, or heap: 60%, under jvm: in node.yaml",
    ),
    (
        re.compile(r"-XX:(\+(ExitOn|CrashOn)OutOfMemoryError|OnOutOfMemoryError=.*)"),
        "would end all nodes when one of them asks for too much at once",
        "remove it: a heap that is spent ends the JVM without it",
    ),
    (
        re.compile(r"-Xbootclasspath.*|-XX:(Flags|VMOptionsFile)=.*"),
        "would change the JVM host itself",
        "remove it",
    ),
)


class Collector(StrEnum):
    """How the JVM collects garbage: by the least memory, by the most work done, or by short pauses."""

    SERIAL = "serial"
    PARALLEL = "parallel"
    G1 = "g1"
    Z = "z"

    @property
    def flag(self) -> str:
        """As the JVM has it."""
        return f"-XX:+Use{ {'g1': 'G1', 'z': 'Z'}.get(self.value, self.value.capitalize()) }GC"


#: A heap's size, in MiB, GiB or as a share of the machine's memory.
HEAP = re.compile(r"[1-9][0-9]{0,5}[mg]|[1-9][0-9]?%")
HEAP_MEANING = "512m, 4g or 60%"


@dataclass(frozen=True, slots=True)
class JvmSettings:
    """What a machine says of its JVM.

    Attributes:
        heap: Largest heap, as ``HEAP`` has it.
        collector: Its garbage collector.
        options: Further options of the JVM.
    """

    heap: str = "60%"
    collector: Collector = Collector.SERIAL
    options: tuple[str, ...] = ()

    @property
    def flags(self) -> tuple[str, ...]:
        """What the JVM is started with."""
        size = f"-XX:MaxRAMPercentage={self.heap[:-1]}" if self.heap.endswith("%") else f"-Xmx{self.heap}"
        return (self.collector.flag, size, *self.options)


#: The JVM of a machine that says nothing about it.
USUAL = JvmSettings()


def refusal(option: str) -> tuple[str, str] | None:
    """Why the host does not take an option, and what to write instead; None when it does."""
    for form, reason, fix in _REFUSED:
        if form.fullmatch(option):
            return reason, fix
    if not _OPTION.fullmatch(option) or not option.isprintable():
        return "is no option that a JVM of several nodes can take", "write -X…, -Dkey=value, --add-opens=… or remove it"
    if option.startswith("-D") and (key := option[2:].partition("=")[0]) in _HOSTS:
        return f"sets {key}, which the JVM host sets itself", "remove it"
    return None


def belongs_to_jvm(key: str) -> bool:
    """Whether the JDK reads a property, once for all nodes."""
    return bool(_JDK.fullmatch(key)) and key not in _OWN


def own_refusal(key: str) -> tuple[str, str] | None:
    """Why a property cannot be one node's own, and what to write instead; None when it can."""
    if key in _HOSTS:
        return f"{key} is set by the JVM host", "remove it"
    if belongs_to_jvm(key):
        return f"{key} is read by the JDK, once for all nodes", f"write options: [-D{key}=…] under jvm:"
    return None


def split(options: tuple[str, ...]) -> tuple[tuple[str, ...], dict[str, str]]:
    """Options of the JVM as a whole, and the properties among them that each node has for itself."""
    own = {key: value for key, value in _properties(options) if not belongs_to_jvm(key)}
    return tuple(option for option in options if option[2:].partition("=")[0] not in own), own


def _properties(options: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    for option in options:
        if option.startswith("-D"):
            key, _, value = option[2:].partition("=")
            yield key, value
