"""The data volume: mounted where the nodes are kept, recognised, and never replaced by something else.

A machine whose nodes live on a volume must not start without it: it would make new keys, or find
an old state.  So the volume's UUID is recorded when it is first used, and a boot without that
volume is refused.  It is formatted only when it is blank.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from goldnode.errors import HostError, SafetyError
from goldnode.files import write_json
from goldnode.node.layout import Layout
from goldnode.run import run

ROOT = "root"
#: The label of a file system that we made.
LABEL = "goldnode-data"
OPTIONS = "noatime,nodev,nosuid,noexec"
#: Seconds a device may take to appear: clouds attach volumes after the machine has started.
APPEARS = 30.0


class Step(StrEnum):
    """What is to be done with the volume."""

    NOTHING = "nothing"
    MOUNT = "mount"
    FORMAT = "format and mount"


@dataclass(frozen=True, slots=True)
class Found:
    """What is known of the volume.

    Attributes:
        data: What node.yaml says: `root`, a device, `LABEL=…` or `UUID=…`.
        device: The device's path; empty while there is none.
        filesystem: Its type; empty when the device is blank.
        uuid: Its UUID.
        label: Its label.
        recorded: UUID of the volume used before; empty when none was.
        mounted: UUID of what is mounted there now; empty when nothing is.
        nodes_on_root: Nodes are kept on the root disk already.
    """

    data: str
    device: str = ""
    filesystem: str = ""
    uuid: str = ""
    label: str = ""
    recorded: str = ""
    mounted: str = ""
    nodes_on_root: bool = False


def decide(found: Found) -> Step:
    """What is to be done.

    Raises:
        SafetyError: Going on could make a second node out of one, or destroy data.
        HostError: The device is not there.
    """
    if found.data == ROOT:
        if found.recorded:
            raise SafetyError(
                f"this machine's nodes are on the volume {found.recorded}, and node.yaml says data: root",
                hint=f"write data: UUID={found.recorded}",
            )
        return Step.NOTHING
    if not found.device:
        raise HostError(f"the data volume {found.data} is not attached", hint="attach it, then: goldnode configure")
    if found.recorded and found.uuid != found.recorded:
        raise SafetyError(
            f"{found.data} is another volume ({found.uuid or 'blank'}) than the nodes' ({found.recorded})",
            hint="attach the right one; nothing was changed",
        )
    if found.mounted:
        if found.mounted != found.uuid:
            raise SafetyError(f"something else is mounted where the nodes are kept ({found.mounted})")
        return Step.NOTHING
    if found.nodes_on_root and not found.recorded:
        raise SafetyError(
            "this machine's nodes are on its root disk, and node.yaml now names a volume",
            hint="write data: root, or move the node: goldnode handover",
        )
    if not found.filesystem:
        return Step.FORMAT
    if found.label != LABEL and not found.data.startswith(("LABEL=", "UUID=")):
        raise SafetyError(
            f"{found.device} holds a file system ({found.filesystem}, label {found.label or 'none'}) of others",
            hint=f"name it on purpose: data: UUID={found.uuid}",
        )
    return Step.MOUNT


class Disks(Protocol):
    """The machine's block devices."""

    def find(self, data: str) -> Found:
        """The device that node.yaml means, and what is on it."""

    def format(self, device: str) -> None:
        """Make a file system on a blank device."""

    def mount(self, device: str, folder: Path) -> None:
        """Mount a device."""


def ensure(layout: Layout, data: str, disks: Disks) -> None:
    """Have the nodes' folder on the volume that node.yaml names.

    Raises:
        SafetyError: See ``decide``.
        HostError: See ``decide``.
    """
    record = layout.state / "volume.json"
    recorded = json.loads(record.read_text())["uuid"] if record.exists() else ""
    seen = disks.find(data) if data != ROOT else Found(data)
    on_root = not seen.mounted and layout.nodes.is_dir() and any(layout.nodes.iterdir())
    found = Found(
        data, seen.device, seen.filesystem, seen.uuid, seen.label, recorded, seen.mounted, nodes_on_root=on_root
    )
    step = decide(found)
    if step is Step.FORMAT:
        disks.format(found.device)
        found = disks.find(data)
    if step is not Step.NOTHING:
        layout.nodes.mkdir(parents=True, exist_ok=True)
        disks.mount(found.device, layout.nodes)
    if data != ROOT and not recorded:
        write_json(record, {"version": 1, "uuid": found.uuid, "data": data})


class LiveDisks:
    """The real ones.

    Args:
        folder: Where the volume is mounted.
        wait: Waits until a path exists, at most that many seconds.
    """

    def __init__(self, folder: Path, wait: Callable[[Path, float], bool]) -> None:
        self._folder, self._wait = folder, wait

    def find(self, data: str) -> Found:
        """The device that node.yaml means, and what is on it."""
        kind, _, name = data.partition("=")
        path = Path(f"/dev/disk/by-{kind.lower()}/{name}") if name else Path(data)
        if not self._wait(path, APPEARS):
            return Found(data)
        # -p asks the device itself: a cache would call a freshly attached one blank.
        answer = run(["blkid", "-p", "-o", "export", path], timeout=60, check=False)
        facts = dict(line.split("=", 1) for line in answer.stdout.splitlines() if "=" in line)
        if not facts.get("TYPE") and (facts.get("PTTYPE") or answer.returncode not in (0, 2)):
            raise SafetyError(f"{path} is not blank, and holds no file system", hint=f"blkid -p {path}")
        mounted = run(["findmnt", "-n", "-o", "UUID", "--mountpoint", self._folder], timeout=60, check=False).stdout
        return Found(
            data, str(path), facts.get("TYPE", ""), facts.get("UUID", ""), facts.get("LABEL", ""), "", mounted.strip()
        )

    def format(self, device: str) -> None:
        """Make a file system on a blank device."""
        run(["mkfs.ext4", "-q", "-L", LABEL, "-m", "0", device], timeout=600)

    def mount(self, device: str, folder: Path) -> None:
        """Mount a device."""
        run(["mount", "-o", OPTIONS, device, folder], timeout=120)
