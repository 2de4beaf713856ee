"""Is a device blank?  Only if it holds zeros: anything else may be the last copy of somebody's key.

A device without a signature is not necessarily empty: encrypted data looks like noise, and an ext4 whose
first superblock was overwritten shows none although all its files are there.  So a device is sampled where
known formats keep something (the beginning, the end, ext4's backup superblocks), and at evenly spaced
places between; a single non-zero byte is enough to leave it alone.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

#: Bytes read at both ends.  LUKS2 may keep a second header 4 MiB in; GPT, ZFS and RAID keep theirs at the end.
EDGE = 16 << 20
#: Samples between the ends, and bytes read in each.  XFS has its groups at even fractions of the device.
PLACES, PIECE = 256, 128 << 10
#: Devices up to this size are read whole: it takes about a second.
WHOLE = 256 << 20
#: Groups that hold a backup of ext4's superblock: 0, 1, and powers of 3, 5 and 7 (ext4's `sparse_super`).
BACKUP_GROUPS = (1, *sorted({base**power for base in (3, 5, 7) for power in range(1, 12)}))
#: The offset of the magic number in a superblock (linux/fs/ext4/ext4.h, `s_magic`).
MAGIC_AT, MAGIC = 56, b"\x53\xef"
#: The offset of the group's own number in a superblock (`s_block_group_nr`).
GROUP_AT = 90
SMALL_BLOCK = 1024
BLOCK_SIZES = (4096, SMALL_BLOCK, 2048)


@dataclass(frozen=True, slots=True)
class Content:
    """The result of inspecting a device.

    Attributes:
        size: Its size in bytes.
        used_at: The offset of the first non-zero byte found; None if there was none.
        backup: Block number and block size of an ext4 backup superblock; None if there is none.
    """

    size: int
    used_at: int | None
    backup: tuple[int, int] | None

    @property
    def is_blank(self) -> bool:
        """Whether only zeros were found."""
        return self.used_at is None


def inspect(device: Path) -> Content:
    """Inspect a block device or an image file.

    Raises:
        OSError: It cannot be opened or read.
    """
    handle = os.open(device, os.O_RDONLY | os.O_CLOEXEC)
    try:
        size = os.lseek(handle, 0, os.SEEK_END)
        used = next((at for at in (_first_used(handle, *span) for span in spans(size)) if at is not None), None)
        return Content(size, used, None if used is None else _backup(handle, size))
    finally:
        os.close(handle)


def spans(size: int) -> Iterator[tuple[int, int]]:
    """The parts of a device of this size to read: offset and length, those most likely in use first."""
    if size <= WHOLE:
        yield 0, size
        return
    yield 0, EDGE
    yield size - EDGE, EDGE
    for block, block_size in backups(size):
        yield block * block_size, block_size
    for place in range(1, PLACES):
        yield (size * place // PLACES) // PIECE * PIECE, PIECE


def backups(size: int) -> Iterator[tuple[int, int]]:
    """Where ext2, ext3 and ext4 keep backup superblocks on a device of this size: block number and block size."""
    for block_size in BLOCK_SIZES:
        # A group has as many blocks as one block has bits; with blocks of 1 KiB, block 0 is the boot block.
        first, each = int(block_size == SMALL_BLOCK), 8 * block_size
        for group in BACKUP_GROUPS:
            block = group * each + first
            if (block + 1) * block_size <= size:
                yield block, block_size


def _first_used(handle: int, offset: int, length: int) -> int | None:
    end = offset + length
    while offset < end:
        piece = os.pread(handle, min(1 << 20, end - offset), offset)
        if not piece:
            return None
        if piece.count(0) != len(piece):
            return offset + len(piece) - len(piece.lstrip(b"\0"))
        offset += len(piece)
    return None


def _backup(handle: int, size: int) -> tuple[int, int] | None:
    for block, block_size in backups(size):
        start = os.pread(handle, 128, block * block_size)
        group = (block // (8 * block_size)).to_bytes(4, "little")[:2]
        if start[MAGIC_AT : MAGIC_AT + 2] == MAGIC and start[GROUP_AT : GROUP_AT + 2] == group:
            return block, block_size
    return None
