"""What a network adds to the base image: files, what is deferred, and where its programs came from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from goldnode.fetch.artifact import Deferred

#: Where everything of ours is on the image.
LIB = "/usr/lib/goldnode"


class Origin(StrEnum):
    """Where a program came from."""

    RELEASE = "release"
    SOURCE = "source"
    DEFERRED = "deferred"
    JARS = "jars"
    CRATE = "crate"


@dataclass(frozen=True, slots=True)
class PayloadFile:
    """A file for the image: its path there, where it is now, its permissions."""

    path_on_image: str
    source: Path
    mode: int


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where a program came from, for the manifest.

    Attributes:
        origin: Release, source, deferred, a list of jars, or a crate.
        name: Its file name.
        version: What it answered when it was started here, which is what the network file says.
        url: Of the release; empty when built.
        module: Go module, or crate, with its version; empty for a release.
        sum: The module's ``h1:`` sum, or the sha256 of the crate or of what ``url`` gives.
        toolchain: What compiled it; empty for a release.
        sha256: Of the program itself, as it goes into the image; empty when deferred.
        started: Whether it really ran here; false for another architecture and for what is deferred.
        crates: Of a crate, what it was built from: name, version and sha256 of each.
    """

    origin: Origin
    name: str
    version: str
    url: str = ""
    module: str = ""
    sum: str = ""
    toolchain: str = ""
    sha256: str = ""
    started: bool = False
    crates: tuple[str, ...] = ()

    def document(self) -> dict[str, Any]:
        """An entry of the manifest, without empty fields."""
        fields: Mapping[str, Any] = {name: getattr(self, name) for name in self.__slots__}
        return {
            name: str(value) if name == "origin" else value for name, value in fields.items() if value not in ("", ())
        }


@dataclass(frozen=True, slots=True)
class NextVersion:
    """A daemon that the image carries for a future upgrade.

    Attributes:
        plan: The upgrade plan's name.
        height: First height it makes.
        provenance: Where it came from.
    """

    plan: str
    height: int
    provenance: Provenance

    def document(self) -> dict[str, Any]:
        """An entry of the manifest."""
        return {"plan": self.plan, "height": self.height, **self.provenance.document()}


@dataclass(frozen=True, slots=True)
class Payload:
    """Everything a network adds to the base.

    Attributes:
        files: Daemon, libraries, genesis, default configuration.
        deferred: What the node fetches at its first boot.
        daemon: Where the daemon came from.
        key: Digest of all inputs: the same key means the same bytes.
        programs: Where the other programs came from.
        next_versions: Daemons for upgrades that lie ahead.
        unpinned_steps: Upgrades ahead whose daemon nobody pinned, as sentences.
    """

    files: tuple[PayloadFile, ...]
    deferred: tuple[Deferred, ...]
    daemon: Provenance
    key: str
    programs: tuple[Provenance, ...] = ()
    next_versions: tuple[NextVersion, ...] = ()
    unpinned_steps: tuple[str, ...] = ()
