"""Files that come from outside: where each is published, and what it must be.

Values only: a network file is full of them, every boot reads it, and no boot needs HTTP for that.
They are kept by ``goldnode/fetch/store.py``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit


class Format(StrEnum):
    """How the file is packed."""

    RAW = "raw"
    GZ = "gz"
    ZIP = "zip"
    TAR_GZ = "tar.gz"
    #: A genesis inside an RPC server's answer to /genesis; never guessed from a URL.
    RPC = "rpc"

    @classmethod
    def of(cls, url: str) -> Format:
        """Guess the format from the suffix of a URL's path."""
        path = urlsplit(url).path.lower()
        if path.endswith((".tar.gz", ".tgz")):
            return cls.TAR_GZ
        if path.endswith(".gz"):
            return cls.GZ
        return cls.ZIP if path.endswith(".zip") else cls.RAW


@dataclass(frozen=True, slots=True)
class Artifact:
    """A file from outside.

    Attributes:
        url: Where it is published, http or https.
        sha256: Lower-case hex digest of the bytes at ``url`` (of the archive, where there is one);
            empty while it is neither published nor locked.
        size: Length of those bytes, when known.
        format: How the file is packed.
        member: Its name inside a zip or tar.gz.
    """

    url: str
    sha256: str = ""
    size: int | None = None
    format: Format = Format.RAW
    member: str = ""

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Artifact:
        """Read the artifact part of a valid network file or of deferred.json."""
        return cls(
            url=document["url"],
            sha256=document.get("sha256", ""),
            size=document.get("size"),
            format=Format(document.get("format") or Format.of(document["url"])),
            member=document.get("member", ""),
        )

    @property
    def filename(self) -> str:
        """The last part of the URL's path, as a browser would name the file."""
        return PurePosixPath(unquote(urlsplit(self.url).path)).name


@dataclass(frozen=True, slots=True)
class Deferred:
    """An artifact that could not be obtained while baking: the node fetches it at its first boot.

    Attributes:
        name: What it is for, as ``daemon`` or ``genesis``.
        artifact: Where it is, always with its hash.
        path: Where the unpacked file goes on the node.
        mode: Its permissions there.
    """

    name: str
    artifact: Artifact
    path: str
    mode: int

    def document(self) -> dict[str, Any]:
        """The entry in deferred.json."""
        wanted = self.artifact
        return {
            "name": self.name, "url": wanted.url, "sha256": wanted.sha256, "size": wanted.size,
            "format": wanted.format.value, "member": wanted.member, "path": self.path, "mode": f"{self.mode:04o}",
        }  # fmt: skip

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Deferred:
        """Read back one entry of deferred.json."""
        return cls(document["name"], Artifact.from_document(document), document["path"], int(document["mode"], 8))
