"""Where a bake works: a folder of its own beside the results, gone afterwards."""

from __future__ import annotations

import fcntl
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from goldnode import files, paths
from goldnode.errors import HostError

#: Bytes a bake may write beside its result: the overlay, the payload and, for the checks, the sparse raw disk.
SPACE = 2 << 30


@contextmanager
def temporary_build_dir() -> Iterator[Path]:
    """A folder for one bake, on the same filesystem as the results; gone afterwards, with all that is in it.

    Raises:
        HostError: There is not enough space for it.
    """
    results = paths.out()
    results.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(results).free
    if free < SPACE:
        raise HostError(
            f"not enough space to bake: {results} has {free >> 20} MiB free, a bake needs {SPACE >> 20} MiB",
            hint=f"df -h {results}; or set GOLDNODE_OUT to a folder on a larger disk",
        )
    for old in results.glob(".bake-*"):
        if _abandoned(old):
            shutil.rmtree(old, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=".bake-", dir=results) as name:
        build_dir = Path(name)
        with files.locked(build_dir / "alive"):
            yield build_dir


@contextmanager
def short_name(folder: Path) -> Iterator[Path]:
    """Another name for a folder, under which programs can make sockets in it: their paths may have 107 bytes."""
    with tempfile.TemporaryDirectory(prefix="goldnode-") as name:
        short = Path(name, "bake")
        short.symlink_to(folder.absolute())
        yield short


def _abandoned(build_dir: Path) -> bool:
    """Whether the bake that owned this folder was killed: a running one holds its lock."""
    try:
        with (build_dir / "alive").open("a") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, FileNotFoundError):
        return False
    return True
