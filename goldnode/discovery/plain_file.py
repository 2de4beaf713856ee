"""Reads a file that somebody else, or a power cut, may have replaced by anything.

Members keep their state in folders of nodes whose daemons are not trusted, and root reads there: links are not
followed, and a FIFO makes nobody wait.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from goldnode.errors import HostError

#: Bytes of the largest file that ``read_plain`` takes into memory.
PLAIN_LIMIT = 64 << 20
_KINDS = {
    stat.S_IFLNK: "a symbolic link",
    stat.S_IFIFO: "a FIFO",
    stat.S_IFDIR: "a directory",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def read_plain(path: Path, owners: frozenset[int] | None = None) -> bytes:
    """Content of a plain file, opened without following a link (the file itself) and without ever waiting.

    Args:
        path: The file; the folders above it are trusted.
        owners: User IDs it may belong to; None for anybody.

    Raises:
        FileNotFoundError: There is no such file.
        HostError: It is not a plain file, belongs to somebody else, or cannot be read.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise HostError(f"{path} {_why_not(path, error)}") from error
    found = os.fstat(handle)
    if not stat.S_ISREG(found.st_mode):
        os.close(handle)
        raise HostError(f"{path} is {_KINDS[stat.S_IFMT(found.st_mode)]}, not a plain file")
    with os.fdopen(handle, "rb") as stream:
        if owners is not None and found.st_uid not in owners:
            raise HostError(f"{path} belongs to user {found.st_uid}")
        if found.st_size > PLAIN_LIMIT:
            raise HostError(f"{path} is larger than {PLAIN_LIMIT >> 20} MiB")
        return stream.read()


def _why_not(path: Path, error: OSError) -> str:
    kind = stat.S_IFMT(path.lstat().st_mode) if os.path.lexists(path) else 0
    return f"is {_KINDS[kind]}, not a plain file" if kind in _KINDS else f"cannot be read: {error.strerror}"
