"""The data volume, on real loop devices: what is formatted, what never is, and what a person reads."""

from __future__ import annotations

import contextlib
import os
import struct
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from goldnode.errors import GoldnodeError, HostError, SafetyError
from goldnode.files import sha256_file
from goldnode.node.layout import Layout
from goldnode.node.system import blank, volume
from goldnode.node.system.disks import LiveDisks
from goldnode.run import run

pytestmark = pytest.mark.root
#: Sparse.  A device that is looked at in parts only, and one that is large enough to be formatted.
PARTLY, SIZE = blank.WHOLE + (64 << 20), volume.SMALLEST
#: The bit of CAP_SYS_RESOURCE, without which the kernel lets nobody resize a mounted file system.
SYS_RESOURCE = 24
UUID = "5e1ec7ed-0000-4000-8000-00000000cafe"


class Bench:
    """A machine's tree, and loop devices to attach to it."""

    def __init__(self, folder: Path, stack: contextlib.ExitStack) -> None:
        self.folder, self._stack = folder, stack
        self.layout = Layout(folder / "root")
        self.layout.state.mkdir(parents=True)

    def image(self, name: str = "disk", size: int = SIZE) -> Path:
        """A file of zeros, sparse."""
        path = self.folder / name
        with path.open("ab") as stream:
            stream.truncate(size)
        return path

    def attach(self, image: Path, *options: str) -> str:
        """Attach a file as a block device."""
        device = run(["losetup", "--show", "-f", *options, image]).stdout.strip()
        self._stack.callback(run, ["losetup", "-d", device], check=False)
        return device

    def boot(self, data: str, patience: float = 0.0) -> str:
        """What a boot does with the volume: what it says, or `mounted`; the volume is mounted no more afterwards."""
        try:
            volume.ensure(self.layout, data, LiveDisks(self.layout.nodes, patience))
        except GoldnodeError as error:
            return f"{error} | {error.hint}"
        return "mounted"

    def unmount(self) -> None:
        """Unmount it, as a machine that goes off does."""
        run(["umount", self.layout.nodes], check=False)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """A bench; nothing stays attached or mounted."""
    with contextlib.ExitStack() as stack:
        found = Bench(tmp_path, stack)
        stack.callback(found.unmount)
        yield found


def noise(image: Path, offset: int = 0, length: int = 4096) -> None:
    """Write random bytes, as an encrypted disk has them."""
    with image.open("r+b") as stream:
        stream.seek(offset)
        stream.write(os.urandom(length))


def ext4(image: Path) -> None:
    """An ext4 of others with a validator's key on it, whose first superblock is then destroyed."""
    key = image.with_name("priv_validator_key.json")
    key.write_text('{"priv_key": "the only copy"}')
    run(["mke2fs", "-q", "-t", "ext4", "-b", "4096", "-L", volume.LABEL, image])
    run(["debugfs", "-w", "-R", f"write {key} priv_validator_key.json", image])
    with image.open("r+b") as stream:
        stream.seek(1024)
        stream.write(bytes(1024))


def zeroed_start(image: Path) -> None:
    """The same, with its first 64 MiB gone: only backups tell of it."""
    ext4(image)
    zeros(image, 64 << 20)


def zeros(image: Path, length: int) -> None:
    """Lose the beginning of a disk."""
    with image.open("r+b") as stream:
        stream.write(bytes(length))


def gpt(image: Path) -> None:
    """Partition a disk, as an installer does."""
    run(["sfdisk", "-q", image], stdin="label: gpt\n,\n")


def gpt_backup(image: Path) -> None:
    """The same, whose first copy of the table is gone."""
    gpt(image)
    zeros(image, 1 << 20)


def lvm(image: Path) -> None:
    """Give a disk to LVM."""
    device = run(["losetup", "--show", "-f", image]).stdout.strip()
    run(["pvcreate", "-q", device])
    run(["losetup", "-d", device])


def put(image: Path, offset: int, data: bytes) -> None:
    """Write bytes into a disk; an offset below 0 counts from its end."""
    with image.open("r+b") as stream:
        stream.seek(offset, os.SEEK_END if offset < 0 else os.SEEK_SET)
        stream.write(data)


def raid(image: Path) -> None:
    """Give a disk to Linux's RAID, which keeps its superblock (version 1.0) at the end (drivers/md/md.c)."""
    sector = (image.stat().st_size // 512 - 16) & ~7
    head = struct.pack("<IIII16s32sQIIQII", 0xA92B4EFC, 1, 0, 0, b"array", b"host:0", 0, 1, 0, sector, 0, 2)
    block = bytearray(head.ljust(256, b"\0"))
    struct.pack_into("<QQQ", block, 128, 0, sector, sector)
    total = sum(struct.unpack("<64I", block))
    struct.pack_into("<I", block, 216, ((total & 0xFFFFFFFF) + (total >> 32)) & 0xFFFFFFFF)
    put(image, sector * 512, bytes(block))


def zfs(image: Path) -> None:
    """Give a disk to ZFS: labels at both ends, each with uberblocks and the names and values that a newer blkid reads.

    The list is XDR (RFC 4506), as OpenZFS writes it: sizes, name, type, one value; 8 is a number, 9 a text.
    """

    def pair(name: str, kind: int, value: bytes) -> bytes:
        body = struct.pack(">I", len(name)) + padded(name) + struct.pack(">II", kind, 1) + value
        return struct.pack(">II", len(body) + 8, len(body) + 8) + body

    def padded(text: str) -> bytes:
        return text.encode().ljust(-(-len(text) // 4) * 4, b"\0")

    numbers = {"version": 5000, "state": 0, "txg": 4, "pool_guid": 9, "top_guid": 7, "guid": 7}
    pairs = [pair(name, 8, struct.pack(">Q", value)) for name, value in numbers.items()]
    pairs.append(pair("name", 9, struct.pack(">I", 4) + padded("tank")))
    names = b"\1\1\0\0" + struct.pack(">II", 0, 1) + b"".join(pairs) + bytes(8)
    blocks = b"".join(struct.pack("<QQ", 0x00BAB10C, 5000).ljust(1024, b"\0") for _ in range(8))
    for label in (0, 256 << 10, -(512 << 10), -(256 << 10)):
        put(image, label + (16 << 10), names)
        put(image, label + (128 << 10), blocks)


def bcache(image: Path) -> None:
    """Put a disk behind bcache (include/uapi/linux/bcache.h)."""
    magic = bytes.fromhex("c68573f64e1a45ca8265f57f48ba6d81")
    rest = (struct.pack("<QQ", 8, 1) + magic + b"\1" * 32).ljust(200, b"\0")
    put(image, 4096, struct.pack("<Q", crc64(rest)) + rest)


def crc64(data: bytes) -> int:
    """The sum that bcache keeps of its superblock."""
    value, most = 0xFFFFFFFFFFFFFFFF, 0xFFFFFFFFFFFFFFFF
    for byte in data:
        value ^= byte << 56
        for _ in range(8):
            value = ((value << 1) ^ 0x42F0E1EBA9EA3693 if value >> 63 else value << 1) & most
    return value ^ most


#: Between the edges and the backups of ext4.
MIDDLE = PARTLY // 2 // blank.PIECE * blank.PIECE
#: How a disk is made that is not blank → what its refusal says and proposes.
OCCUPIED: dict[str, tuple[Callable[[Path], object], str, str]] = {
    "random bytes": (lambda image: noise(image, 0, 1 << 20), "data of an unknown kind, at byte 0", "hexdump"),
    "a few bytes in the middle": (lambda image: noise(image, MIDDLE, 16), "data of an unknown kind", "hexdump"),
    "ext4 without its first superblock": (ext4, "first superblock is damaged", "e2fsck -b 32768 -B 4096"),
    "ext4 without its first 64 MiB": (zeroed_start, "first superblock is damaged", "e2fsck -b 32768 -B 4096"),
    "gpt": (gpt, "a partition table (gpt)", "lsblk"),
    "dos": (lambda i: run(["sfdisk", "-q", i], stdin="label: dos\n,\n"), "a partition table (dos)", "lsblk"),
    "gpt whose first copy is gone": (gpt_backup, "", ""),
    "luks": (
        lambda i: run(["cryptsetup", "-q", "luksFormat", "--pbkdf-force-iterations=4", "--pbkdf=argon2i",
                       "--pbkdf-memory=32", i, "-"], stdin="secret"),
        "an encrypted volume (LUKS)", "cryptsetup",
    ),
    "lvm": (lvm, "(LVM)", "name the logical volume"),
    "raid": (raid, "a part of a RAID", "mdadm --examine"),
    "zfs": (zfs, "a part of a ZFS pool", "zpool import"),
    "bcache": (bcache, "a bcache device", "bcache-super-show"),
    "swap": (lambda i: run(["mkswap", i]), "swap space", "swapon"),
}  # fmt: skip


@pytest.mark.parametrize("kind", OCCUPIED)
def test_nothing_is_formatted_that_is_not_blank(bench: Bench, kind: str) -> None:
    """A device with one used byte anywhere one looks is refused with its content named, and not a byte changes."""
    make, says, proposes = OCCUPIED[kind]
    image = bench.image(size=PARTLY)
    make(image)
    device = bench.attach(image)
    before = sha256_file(image)

    said = bench.boot(device)

    assert [] == [piece for piece in ("is not blank", "mkfs.ext4", says, proposes) if piece not in said], said
    assert before == sha256_file(image)


def test_zeros_are_formatted_once(bench: Bench) -> None:
    """A blank device becomes the nodes' volume, keeps what is on it over a reboot, and is known again."""
    device = bench.attach(bench.image())
    first = bench.boot(device)
    (bench.layout.nodes / "file").write_text("here")
    bench.unmount()
    second = bench.boot(device)

    assert ("mounted", "mounted", "here") == (first, second, (bench.layout.nodes / "file").read_text())


def test_the_volume_is_known_under_any_name(bench: Bench) -> None:
    """When two disks swap names at a reboot, the nodes' one is mounted, and the other is left alone."""
    images = [bench.image("one"), bench.image("two")]
    devices = [bench.attach(image) for image in images]
    bench.boot(devices[0])
    (bench.layout.nodes / "file").write_text("here")
    bench.unmount()
    for device in devices:
        run(["losetup", "-d", device])
    for device, image in zip(devices, reversed(images), strict=True):
        run(["losetup", device, image])

    said = bench.boot(devices[0])

    assert ("mounted", "here") == (said, (bench.layout.nodes / "file").read_text())
    assert blank.inspect(images[1]).is_blank


def test_a_copy_beside_the_original_is_refused(bench: Bench) -> None:
    """With a volume and its copy attached, nobody can tell which is newer: neither is mounted."""
    image = bench.image()
    bench.boot(bench.attach(image))
    bench.unmount()
    run(["cp", "--sparse=always", image, bench.folder / "copy"])
    bench.attach(bench.folder / "copy")

    said = bench.boot(f"LABEL={volume.LABEL}")

    assert "one of them is a copy" in said
    assert not bench.layout.nodes.is_mount()


def test_a_late_volume_is_waited_for(bench: Bench) -> None:
    """A volume that is attached after the boot is mounted by the same start; without it, the exit code says wait."""
    image = bench.image()
    run(["mke2fs", "-q", "-t", "ext4", "-U", UUID, "-L", volume.LABEL, image])
    with pytest.raises(volume.AbsentError, match="is not attached") as absent:
        volume.ensure(bench.layout, f"UUID={UUID}", LiveDisks(bench.layout.nodes, 0.0))
    attach = threading.Timer(1.0, bench.attach, [image])
    attach.start()

    said = bench.boot(f"UUID={UUID}", patience=30.0)
    attach.join()

    assert ("mounted", 75) == (said, absent.value.exit_code)


def test_a_grown_volume_is_grown_at_boot(bench: Bench) -> None:
    """The file system fills a device that became larger while the machine was off.

    tests/boot/test_machines.py does the same with a machine of its own, wherever this one's root may not.
    """
    held = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("CapEff"))
    if not int(held.split()[1], 16) >> SYS_RESOURCE & 1:
        # A container's root, for one; in a machine of its own tests/boot/test_machines.py grows a volume.
        pytest.skip("this machine's root has no CAP_SYS_RESOURCE, which growing a mounted file system takes")
    image = bench.image()
    device = bench.attach(image)
    bench.boot(device)
    bench.unmount()
    run(["losetup", "-d", device])
    bench.image(size=2 * SIZE)
    bench.boot(bench.attach(image))
    space = os.statvfs(bench.layout.nodes)

    assert space.f_blocks * space.f_frsize > 1.8 * SIZE


def test_read_only_small_and_damaged_volumes_say_so(bench: Bench) -> None:
    """Each of them has a sentence of its own, with the command to type."""
    image = bench.image()
    run(["mke2fs", "-q", "-t", "ext4", "-L", volume.LABEL, image])
    devices = {"read-only": bench.attach(image, "--read-only")}
    damaged_image = bench.image("damaged")
    run(["mke2fs", "-q", "-t", "ext4", "-L", volume.LABEL, damaged_image])
    with damaged_image.open("r+b") as stream:
        stream.seek(4096)
        stream.write(os.urandom(1 << 20))
    devices["damaged"] = bench.attach(damaged_image)
    devices["small"] = bench.attach(bench.image("small", 1 << 20))

    said = {kind: bench.boot(device) for kind, device in devices.items()}

    assert "is read-only" in said["read-only"]
    assert "it is damaged, or not a whole copy" in said["damaged"]
    assert "fsck -f /dev/loop" in said["damaged"]
    assert "has 1 MiB" in said["small"]


@pytest.mark.parametrize("damage", [b"\0" * 64, b"null"], ids=["zeros", "null"])
def test_a_damaged_record_never_formats(bench: Bench, damage: bytes) -> None:
    """Without knowing which volume was used, a blank one is refused; the one with the nodes is known by its label."""
    device = bench.attach(bench.image())
    bench.boot(device)
    bench.unmount()
    record = bench.layout.state / "volume.json"
    record.write_bytes(damage)
    other = bench.attach(bench.image("other"))

    refused, again = bench.boot(other), bench.boot(device)

    assert str(record) in refused
    assert "mounted" == again


def test_refusals_have_their_class() -> None:
    """What could destroy data is a matter of safety; a device that is missing is the machine's."""
    with pytest.raises(SafetyError):
        volume.decide(volume.Found("/dev/vdb", "/dev/vdb", content="data", size=SIZE))
    with pytest.raises(HostError):
        volume.decide(volume.Found("/dev/vdb"))
