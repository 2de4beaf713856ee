"""The root filesystem of an image as a tar archive: for containers, and for tools that want a folder.

Nothing is mounted and nothing needs root here; whoever unpacks it as root gets owners, devices
and file capabilities back (``tar --xattrs --xattrs-include='*' -xpf``).
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from typing import BinaryIO

from goldnode.image.tree import File, FileKind, Tree

_TYPES = {
    FileKind.FILE: tarfile.REGTYPE, FileKind.FOLDER: tarfile.DIRTYPE, FileKind.LINK: tarfile.SYMTYPE,
    FileKind.CHARACTER: tarfile.CHRTYPE, FileKind.BLOCK: tarfile.BLKTYPE, FileKind.FIFO: tarfile.FIFOTYPE,
}  # fmt: skip


def write_tar(tree: Tree, out: BinaryIO) -> None:
    """Write every file but sockets, in the order of their paths, with owners, modes and capabilities."""
    with tarfile.open(fileobj=out, mode="w|", format=tarfile.PAX_FORMAT) as archive:
        for file in tree:
            if file.kind is not FileKind.SOCKET:
                content = io.BufferedReader(_Stream(iter(tree.chunks(file)))) if file.kind is FileKind.FILE else None
                archive.addfile(_member(file), content)


def _member(file: File) -> tarfile.TarInfo:
    member = tarfile.TarInfo("." + file.path.rstrip("/"))
    member.type, member.mode, member.uid, member.gid = _TYPES[file.kind], file.mode, file.uid, file.gid
    member.size, member.linkname = file.size, file.target
    if file.device:
        member.devmajor, member.devminor = map(int, file.device.split(":"))
    # On disk ACLs have a form of their own; capabilities and user attributes are as the kernel takes them.
    kept = {name: value for name, value in file.xattrs.items() if not name.startswith("system.")}
    member.pax_headers = {
        f"SCHILY.xattr.{name}": value.decode("utf-8", "surrogateescape") for name, value in kept.items()
    }
    return member


class _Stream(io.RawIOBase):
    """A file's pieces as something with ``read``, which is what tarfile wants."""

    def __init__(self, pieces: Iterator[bytes | memoryview]) -> None:
        self._pieces, self._rest = pieces, memoryview(b"")

    def readable(self) -> bool:
        """Yes: io.BufferedReader asks."""
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        """Fill as much of the buffer as one piece can."""
        if not self._rest:
            self._rest = memoryview(next(self._pieces, b""))
        size = min(len(buffer), len(self._rest))
        buffer[:size] = self._rest[:size]
        self._rest = self._rest[size:]
        return size
