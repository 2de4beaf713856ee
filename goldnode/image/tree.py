"""The files of an image by path, whatever filesystem holds them.

``Tree`` is what rules and digests look at: a plain mapping of paths with the few questions that
they ask.  The root filesystem is read by ``ext4``; the ESP by mtools, because it is a handful of
files and FAT's long names are not worth a reader of our own.
"""

from __future__ import annotations

import hashlib
import re
import stat
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Protocol

from goldnode.errors import ImageError
from goldnode.image.ext4 import ROOT_INODE, Ext4
from goldnode.run import CommandError, run


class FileKind(StrEnum):
    """The type of a path; the values are part of the digest."""

    FILE = "file"
    FOLDER = "dir"
    LINK = "link"
    CHARACTER = "char"
    BLOCK = "block"
    FIFO = "fifo"
    SOCKET = "socket"


_KINDS = {
    stat.S_IFREG: FileKind.FILE, stat.S_IFDIR: FileKind.FOLDER, stat.S_IFLNK: FileKind.LINK,
    stat.S_IFCHR: FileKind.CHARACTER,
    stat.S_IFBLK: FileKind.BLOCK, stat.S_IFIFO: FileKind.FIFO, stat.S_IFSOCK: FileKind.SOCKET,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class File:
    """One file, folder, link or device.

    Attributes:
        path: Absolute; ``/`` for the root.
        kind: What it is.
        mode: Permission bits with set-user-id, set-group-id and sticky; 0 on the ESP, which has none.
        uid: Owner.
        gid: Group.
        size: Bytes of a regular file, else 0.
        target: Where a symbolic link points, else empty.
        device: ``major:minor`` of a device node, else empty.
        xattrs: Extended attributes by full name.
        number: Inode number; 0 on the ESP.
    """

    path: str
    kind: FileKind
    mode: int = 0
    uid: int = 0
    gid: int = 0
    size: int = 0
    target: str = ""
    device: str = ""
    xattrs: Mapping[str, bytes] = field(default_factory=dict)
    number: int = 0


class FileReader(Protocol):
    """Reads a regular file's content in pieces."""

    def __call__(self, file: File) -> Iterable[bytes | memoryview]:
        """Content from the first byte to the last."""


class Tree:
    """All files of one filesystem, sorted by path.

    Args:
        files: Every file, in any order.
        reader: Where content comes from.
    """

    def __init__(self, files: Iterable[File], reader: FileReader) -> None:
        self.files = {file.path: file for file in sorted(files, key=lambda file: file.path)}
        self._reader = reader
        self._digests: dict[tuple[str, str], str] = {}

    def __iter__(self) -> Iterator[File]:
        return iter(self.files.values())

    def get(self, path: str) -> File | None:
        """The file at ``path``; links are not followed."""
        return self.files.get(path)

    def match(self, *patterns: str) -> Iterator[File]:
        """Files whose path matches one of the patterns (see ``fits``)."""
        expression = _pattern(patterns)
        return (file for file in self if expression.fullmatch(file.path))

    def regular(self, *patterns: str) -> Iterator[File]:
        """Like ``match``, without folders."""
        return (file for file in self.match(*patterns) if file.kind is not FileKind.FOLDER)

    def read(self, path: str) -> bytes:
        """Content of a regular file, following links inside the tree; empty if there is none."""
        file = self.follow(path)
        return b"".join(self._reader(file)) if file and file.kind is FileKind.FILE else b""

    def lines(self, path: str) -> list[str]:
        """Lines of a text file without comments and blanks."""
        text = self.read(path).decode("utf-8", "replace")
        return [line.strip() for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]

    def records(self, path: str, width: int) -> list[list[str]]:
        """Lines of a file like /etc/passwd, split at the colons; short ones are filled up to ``width`` fields."""
        rows = (line.split(":") for line in self.lines(path))
        return [row + [""] * (width - len(row)) for row in rows]

    def follow(self, path: str, hops: int = 10) -> File | None:
        """The file that a path leads to, following symbolic links in any part of it; None if there is none."""
        here = ""
        parts = [part for part in path.split("/") if part and part != "."]
        while parts:
            part = parts.pop(0)
            if part == "..":
                here = here.rpartition("/")[0]
                continue
            file = self.files.get(f"{here}/{part}")
            if file is None or (file.kind is FileKind.LINK and hops <= 0):
                return None
            if file.kind is FileKind.LINK:
                hops -= 1
                here = "" if file.target.startswith("/") else here
                parts = [word for word in file.target.split("/") if word and word != "."] + parts
            else:
                here = file.path
        return self.files.get(here or "/")

    def digest(self, file: File, algorithm: str = "sha256") -> str:
        """Hex digest of a regular file's content."""
        key = (algorithm, file.path)
        if key not in self._digests:
            sum_ = hashlib.new(algorithm, usedforsecurity=False)
            for chunk in self._reader(file):
                sum_.update(chunk)
            self._digests[key] = sum_.hexdigest()
        return self._digests[key]

    def chunks(self, file: File) -> Iterable[bytes | memoryview]:
        """A regular file's content in pieces."""
        return self._reader(file)


def from_ext4(filesystem: Ext4) -> Tree:
    """Every file of an ext4 filesystem."""
    files = []
    pending, folders = [("", ROOT_INODE)], set()
    while pending:
        path, number = pending.pop()
        inode = filesystem.inode(number)
        kind = _KINDS.get(stat.S_IFMT(inode.mode))
        if kind is None:
            raise ImageError(f"{path or '/'} is of an unknown type: the filesystem is damaged")
        if kind is FileKind.FOLDER:
            if number in folders:
                raise ImageError(f"{path} leads back to itself: the filesystem is damaged")
            folders.add(number)
            pending += [(f"{path}/{name}", child) for name, child in filesystem.entries(inode)]
        device = "{}:{}".format(*inode.device) if kind in (FileKind.CHARACTER, FileKind.BLOCK) else ""
        files.append(File(
            path=path or "/", kind=kind, mode=stat.S_IMODE(inode.mode), uid=inode.uid, gid=inode.gid,
            size=inode.size if kind is FileKind.FILE else 0,
            target=filesystem.target(inode) if kind is FileKind.LINK else "",
            device=device, xattrs=filesystem.xattrs(inode), number=number,
        ))  # fmt: skip
    return Tree(files, lambda file: filesystem.chunks(filesystem.inode(file.number)))


def from_fat(disk: Path, start: int, scratch: Path) -> Tree:
    """Every file of a FAT filesystem at byte ``start`` of a raw disk.

    Args:
        disk: The raw file.
        start: Where the filesystem begins.
        scratch: An empty folder for what mtools copies; the tree reads from there.

    Raises:
        ImageError: mtools cannot read it.
    """
    try:
        run(["mcopy", "-s", "-n", "-Q", "-i", f"{disk}@@{start}", "::/", scratch], env={"MTOOLS_SKIP_CHECK": "1"})
    except CommandError as error:
        raise ImageError(f"the EFI system partition is damaged: {error.stderr.strip()}") from error
    files = [
        File(
            path=f"/{path.relative_to(scratch)}",
            kind=FileKind.FOLDER if path.is_dir() else FileKind.FILE,
            size=0 if path.is_dir() else path.stat().st_size,
        )
        for path in scratch.rglob("*")
    ]
    return Tree(files, lambda file: [(scratch / file.path[1:]).read_bytes()])


def fits(path: str, *patterns: str) -> bool:
    """Whether a path matches a pattern: ``*`` within one folder, ``**`` across folders."""
    return _pattern(patterns).fullmatch(path) is not None


@cache
def _pattern(patterns: tuple[str, ...]) -> re.Pattern[str]:
    wild = {"**": ".*", "*": "[^/]*"}
    pieces = (re.split(r"(\*\*|\*)", pattern) for pattern in patterns)
    return re.compile(
        "|".join("".join(wild.get(word, re.escape(word)) for word in words) for words in pieces), re.DOTALL
    )
