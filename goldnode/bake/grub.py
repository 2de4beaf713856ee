"""The disk around the root filesystem: GPT, and GRUB for BIOS and for UEFI, without installing on a device.

GRUB's own installer wants the disk as a block device, so it would need loop devices and root here
or one more step in the guest.  What it does is small: a core image that knows how to read the root
filesystem goes into a partition of its own, the boot sector is told the core's first sector, and
the core's first sector is told where the rest is.  UEFI needs just one file on the ESP.
Both read ``/boot/grub/grub.cfg`` on the root filesystem, which names ``/vmlinuz`` and
``/initrd.img``: Debian keeps these links at the newest kernel, so an update needs no GRUB tool.

Source of the offsets: GRUB's ``grub-core/boot/i386/pc/{boot,diskboot}.S`` and ``util/setup.c``.
"""

from __future__ import annotations

import shutil
import struct
import uuid
from pathlib import Path

from goldnode.run import run

SECTOR = 512
MIB = 1 << 20
#: Where boot.img keeps the first sector of the core (8 bytes), and how much of a boot sector is code.
KERNEL_SECTOR, BOOT_CODE = 0x5C, 440
#: The core's first sector ends with one block list entry: start sector (8), sectors (2), segment (2).
BLOCKLIST, CORE_SEGMENT = SECTOR - 12, 0x820
EARLY = "search --no-floppy --label root --set=root\nset prefix=($root)/boot/grub\nconfigfile $prefix/grub.cfg\n"
#: Every module that grub.cfg uses is inside the core image: none is read from the disk at boot.
COMMON = ("part_gpt", "ext2", "search", "search_label", "configfile", "normal", "linux", "echo", "test", "gzio",
          "minicmd", "serial", "terminal", "reboot", "halt")  # fmt: skip
BIOS = (*COMMON, "biosdisk")
UEFI = (*COMMON, "fat", "boot", "efi_gop", "all_video")


def lay_out(
    draft: Path,
    *,
    bios_at: tuple[int, int],
    esp_at: tuple[int, int],
    root_at: tuple[int, int],
    seed: str,
) -> Path:
    """Assemble ``draft/root.ext4`` and GRUB into ``draft/disk.raw`` and return that path.

    Args:
        draft: Working folder; holds ``root.ext4``.
        bios_at: Start and length in MiB of the partition for GRUB's BIOS core.
        esp_at: The same of the EFI system partition.
        root_at: The same of the root partition; at the end, so that it can grow.
        seed: Decides the disk's and the partitions' UUIDs.
    """
    (draft / "early.cfg").write_text(EARLY)
    _mkimage(draft, "x86_64-efi", "BOOTX64.EFI", UEFI)
    _mkimage(draft, "i386-pc", "core.img", BIOS)
    core = draft / "core.img"
    core.write_bytes(with_blocklist(core.read_bytes(), bios_at[0] * MIB // SECTOR))
    (draft / "genimage.cfg").write_text(_genimage(bios_at, esp_at, root_at, seed))
    for folder in ("empty", "genimage"):
        (draft / folder).mkdir()
    run(["genimage", "--config", draft / "genimage.cfg", "--rootpath", draft / "empty", "--tmppath", draft / "genimage",
         "--inputpath", draft, "--outputpath", draft])  # fmt: skip
    disk = draft / "disk.raw"
    boot = Path("/usr/lib/grub/i386-pc/boot.img").read_bytes()
    with disk.open("r+b") as stream:
        stream.write(boot_code(boot, bios_at[0] * MIB // SECTOR))
    shutil.rmtree(draft / "empty")
    return disk


def boot_code(boot: bytes, core_sector: int) -> bytes:
    """GRUB's boot sector, patched with the start of its core; the partition table after it is left alone."""
    return boot[:KERNEL_SECTOR] + struct.pack("<Q", core_sector) + boot[KERNEL_SECTOR + 8 : BOOT_CODE]


def with_blocklist(core: bytes, core_sector: int) -> bytes:
    """GRUB's BIOS core, its first sector patched with the place of the others: right after it."""
    sectors = -(-len(core) // SECTOR)
    entry = struct.pack("<QHH", core_sector + 1, sectors - 1, CORE_SEGMENT)
    return core[:BLOCKLIST] + entry + core[SECTOR:]


def _mkimage(draft: Path, target: str, name: str, modules: tuple[str, ...]) -> None:
    run(["grub-mkimage", "-O", target, "-o", draft / name, "-p", "/boot/grub", "-c", draft / "early.cfg", *modules])


def _genimage(bios_at: tuple[int, int], esp_at: tuple[int, int], root_at: tuple[int, int], seed: str) -> str:
    def identity(part: str) -> str:
        return str(uuid.uuid5(uuid.NAMESPACE_OID, f"{seed} {part}"))

    def partition(name: str, at: tuple[int, int], kind: str, image: str) -> str:
        return f"""  partition {name} {{
    image = "{image}"
    offset = {at[0]}M
    size = {at[1]}M
    partition-type-uuid = "{kind}"
    partition-uuid = "{identity(name)}"
  }}
"""

    return (
        f'image esp.vfat {{\n  vfat {{\n    label = "ESP"\n    extraargs = "-i {identity("vfat")[:8]} --invariant"\n'
        '    file EFI/BOOT/BOOTX64.EFI { image = "BOOTX64.EFI" }\n  }\n'
        f"  size = {esp_at[1]}M\n}}\n"
        'image disk.raw {\n  hdimage {\n    partition-table-type = "gpt"\n'
        f'    disk-uuid = "{identity("disk")}"\n  }}\n'
        + partition("bios", bios_at, "21686148-6449-6E6F-744E-656564454649", "core.img")
        + partition("esp", esp_at, "C12A7328-F81F-11D2-BA4B-00A0C93EC93B", "esp.vfat")
        + partition("root", root_at, "4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709", "root.ext4")
        + "}\n"
    )
