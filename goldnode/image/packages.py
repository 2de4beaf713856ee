"""Which Debian packages an image holds, read from dpkg's own status file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from goldnode.image.tree import Tree


@dataclass(frozen=True, slots=True)
class Package:
    """One Debian package; ``state`` is the last word of its status, `installed` when all is well."""

    name: str
    version: str
    architecture: str
    state: str


def packages(root: Tree) -> Iterator[Package]:
    """Every package dpkg knows of, in its order."""
    text = root.read("/var/lib/dpkg/status").decode("utf-8", "replace")
    for paragraph in text.split("\n\n"):
        fields = dict(
            line.split(": ", 1) for line in paragraph.splitlines() if ": " in line and not line.startswith((" ", "\t"))
        )
        if "Package" in fields:
            state = (fields.get("Status", "").split() or ["unknown"])[-1]
            yield Package(fields["Package"], fields.get("Version", ""), fields.get("Architecture", ""), state)


def installed(root: Tree) -> dict[str, Package]:
    """Installed packages by name."""
    return {package.name: package for package in packages(root) if package.state == "installed"}
