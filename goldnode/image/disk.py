"""A disk image as bytes: qcow2, raw or raw.zst in, one read-only mapping and its partitions out.

A compressed image is unpacked once into a sparse file in the cache folder, which is deleted when
the block ends.  Nothing here needs root.
"""

from __future__ import annotations

import contextlib
import json
import mmap
import os
import struct
import tempfile
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import zstandard

from goldnode import paths
from goldnode.errors import ImageError
from goldnode.run import CommandError, run

SECTOR = 512
CHUNK = 4 << 20


class PartitionType(StrEnum):
    """The GPT types that goldnode uses."""

    BIOS_BOOT = "21686148-6449-6e6f-744e-656564454649"
    ESP = "c12a7328-f81f-11d2-ba4b-00a0c93ec93b"
    SWAP = "0657fd6d-a4ab-43c4-84e5-0933c84b4f4f"
    LINUX = "0fc63daf-8483-4772-8e79-3d69d8477de4"
    ROOT_AMD64 = "4f68bce3-e8cd-4db1-96e7-fbcaf984b709"
    ROOT_ARM64 = "b921b045-1df0-41c3-af44-4c6f280d3fae"


#: Types that a root partition may have.
ROOTS = (PartitionType.ROOT_AMD64, PartitionType.ROOT_ARM64, PartitionType.LINUX)


@dataclass(frozen=True, slots=True)
class Partition:
    """One entry of the GPT; ``start`` and ``size`` in bytes, ``type`` a lower-case GUID."""

    number: int
    type: str
    name: str
    start: int
    size: int


@dataclass(frozen=True, slots=True)
class Disk:
    """A disk's bytes.

    Attributes:
        path: The raw file; a temporary one when the image was compressed.
        data: All of it, mapped read-only.
        partitions: Its GPT, in order.
    """

    path: Path
    data: memoryview
    partitions: tuple[Partition, ...]

    def partition(self, *types: str) -> Partition | None:
        """The first partition of one of these types."""
        return next((part for part in self.partitions if part.type in types), None)

    def data_ranges(self) -> Iterator[tuple[int, int]]:
        """Start and end of everything that is not a hole in the sparse file."""
        with self.path.open("rb") as stream:
            end = 0
            while True:
                try:
                    start = os.lseek(stream.fileno(), end, os.SEEK_DATA)
                except OSError:  # ENXIO: nothing but a hole up to the end
                    return
                end = os.lseek(stream.fileno(), start, os.SEEK_HOLE)
                yield start, end


def own_ranges(overlay: Path, layers: int = 1) -> tuple[tuple[int, int], ...]:
    """Start and end of what an overlay itself holds, without its backing disk: everything written since it was made.

    Args:
        overlay: The disk that is written to.
        layers: How many overlays lie over the disk whose own content is left out.
    """
    told = json.loads(run(["qemu-img", "map", "--output=json", overlay]).stdout)
    return tuple(
        (part["start"], part["start"] + part["length"]) for part in told if part["depth"] < layers and part["data"]
    )


@contextlib.contextmanager
def open_disk(image: Path) -> Iterator[Disk]:
    """Map an image of any format we write.

    Raises:
        ImageError: There is no such image, it cannot be unpacked, or it has no GPT.
    """
    if not image.is_file():
        raise ImageError(f"there is no image {image}", hint="./invoke bake")
    with _raw(image) as raw, raw.open("rb") as stream:
        if raw.stat().st_size < 34 * SECTOR:
            raise ImageError(f"{image} is too small to be a disk", hint="./invoke bake")
        # Not closed here: views of it may outlive the block in a traceback; it is freed with the last of them.
        data = memoryview(mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ))
        yield Disk(raw, data, partitions(data, image.name))


def partitions(data: memoryview, name: str) -> tuple[Partition, ...]:
    """Read the primary GPT.

    Raises:
        ImageError: There is none.
    """
    header = bytes(data[SECTOR : SECTOR + 92])
    if header[:8] != b"EFI PART":
        raise ImageError(f"{name} has no GPT: it is not a disk made by goldnode", hint="./invoke bake")
    lba, count, size = struct.unpack_from("<QII", header, 72)
    found = []
    for index in range(min(count, 128)):
        entry = bytes(data[lba * SECTOR + index * size : lba * SECTOR + (index + 1) * size])
        kind = uuid.UUID(bytes_le=entry[:16])
        if kind.int:
            first, last = struct.unpack_from("<QQ", entry, 32)
            label = entry[56:128].decode("utf-16-le", "replace").rstrip("\0")
            found.append(Partition(index + 1, str(kind), label, first * SECTOR, (last - first + 1) * SECTOR))
    return tuple(found)


@contextlib.contextmanager
def _raw(image: Path) -> Iterator[Path]:
    with image.open("rb") as stream:
        magic = stream.read(4)
    unpack = {b"QFI\xfb": _from_qcow2, b"\x28\xb5\x2f\xfd": _from_zstd}.get(magic)
    if unpack is None:
        yield image
        return
    paths.cache().mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="image.", dir=paths.cache()) as folder:
        raw = Path(folder) / "disk.raw"
        unpack(image, raw)
        yield raw


def _from_qcow2(image: Path, raw: Path) -> None:
    try:
        run(["qemu-img", "convert", "-f", "qcow2", "-O", "raw", image, raw])
    except CommandError as error:
        raise ImageError(f"{image} is damaged: {error.stderr.strip()}", hint=f"qemu-img check {image}") from error


def _from_zstd(image: Path, raw: Path) -> None:
    blank = bytes(CHUNK)
    try:
        with image.open("rb") as packed, raw.open("wb") as out:
            for chunk in zstandard.ZstdDecompressor().read_to_iter(packed, write_size=CHUNK):
                if chunk == blank[: len(chunk)]:
                    out.seek(len(chunk), os.SEEK_CUR)
                else:
                    out.write(chunk)
            out.truncate()
    except zstandard.ZstdError as error:
        raise ImageError(f"{image} is damaged: {error}", hint=f"zstd -t {image}") from error
