"""It boots: on BIOS and on UEFI, on any disk name, with its console where a cloud shows it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from goldnode.image.disk import PartitionType
from goldnode.image.packages import installed
from goldnode.image.rule import Finding, Image, rule

GRUB = "/boot/grub/grub.cfg"
#: Seconds a menu may wait.
LONGEST_TIMEOUT = 5
#: Bytes that must be free, because cloud-init and keys are written before the filesystem grows.
FREE_FLOOR = 64 << 20
#: What GRUB loads: a kernel or an initrd, by path.
LOAD = re.compile(r"(?:linux|initrd)\s+(?P<path>/\S+)")
DISK_NAME = re.compile(r"/dev/(?:[hsv]d[a-z]|nvme\d|xvd[a-z]|disk/by-(?:path|id))")


@rule(
    "one-kernel",
    promise="There is one kernel, with its initrd and its modules.",
    why="old kernels are big; a kernel without initrd or modules does not boot",
    source="diskimage-builder: old kernels",
    fix="apt-get purge linux-image-OLD; update-initramfs -c -k all",
)
def one_kernel(image: Image) -> Iterator[Finding]:
    """The number of kernels, and the initrd and modules of each."""
    kernels = [file.path.removeprefix("/boot/vmlinuz-") for file in image.root.regular("/boot/vmlinuz-*")]
    if len(kernels) != 1:
        yield Finding("/boot", f"holds {len(kernels)} kernels")
    for version in kernels:
        for path in (f"/boot/initrd.img-{version}", f"/usr/lib/modules/{version}"):
            if not image.root.follow(path):
                yield Finding(path, "is missing")
    for file in image.root.match("/usr/lib/modules/*", "/boot/initrd.img-*"):
        if not file.path.endswith(tuple(kernels) or ("-",)):
            yield Finding(file.path, "belongs to no kernel")


@rule(
    "boot-bios",
    promise="GRUB is installed for BIOS (amd64).",
    why="half of the clouds start machines the old way",
    source="Debian cloud images",
    fix="grub-install --target=i386-pc DISK",
)
def boot_bios(image: Image) -> Iterator[Finding]:
    """Code in the first sector, and the core image in its partition."""
    if not _is_amd64(image):
        return
    if b"GRUB" not in bytes(image.disk.data[:440]):
        yield Finding("first sector", "holds no GRUB")
    part = image.disk.partition(PartitionType.BIOS_BOOT)
    if part is None:
        yield Finding("GPT", "has no BIOS boot partition")
    elif not any(image.disk.data[part.start : part.start + 4096]):
        yield Finding(f"partition {part.number}", "has no GRUB core image")


@rule(
    "boot-uefi",
    promise="The EFI system partition holds a loader at the path that firmware tries.",
    why="a fresh machine's firmware has no boot entries",
    source="UEFI 2.10, section 3.5",
    fix="put EFI/BOOT/BOOTX64.EFI (or BOOTAA64.EFI) onto the ESP",
)
def boot_uefi(image: Image) -> Iterator[Finding]:
    """The removable-media path; FAT ignores case."""
    wanted = "/EFI/BOOT/BOOTX64.EFI" if _is_amd64(image) else "/EFI/BOOT/BOOTAA64.EFI"
    if wanted not in {file.path.upper() for file in image.esp if file.size}:
        yield Finding(f"esp:{wanted}", "is missing")


@rule(
    "grub-config",
    promise="GRUB's menu names a kernel and an initrd that exist.",
    why="otherwise the machine stops at GRUB's prompt",
    source="Debian cloud images",
    fix="update-grub",
)
def grub_config(image: Image) -> Iterator[Finding]:
    """Every `linux` and `initrd` line."""
    lines = image.root.lines(GRUB)
    if not any(LOAD.match(line) for line in lines if line.startswith("linux")):
        yield Finding(GRUB, "starts no kernel")
    for load in filter(None, map(LOAD.match, lines)):
        if not image.root.follow(load["path"]):
            yield Finding(GRUB, f"names {load['path']}, which does not exist")


@rule(
    "serial-console",
    promise="The kernel speaks on the serial console.",
    why="it is the only screen that a cloud's machine has",
    source="image-builder, Debian cloud images",
    fix="console=ttyS0 in GRUB_CMDLINE_LINUX",
)
def serial_console(image: Image) -> Iterator[Finding]:
    """`console=ttyS0` (ttyAMA0 on arm64) on every kernel's line."""
    wanted = "console=ttyS0" if _is_amd64(image) else "console=ttyAMA0"
    for line in image.root.lines(GRUB):
        if line.startswith("linux") and wanted not in line and "recovery" not in line:
            yield Finding(GRUB, f"starts a kernel without {wanted}")


@rule(
    "grub-timeout",
    promise=f"GRUB's menu waits {LONGEST_TIMEOUT} seconds at most.",
    why="every boot of every node pays for it",
    source="image-builder, Debian cloud images",
    fix="GRUB_TIMEOUT=0 in /etc/default/grub.d/",
)
def grub_timeout(image: Image) -> Iterator[Finding]:
    """`set timeout=`; -1 waits for ever."""
    for line in image.root.lines(GRUB):
        if match := re.fullmatch(r"set timeout=(-?\d+)", line):
            seconds = int(match[1])
            if not 0 <= seconds <= LONGEST_TIMEOUT:
                yield Finding(GRUB, "waits for ever" if seconds < 0 else f"waits {seconds} s")


@rule(
    "portable-disk",
    promise="The root filesystem is found by label or UUID, never by the name of a disk.",
    why="a disk is vda here, nvme0n1 or xvda there",
    source="Debian cloud images",
    fix="LABEL= or UUID= in /etc/fstab and on the kernel's line",
)
def portable_disk(image: Image) -> Iterator[Finding]:
    """Names of disks in fstab and grub.cfg."""
    for path in ("/etc/fstab", GRUB):
        for line in image.root.lines(path):
            if name := DISK_NAME.search(line):
                yield Finding(path, f"names {name[0]}")


@rule(
    "free-space",
    promise=f"At least {FREE_FLOOR >> 20} MiB are free before the filesystem grows.",
    why="a full disk at first boot leaves keys half written",
    source="amazon-eks-ami: 1,024 MiB; image-builder",
    fix="make the base's root partition larger",
)
def free_space(image: Image) -> Iterator[Finding]:
    """As the superblock counts it."""
    if image.filesystem.free_bytes < FREE_FLOOR:
        yield Finding("/", f"has {image.filesystem.free_bytes >> 20} MiB free")


@rule(
    "clean-filesystem",
    promise="The filesystem was unmounted in order.",
    why="a journal to replay means that the last writes may be lost, and that QEMU was killed",
    source="Packer: an empty shutdown_command kills QEMU",
    fix="set shutdown_command; bake again",
)
def clean_filesystem(image: Image) -> Iterator[Finding]:
    """The superblock's state and its recovery flag."""
    if not image.filesystem.is_clean:
        yield Finding("/", "needs a replay of its journal, or holds errors")


def _is_amd64(image: Image) -> bool:
    base = installed(image.root).get("base-files")
    return base is None or base.architecture == "amd64"
