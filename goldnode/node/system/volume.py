"""The data volume: mounted where the nodes are kept, recognised, and never replaced by something else.

A machine whose nodes are on a volume must not start without it: it would make new keys, or find
an old state.  So the volume's UUID is recorded when it is first used; from then on the UUID identifies
the volume, whatever name the kernel gives the device.  It is formatted only if it is blank
(``blank``).  ``decide`` is pure; ``disks`` accesses the devices.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from goldnode.errors import HostError, SafetyError
from goldnode.files import write_json
from goldnode.node.layout import Layout

ROOT = "root"
#: The label of a file system made by us.
LABEL = "goldnode-data"
#: The smallest device that is formatted: a daemon does not start with less than half of it free (``preflight``).
SMALLEST = 1 << 30
#: File systems that our kernel mounts.
MOUNTABLE = ("ext4", "ext3", "ext2", "xfs", "btrfs")


class VolumeAction(StrEnum):
    """What to do with the volume."""

    NOTHING = "nothing"
    MOUNT = "mount"
    FORMAT = "format and mount"


class AbsentError(HostError):
    """The volume is not attached yet.

    Its exit code is its own (EX_TEMPFAIL of sysexits.h): goldnode-configure.service starts again on this one only.
    """

    exit_code = 75


@dataclass(frozen=True, slots=True)
class Found:
    """What is known about the volume.

    Attributes:
        data: The setting in node.yaml: `root`, a device, `LABEL=…` or `UUID=…`.
        device: The device's path; empty if there is none.
        filesystem: Its content, by blkid's name; empty if blkid finds nothing.
        uuid: Its UUID.
        label: Its label.
        recorded: UUID of the volume used before; empty if none was.
        mounted: UUID of what is mounted there now; empty if nothing is.
        nodes_on_root: Whether there are nodes on the root disk already.
        blank: Whether it holds zeros wherever it was read.
        content: What it holds instead of a file system, as a clause; empty if it holds one, or nothing.
        repair: The command that repairs or shows that.
        size: Its size in bytes.
        read_only: Whether the device cannot be written.
    """

    data: str
    device: str = ""
    filesystem: str = ""
    uuid: str = ""
    label: str = ""
    recorded: str = ""
    mounted: str = ""
    nodes_on_root: bool = False
    blank: bool = False
    content: str = ""
    repair: str = ""
    size: int = 0
    read_only: bool = False


def decide(found: Found) -> VolumeAction:
    """Decide what to do.

    Raises:
        SafetyError: Continuing could turn one node into two, or destroy data.
        HostError: The device is missing, too small, or read-only.
    """
    if found.data == ROOT:
        if found.recorded:
            raise SafetyError(
                f"this machine's nodes are on the volume {found.recorded}, and node.yaml says data: root",
                hint=f"write data: UUID={found.recorded}",
            )
        return VolumeAction.NOTHING
    _check_attached(found)
    if found.mounted:
        if found.mounted != found.uuid:
            raise SafetyError(f"something else is mounted where the nodes are kept ({found.mounted})")
        return VolumeAction.NOTHING
    if found.nodes_on_root and not found.recorded:
        raise SafetyError(
            "this machine's nodes are on its root disk, and node.yaml now names a volume",
            hint="write data: root, or move the node: goldnode handover",
        )
    if found.read_only:
        raise HostError(f"{found.device} is read-only, but a node must write",
                        hint="attach it read-write, then: goldnode configure")  # fmt: skip
    return VolumeAction.MOUNT if found.filesystem and not found.content else _decide_format(found)


def _check_attached(found: Found) -> None:
    named = found.data.removeprefix("UUID=") if found.data.startswith("UUID=") else ""
    if found.recorded and named not in ("", found.recorded):
        raise SafetyError(
            f"{found.data} is another volume than the nodes' ({found.recorded})",
            hint=f"write data: UUID={found.recorded}; nothing was changed",
        )
    if not found.device:
        name = f"UUID={found.recorded}, which holds this machine's nodes," if found.recorded else found.data
        raise AbsentError(f"the data volume {name} is not attached",
                          hint="attach it: this machine waits for it, and continues by itself")  # fmt: skip
    if found.recorded and found.uuid != found.recorded:
        raise SafetyError(
            f"{found.device} is another volume ({found.uuid or 'without a file system'}) than the nodes' "
            f"({found.recorded})",
            hint="attach the right one; nothing was changed",
        )
    ours = found.label == LABEL or found.recorded or found.data.startswith(("LABEL=", "UUID="))
    if found.filesystem and not found.content and not ours:
        raise SafetyError(
            f"{found.device} holds a file system ({found.filesystem}, label {found.label or 'none'}) "
            "that goldnode did not make",
            hint=f"name it on purpose: data: UUID={found.uuid}",
        )


def _decide_format(found: Found) -> VolumeAction:
    if not found.blank:
        raise SafetyError(
            f"{found.device} is not blank: it holds {found.content}; it was left as it is",
            hint=f"{found.repair}; to throw away what is on it: {format_command(found.device)}",
        )
    if found.size < SMALLEST:
        raise HostError(f"{found.device} has {found.size >> 20} MiB, and a node's volume needs {SMALLEST >> 20}",
                        hint="attach a larger one; hundreds of GB are usual")  # fmt: skip
    return VolumeAction.FORMAT


def format_command(device: str) -> str:
    """The command with which a person formats a device on purpose."""
    return f"mkfs.ext4 -L {LABEL} -m 0 {device}"


class Disks(Protocol):
    """The machine's block devices."""

    def find(self, data: str, recorded: str) -> Found:
        """The device that is meant, and what is on it."""

    def format(self, device: str) -> None:
        """Make a file system on a blank device."""

    def mount(self, found: Found, folder: Path) -> None:
        """Mount a device, and let its file system fill it."""


def ensure(layout: Layout, data: str, disks: Disks) -> None:
    """Make sure that the nodes' folder is on the volume that node.yaml names.

    Raises:
        SafetyError: See ``decide``.
        HostError: See ``decide``.
    """
    record = layout.state / "volume.json"
    recorded, damage = _recorded(record)
    seen = disks.find(data, recorded) if data != ROOT else Found(data)
    on_root = not seen.mounted and layout.nodes.is_dir() and any(layout.nodes.iterdir())
    found = replace(seen, recorded=recorded, nodes_on_root=on_root)
    if damage and (data == ROOT or found.blank):
        raise SafetyError(
            f"{record} {damage}, so it is unknown which volume holds this machine's nodes",
            hint=f'blkid, then: printf \'{{"uuid": "UUID"}}\' >{record}',
        )
    step = decide(found)
    if step is VolumeAction.FORMAT:
        disks.format(found.device)
        found = disks.find(found.device, "")
    if step is not VolumeAction.NOTHING:
        layout.nodes.mkdir(parents=True, exist_ok=True)
        disks.mount(found, layout.nodes)
    if data != ROOT and not recorded:
        write_json(record, {"version": 1, "uuid": found.uuid, "data": data})
        if damage:
            print(f"goldnode: {record} {damage}; rewritten for the volume {found.uuid}")


def _recorded(record: Path) -> tuple[str, str]:
    """UUID of the volume used before, and what is wrong with the record; either is empty."""
    try:
        document = json.loads(record.read_bytes())
    except FileNotFoundError:
        return "", ""
    except (OSError, ValueError):
        return "", "cannot be read"
    uuid = document.get("uuid") if isinstance(document, dict) else None
    return (uuid, "") if isinstance(uuid, str) and uuid else ("", "names no volume")
