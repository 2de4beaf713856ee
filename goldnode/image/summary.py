"""What is on an image, in a few numbers and lists: for `image show`, and for comparing two images."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from goldnode.image.disk import Partition
from goldnode.image.packages import installed
from goldnode.image.rule import Image


@dataclass(frozen=True, slots=True)
class Summary:
    """What an image holds.

    Attributes:
        image: Its file's name.
        size: Bytes of the unpacked disk.
        free: Bytes free in the root filesystem.
        partitions: The GPT.
        files: Number of files on root and ESP.
        packages: Versions by name.
        enabled: Units that /etc wants at boot.
        users: Names in /etc/passwd.
    """

    image: str
    size: int
    free: int
    partitions: tuple[Partition, ...]
    files: int
    packages: dict[str, str]
    enabled: tuple[str, ...]
    users: tuple[str, ...]

    def document(self) -> dict[str, Any]:
        """For ``--json``."""
        return {"version": 1, **dataclasses.asdict(self)}


def summarise(name: str, image: Image) -> Summary:
    """Look at an open image."""
    links = image.root.match("/etc/systemd/system/*.wants/*", "/etc/systemd/system/*.requires/*")
    return Summary(
        image=name,
        size=len(image.disk.data),
        free=image.filesystem.free_bytes,
        partitions=image.disk.partitions,
        files=len(image.root.files) + len(image.esp.files),
        packages={package.name: package.version for package in installed(image.root).values()},
        enabled=tuple(sorted({file.path.rsplit("/", 1)[1] for file in links})),
        users=tuple(line.split(":")[0] for line in image.root.lines("/etc/passwd")),
    )
