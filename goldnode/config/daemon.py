"""The program that is a node: what it is called, where it comes from, how it is started.

Part of a network file (``goldnode/config/network.py``); standard library only, the node reads it at boot.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from goldnode.fetch.artifact import Artifact


class DaemonKind(StrEnum):
    """What runs a node: a program of its own, or a Java virtual machine shared by several."""

    GO = "go"
    JVM = "jvm"


class Family(StrEnum):
    """What a Go daemon is made with: decides its commands, its config files and what ``slashing`` means."""

    COMETBFT = "cometbft"
    COSMOS_SDK = "cosmos-sdk"


class JvmMode(StrEnum):
    """How several nodes share one JVM: by the program's own configuration, or by class loaders."""

    NATIVE = "native"
    ISOLATED = "isolated"


class Ready(StrEnum):
    """What a node's first port has to do when it is ready: accept connections, or serve gRPC's health as SERVING."""

    TCP = "tcp"
    GRPC = "grpc"


@dataclass(frozen=True, slots=True)
class Library:
    """A shared library the daemon needs beside it, taken from a Go module.

    Attributes:
        name: Its file name on the image, in the loader's search path.
        module: The Go module that carries it.
        version: That module's version, with its ``v``.
        sum: The module's ``h1:`` sum.
        files: Path inside the module, per architecture.
    """

    name: str
    module: str
    version: str
    sum: str
    files: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class BuildSource:
    """How the daemon is built from source, as the main module and with its own go.sum.

    Two ways lead to the sources: the Go module proxy (``module`` and ``version``), or git (``git`` and
    ``commit``) where a repository is no module that a proxy serves.  A draft has only ``git`` and
    ``tag``; ``network lock`` fills in the rest.

    Attributes:
        module: Module path, with its major version suffix; empty when git is the way.
        version: Version, with its ``v``; empty when git is the way.
        sum: The ``h1:`` sum of the module's zip, as in go.sum; by git, of the commit's files; empty in a draft.
        package: Package to build, as ``./cmd/wasmd``.
        toolchain: Exact Go toolchain, as ``go1.25.5``.
        cgo: Build with a C compiler.
        tags: Build tags.
        ldflags: Linker flags, version stamps among them.
        git: The repository; empty when only the module is known.
        tag: The release's tag in it.
        commit: The commit that the tag named when it was pinned.
    """

    module: str = ""
    version: str = ""
    sum: str = ""
    package: str = ""
    toolchain: str = ""
    cgo: bool = False
    tags: tuple[str, ...] = ()
    ldflags: tuple[str, ...] = ()
    git: str = ""
    tag: str = ""
    commit: str = ""

    @property
    def label(self) -> str:
        """The sources in one word, for people and manifests."""
        return f"{self.module}@{self.version}" if self.module else f"{self.git}@{self.commit or self.tag}"


@dataclass(frozen=True, slots=True)
class Jvm:
    """How a JVM network's nodes run.

    Attributes:
        mode: Native (the program hosts several nodes itself) or isolated (one class loader each).
        main: Class whose ``main`` starts a node.
        jars: File beside the network file with one ``SHA256  group:artifact:version`` per line.
        adapter: Class in this repository that starts and stops a node more gently than ``main``; empty for none.
        options: Options of the JVM itself.
        ready: What a node's first port tells by.
        program: Java source beside the network file that has ``main``; empty when a jar has it.
    """

    mode: JvmMode
    main: str
    jars: str
    adapter: str = ""
    options: tuple[str, ...] = ()
    program: str = ""
    ready: Ready = Ready.TCP


@dataclass(frozen=True, slots=True)
class Daemon:
    """The program that is a node.

    Attributes:
        name: Its file name.
        version: What ``NAME version`` answers, without a leading ``v``.
        kind: A program, or something for the JVM.
        family: What it is made with.
        home: Its home below the node's own, as ``.osmosisd``.
        release: Published binaries, per architecture (amd64, arm64).
        source: How to build it; None when only releases are known.
        libraries: What it is linked against, and shipped with.
        start_args: Added to ``start`` (cosmos-sdk) or ``node`` (cometbft).
        version_args: What makes it tell its version.
        jvm: Set exactly for kind ``jvm``.
    """

    name: str
    version: str
    kind: DaemonKind
    family: Family
    home: str
    release: Mapping[str, Artifact]
    source: BuildSource | None
    libraries: tuple[Library, ...]
    start_args: tuple[str, ...]
    version_args: tuple[str, ...]
    jvm: Jvm | None

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Daemon:
        """Read the ``daemon`` of a valid network file."""
        jvm = document.get("jvm")
        return cls(
            name=document["name"],
            version=str(document["version"]),
            kind=DaemonKind(document.get("kind", DaemonKind.GO)),
            family=Family(document.get("family", Family.COSMOS_SDK)),
            home=document["home"],
            release=releases(document),
            source=source(document),
            libraries=libraries(document),
            start_args=tuple(document.get("start_args", ())),
            version_args=tuple(document.get("version_args", ("version",))),
            jvm=Jvm(
                mode=JvmMode(jvm["mode"]),
                main=jvm["main"],
                jars=jvm["jars"],
                adapter=jvm.get("adapter", ""),
                options=tuple(jvm.get("options", ())),
                program=jvm.get("program", ""),
                ready=Ready(jvm.get("ready", Ready.TCP)),
            )
            if jvm
            else None,
        )


def releases(document: Mapping[str, Any]) -> dict[str, Artifact]:
    """Published binaries per architecture, of a daemon or of a step of the upgrade ladder."""
    return {arch: Artifact.from_document(entry) for arch, entry in document.get("release", {}).items()}


def source(document: Mapping[str, Any]) -> BuildSource | None:
    """How a daemon, or a step of the upgrade ladder, is built; None when it is not."""
    entry = document.get("source")
    if not entry:
        return None
    words = {name: str(entry.get(name, "")) for name in BuildSource.__slots__ if name not in ("cgo", "tags", "ldflags")}
    return BuildSource(
        **words, cgo=entry.get("cgo", False), tags=tuple(entry.get("tags", ())), ldflags=tuple(entry.get("ldflags", ()))
    )


def libraries(document: Mapping[str, Any]) -> tuple[Library, ...]:
    """Shared libraries of a daemon, or of a step of the upgrade ladder."""
    return tuple(
        Library(entry["name"], entry["module"], entry["version"], entry["sum"], entry["files"])
        for entry in document.get("libraries", ())
    )
