"""What is on an image, in a few numbers and lists: for `image show`, and for comparing two images."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from goldnode.image.disk import Partition
from goldnode.image.packages import installed
from goldnode.image.rule import Image

#: What the image says about itself, and where daemons for upgrades are.
FACTS, NEXT = "/usr/lib/goldnode/image.json", "/usr/lib/goldnode/daemons/*/*/bin/*"


@dataclass(frozen=True, slots=True)
class ImageSummary:
    """The content of an image, summarised.

    Attributes:
        image: Its file's name.
        size: Bytes of the unpacked disk.
        free: Bytes free in the root filesystem.
        partitions: The GPT.
        files: Number of files on root and ESP.
        packages: Versions by name.
        enabled: Units that /etc enables at boot.
        users: Names in /etc/passwd.
        daemons: The daemon's versions: the current one first, then those for future upgrades.
    """

    image: str
    size: int
    free: int
    partitions: tuple[Partition, ...]
    files: int
    packages: dict[str, str]
    enabled: tuple[str, ...]
    users: tuple[str, ...]
    daemons: tuple[str, ...] = ()

    def document(self) -> dict[str, Any]:
        """For ``--json``."""
        return {"version": 1, **dataclasses.asdict(self)}


def summarise(name: str, image: Image) -> ImageSummary:
    """Summarise an open image."""
    links = image.root.match("/etc/systemd/system/*.wants/*", "/etc/systemd/system/*.requires/*")
    return ImageSummary(
        image=name,
        size=len(image.disk.data),
        free=image.filesystem.free_bytes,
        partitions=image.disk.partitions,
        files=len(image.root.files) + len(image.esp.files),
        packages={package.name: package.version for package in installed(image.root).values()},
        enabled=tuple(sorted({file.path.rsplit("/", 1)[1] for file in links})),
        users=tuple(line.split(":")[0] for line in image.root.lines("/etc/passwd")),
        daemons=tuple(_daemons(image)),
    )


def _daemons(image: Image) -> Iterator[str]:
    """Versions of the daemon: the one in image.json, and those ready for upgrades."""
    try:
        daemon = json.loads("\n".join(image.root.lines(FACTS)))["daemon"]
        yield f"{daemon['name']} {daemon['version']}"
    except (ValueError, KeyError, TypeError):
        return
    for file in sorted(image.root.match(NEXT), key=lambda file: file.path):
        *_, name, version, _, _ = file.path.split("/")
        yield f"{name} {version}, for an upgrade ahead"
