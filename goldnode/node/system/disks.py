"""The machine's block devices, as the data volume asks for them (``volume.Disks``)."""

from __future__ import annotations

import os
import time
from pathlib import Path

from goldnode.errors import HostError, SafetyError
from goldnode.node.system import blank
from goldnode.node.system.volume import LABEL, MOUNTABLE, Found
from goldnode.run import CommandError, run

OPTIONS = "noatime,nodev,nosuid,noexec"
#: Seconds a device may take to appear; for a later one, goldnode-configure.service restarts.
APPEARS = 20.0
#: Sectors of 512 bytes that growpart leaves: 1 MiB, and a GPT's copy.
SPARE = 2048 + 33
#: blkid's exit code if it finds more than one kind of content.
AMBIVALENT = 8
#: blkid's names for content that is not a file system, and how to inspect it.
CONTAINERS = {
    "crypto_LUKS": ("an encrypted volume (LUKS)", "cryptsetup luksDump {device}"),
    "LVM2_member": ("a part of a volume group (LVM)", "pvs {device}, and name the logical volume: data: /dev/VG/LV"),
    "linux_raid_member": ("a part of a RAID", "mdadm --examine {device}, and name the array: data: /dev/md0"),
    "zfs_member": ("a part of a ZFS pool", "zpool import"),
    "bcache": ("a bcache device", "bcache-super-show {device}, and name what it is behind: data: /dev/bcache0"),
    "swap": ("swap space", "swapon --show"),
}


class LiveDisks:
    """The real block devices.

    Args:
        folder: Where the volume is mounted.
        timeout: Seconds a device may take to appear.
    """

    def __init__(self, folder: Path, timeout: float = APPEARS) -> None:
        self._folder, self._timeout = folder, timeout

    def find(self, data: str, recorded: str) -> Found:
        """Find the device that node.yaml means, and what is on it.

        Args:
            data: The setting in node.yaml.
            recorded: UUID of the volume used before, which is meant whatever its name is now.

        Raises:
            SafetyError: Two devices have the UUID.
        """
        device = self._wait(f"UUID={recorded}" if recorded else data)
        if not device:
            return Found(data)
        mounted = run(["findmnt", "-n", "-o", "UUID", "--mountpoint", self._folder], timeout=60, check=False).stdout
        # -p reads the device itself: a cache could call a freshly attached one blank.
        answer = run(["blkid", "-p", "-o", "export", device], timeout=60, check=False)
        facts = dict(line.split("=", 1) for line in answer.stdout.splitlines() if "=" in line)
        kind = facts.get("TYPE", "")
        if kind in MOUNTABLE and answer.returncode == 0:
            looked, content, repair = None, "", ""
        else:
            looked = blank.inspect(Path(device))
            content, repair = _describe(device, kind, facts.get("PTTYPE", ""), answer.returncode, looked)
        return Found(
            data,
            device,
            kind,
            facts.get("UUID", ""),
            facts.get("LABEL", ""),
            mounted=mounted.strip(),
            blank=looked is not None and looked.is_blank and not kind,
            content=content,
            repair=repair,
            size=looked.size if looked else 0,
            read_only=run(["blockdev", "--getro", device], timeout=60).stdout.strip() == "1",
        )

    def format(self, device: str) -> None:
        """Make a file system on a blank device."""
        run(["mkfs.ext4", "-q", "-L", LABEL, "-m", "0", device], timeout=600)

    def mount(self, found: Found, folder: Path) -> None:
        """Mount a device, and grow its file system to fill it.

        Raises:
            HostError: It is damaged.
        """
        if found.filesystem.startswith("ext"):
            _grow_partition(found.device)
        try:
            run(["mount", "-o", OPTIONS, found.device, folder], timeout=120)
        except CommandError as error:
            raise HostError(f"the data volume {found.device} ({found.filesystem}) cannot be mounted; it is damaged, "
                            f"or not a whole copy: {_last_line(error)}", hint=_repair(found)) from error  # fmt: skip
        if os.statvfs(folder).f_flag & os.ST_RDONLY:
            run(["umount", folder], timeout=120)
            raise HostError(f"the data volume {found.device} can only be mounted read-only", hint=_repair(found))
        if found.filesystem.startswith("ext"):
            _fill(found.device)

    def _wait(self, name: str) -> str:
        end = time.monotonic() + self._timeout
        while not (device := resolve(name)) and time.monotonic() < end:
            time.sleep(0.5)
        return device


def resolve(name: str) -> str:
    """The device that a name, `LABEL=…` or `UUID=…` means right now; empty for none.

    Raises:
        SafetyError: Two devices have it: one is a copy, and it is unknown which.
    """
    if "=" not in name:
        return name if Path(name).is_block_device() else ""
    listed = run(["blkid", "-c", "/dev/null", "-o", "device", "-t", name], timeout=60, check=False).stdout.split()
    # A multipath device appears under each of its paths, and under the one that joins them.
    devices = [device for device in listed if device.startswith("/dev/mapper/")] or listed
    if len(devices) > 1:
        raise SafetyError(f"{' and '.join(devices)} have the same {name}: one of them is a copy",
                          hint="detach the copy, then: goldnode configure")  # fmt: skip
    return devices[0] if devices else ""


def _describe(device: str, kind: str, table: str, code: int, looked: blank.Content) -> tuple[str, str]:
    """What a device holds that must not be mounted, and the command that shows or repairs it; empty for nothing."""
    if code == AMBIVALENT:
        return "the marks of several file systems", f"wipefs {device}"
    if kind:
        what, command = CONTAINERS.get(kind, (f"{kind}, which is not mounted here", "blkid -p {device}"))
        return what, command.format(device=device)
    if table:
        return f"a partition table ({table})", f"lsblk {device}, and name a partition: data: {device}1"
    if looked.backup:
        block, size = looked.backup
        return (f"an ext4 file system whose first superblock is damaged (there is a backup in block {block})",
                f"e2fsck -b {block} -B {size} {device}, then: goldnode configure")  # fmt: skip
    if looked.used_at is not None:
        return f"data of an unknown kind, at byte {looked.used_at}", f"hexdump -C -s {looked.used_at} {device} | head"
    return "", ""


def grow_root() -> None:
    """Grow the root file system to fill a disk that was enlarged; cloud-init does so only on the first boot."""
    device = run(["findmnt", "-n", "-o", "SOURCE", "-t", "ext4", "/"], timeout=60, check=False).stdout.strip()
    if device.startswith("/dev/") and _grow_partition(device):
        _fill(device)


def _fill(device: str) -> None:
    """Grow a mounted ext4 to fill its device; silent if it does already."""
    done = run(["resize2fs", device], timeout=600, check=False)
    if done.returncode:
        print(f"goldnode: {device} was not grown: {(done.stderr.strip().splitlines() or [''])[-1]}")
    elif " is now " in done.stdout:
        print(f"goldnode: {device} was grown with its disk")


def _grow_partition(device: str) -> bool:
    """Let a partition fill the disk that was grown under it; whether it did."""
    sysfs = Path("/sys/class/block", Path(device).resolve().name).resolve()
    if not (sysfs / "partition").exists() or _fills(sysfs):
        return False
    disk, number = f"/dev/{sysfs.parent.name}", (sysfs / "partition").read_text().strip()
    return run(["growpart", disk, number], timeout=120, check=False).returncode == 0


def _fills(partition: Path) -> bool:
    """Whether a partition, a folder of sysfs, ends with its disk: growpart would find so too, in seconds.

    It leaves less than 1 MiB, and the copy of the partition table at the end.
    """
    start, size, whole = (int(file.read_text()) for file in (partition / "start", partition / "size",
                                                             partition.parent / "size"))  # fmt: skip
    return whole - (start + size) < SPARE


def _repair(found: Found) -> str:
    check = {"xfs": "xfs_repair -n", "btrfs": "btrfs check --readonly"}.get(found.filesystem, "fsck -f")
    return f"{check} {found.device}, then: goldnode configure"


def _last_line(error: CommandError) -> str:
    return (error.stderr.strip().splitlines() or [""])[-1].strip()
