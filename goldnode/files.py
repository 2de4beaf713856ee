"""Files that are whole or absent: atomic writes, digests, locks.

Whatever goldnode writes appears under its final name only when it is complete and on disk, so
that a crash, a full disk or a power cut leaves the old file or none.  Standard library only.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from goldnode.errors import HostError

CHUNK = 1 << 20


@contextlib.contextmanager
def replacing(path: Path, mode: int = 0o644) -> Iterator[Path]:
    """Give the block a temporary sibling to fill; rename it to ``path`` when the block succeeds.

    Raises:
        HostError: The disk is full; ``path`` is as it was before.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # Without tempfile, which would bring shutil and what that needs into every start of a node's program.
    draft = path.with_name(f".{path.name}.{os.urandom(6).hex()}")
    draft.touch(0o600, exist_ok=False)
    try:
        yield draft
        draft.chmod(mode)
        _sync(draft)
        draft.replace(path)
        _sync(path.parent)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise HostError(f"no space left to write {path}", hint=f"df -h {path.parent}") from error
        raise
    finally:
        draft.unlink(missing_ok=True)


def write_atomic(path: Path, data: bytes | str, mode: int = 0o644) -> None:
    """Write ``data`` to ``path`` as a whole, with ``mode`` from the first moment on."""
    with replacing(path, mode) as draft:
        draft.write_bytes(data.encode() if isinstance(data, str) else data)


def write_json(path: Path, document: Any, mode: int = 0o644) -> None:
    """Write a JSON document for people and programs: indented, keys as given, newline at the end."""
    write_atomic(path, json.dumps(document, indent=2, ensure_ascii=False) + "\n", mode)


def sha256_file(path: Path) -> str:
    """Lower-case hex SHA-256 of a file's content."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock on ``path`` (created when absent); waits for whoever holds it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
