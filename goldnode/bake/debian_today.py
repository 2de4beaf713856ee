"""What Debian has today: its index of packages, fetched and verified by apt, for whoever asks how old an image is.

The same program, mirror and keys as for a base (``goldnode/bake/base.py``), but nothing is installed:
mmdebstrap has apt update its lists and hands them over.  16 s, most of it the download.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from goldnode.bake import snapshot
from goldnode.bake.base import SUITE
from goldnode.errors import HostError
from goldnode.run import CommandError, run

#: What the lists of Debian's security archive have in their names.
_SECURITY = "-security_"


@dataclass(frozen=True, slots=True)
class Offer:
    """One version of a package that Debian has.

    Attributes:
        version: As Debian writes it.
        security: It is in the security archive: it is a security update.
    """

    version: str
    security: bool


def offers(arch: str, state: tuple[snapshot.Service, str] | None = None) -> dict[str, tuple[Offer, ...]]:
    """Every version of every package of the suite, by name.

    Args:
        arch: Debian's name of the architecture.
        state: A snapshot service, and which state of its; None for the mirror, today.

    Raises:
        HostError: The mirror cannot be used, or what it gave does not hold its signature.
    """
    with tempfile.TemporaryDirectory() as folder:
        argv = ["mmdebstrap", "--quiet", "--variant=custom", f"--architectures={arch}"]
        argv += ['--aptopt=Acquire::GzipIndexes "false"']
        if state:
            argv += [f"--setup-hook={hook}" for hook in snapshot.setup_hooks(*state)]
        argv += [f"--customize-hook=copy-out /var/lib/apt/lists {folder}"]
        try:
            run([*argv, SUITE, "/dev/null"])
        except CommandError as error:
            raise HostError(
                f"Debian's index of packages cannot be had:\n{error.message}", hint="apt-get update"
            ) from error
        found: dict[str, list[Offer]] = {}
        for index in sorted(Path(folder).glob("lists/*_Packages")):
            for name, version in _read(index):
                found.setdefault(name, []).append(Offer(version, _SECURITY in index.name))
    return {name: tuple(versions) for name, versions in found.items()}


def is_newer(version: str, than: str) -> bool:
    """Debian's own comparison of versions, by its own program."""
    return version != than and run(["dpkg", "--compare-versions", version, "gt", than], check=False).returncode == 0


def _read(index: Path) -> Iterator[tuple[str, str]]:
    """Name and version of each package in a list; 60 MB of it, so only two lines of each are looked at."""
    with index.open(encoding="utf-8", errors="replace") as lines:
        yield from _pairs(lines)


def _pairs(lines: Iterable[str]) -> Iterator[tuple[str, str]]:
    name = ""
    for line in lines:
        if line.startswith("Package: "):
            name = line[9:].strip()
        elif line.startswith("Version: "):
            yield name, line[9:].strip()
