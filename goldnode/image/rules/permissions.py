"""Who may write, and what runs with more rights than its caller."""

from __future__ import annotations

from collections.abc import Iterator

from goldnode.image.allowed import PRIVILEGED, WORLD_WRITABLE
from goldnode.image.rule import Finding, Image, rule
from goldnode.image.tree import FileKind

SETID = 0o6000


@rule(
    "privileged-files",
    promise="Only Debian's known programs run with more rights than their caller.",
    why="every set-user-id program or file capability is a way to become root",
    source="Debian cloud images; CIS Debian benchmark 6.1",
    fix="chmod u-s FILE, setcap -r FILE, or add it to goldnode/image/allowed.py with its reason",
)
def privileged_files(image: Image) -> Iterator[Finding]:
    """set-user-id, set-group-id and capabilities outside the list."""
    for file in image.root:
        if file.kind is FileKind.FILE and file.path not in PRIVILEGED:
            if file.mode & SETID:
                yield Finding(file.path, f"has mode {file.mode:04o}")
            if "security.capability" in file.xattrs:
                yield Finding(file.path, "has file capabilities")


@rule(
    "world-writable",
    promise="Nobody may write what others run or read.",
    why="any service could replace a file that root uses",
    source="CIS Debian benchmark 6.1",
    fix="chmod o-w PATH",
)
def world_writable(image: Image) -> Iterator[Finding]:
    """World-writable files; world-writable folders without the sticky bit, or in an unusual place."""
    for file in image.root:
        if file.mode & 0o002 and file.kind in (FileKind.FILE, FileKind.FOLDER, FileKind.FIFO, FileKind.SOCKET):
            sticky = file.kind is FileKind.FOLDER and file.mode & 0o1000
            if not (sticky and file.path in WORLD_WRITABLE):
                yield Finding(file.path, f"has mode {file.mode:04o}")


@rule(
    "unowned-files",
    promise="Every file belongs to an account that exists.",
    why="the next account with that number would own it",
    source="CIS Debian benchmark 6.1",
    fix="chown root:root PATH",
)
def unowned_files(image: Image) -> Iterator[Finding]:
    """Files whose owner or group is not in /etc/passwd or /etc/group."""
    uids = {uid for _, _, uid, *_ in image.root.records("/etc/passwd", 3)}
    gids = {gid for _, _, gid, *_ in image.root.records("/etc/group", 3)}
    for file in image.root:
        if str(file.uid) not in uids or str(file.gid) not in gids:
            yield Finding(file.path, f"belongs to {file.uid}:{file.gid}, which nobody is")


@rule(
    "device-nodes",
    promise="No device node lies on the disk outside /dev.",
    why="a device anywhere else gives raw access to whoever may open it",
    source="CIS Debian benchmark 1.1 (nodev)",
    fix="rm PATH",
)
def device_nodes(image: Image) -> Iterator[Finding]:
    """Character and block devices."""
    for file in image.root:
        if file.kind in (FileKind.CHARACTER, FileKind.BLOCK) and not file.path.startswith("/dev/"):
            yield Finding(file.path, f"is the device {file.device}")
