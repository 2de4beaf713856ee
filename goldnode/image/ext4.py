"""ext4, read only, straight from a disk image: no mount, no loop device, no root.

Reads what ``mke2fs`` and the Linux kernel write on a cloud image: extents, 64-bit group
descriptors, directories (a hashed directory is a linear one with an index that looks like empty
entries), both kinds of symbolic links, devices, extended attributes.  A filesystem that uses
anything else is refused by name instead of being misread.  Checksums are not verified: the
digest of the whole tree is what proves content.

Source of the layout: the Linux kernel's Documentation/filesystems/ext4.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from enum import IntFlag
from functools import cached_property

from goldnode.errors import ImageError
from goldnode.image.inode import FIXED, XATTR_MAGIC, Extent, Inode, parse_inode, parse_xattrs

SUPERBLOCK = 1024
MAGIC = 0xEF53
ROOT_INODE = 2
#: Extents longer than this are allocated but never written; the excess is their length.
UNWRITTEN = 32768
LARGEST_BLOCK = 65536
#: Size from which a group descriptor has upper halves.
WIDE_DESCRIPTOR = 64

_EXTENT_HEADER = struct.Struct("<HHHHI")
_EXTENT = struct.Struct("<IHHI")
_INDEX = struct.Struct("<IIHH")
_DIRENT = struct.Struct("<IHBB")
_EXTENT_MAGIC = 0xF30A


class Incompat(IntFlag):
    """Features that a reader must know, as named by ``dumpe2fs``."""

    FILETYPE = 0x2
    NEEDS_RECOVERY = 0x4
    META_BG = 0x10
    EXTENT = 0x40
    BITS64 = 0x80
    MMP = 0x100
    FLEX_BG = 0x200
    EA_INODE = 0x400
    METADATA_CSUM_SEED = 0x2000
    LARGE_DIR = 0x4000
    INLINE_DATA = 0x8000
    ENCRYPT = 0x10000
    CASEFOLD = 0x20000


KNOWN = (
    Incompat.FILETYPE | Incompat.NEEDS_RECOVERY | Incompat.EXTENT | Incompat.BITS64 | Incompat.MMP
    | Incompat.FLEX_BG | Incompat.METADATA_CSUM_SEED | Incompat.LARGE_DIR
)  # fmt: skip


class Ext4:
    """An ext4 filesystem inside a disk image.

    Args:
        data: The whole disk.
        start: Where the filesystem begins, in bytes.

    Raises:
        ImageError: There is no ext4 filesystem, or one with features this reader does not know.
    """

    def __init__(self, data: memoryview, start: int = 0) -> None:
        self._data, self.start = data, start
        raw = bytes(data[start + SUPERBLOCK : start + SUPERBLOCK + 1024])
        if len(raw) < SUPERBLOCK or struct.unpack_from("<H", raw, 0x38)[0] != MAGIC:
            raise ImageError(f"no ext4 filesystem at byte {start} of the disk")
        incompat = struct.unpack_from("<I", raw, 0x60)[0]
        if unknown := incompat & ~int(KNOWN):
            raise ImageError(f"the ext4 filesystem at byte {start} uses unknown features: {Incompat(unknown)!r}")
        self._superblock, self._incompat = raw, incompat
        self.block_size: int = 1024 << struct.unpack_from("<I", raw, 0x18)[0]
        self._inodes_per_group, self._inode_size = self._u32(0x28), struct.unpack_from("<H", raw, 0x58)[0]
        self.inode_count = self._u32(0)
        self.block_count = self._u32(4) | (self._u32(0x150) << 32 if incompat & Incompat.BITS64 else 0)
        self._descriptor_size = struct.unpack_from("<H", raw, 0xFE)[0] if incompat & Incompat.BITS64 else 32
        self._descriptors = (self._u32(0x14) + 1) * self.block_size
        self._tables: dict[int, int] = {}
        if self.block_size > LARGEST_BLOCK or self._inode_size < FIXED or not self._inodes_per_group:
            raise ImageError(f"the superblock at byte {start} of the disk is damaged")

    @cached_property
    def label(self) -> str:
        """The volume's name."""
        return self._superblock[0x78:0x88].rstrip(b"\0").decode("utf-8", "replace")

    @cached_property
    def is_clean(self) -> bool:
        """Whether it was unmounted cleanly: no journal to replay, no error recorded."""
        state = struct.unpack_from("<H", self._superblock, 0x3A)[0]
        return bool(state & 1) and not state & 2 and not self._incompat & Incompat.NEEDS_RECOVERY

    @cached_property
    def free_bytes(self) -> int:
        """Unused space."""
        blocks: int = self._u32(0xC) | self._u32(0x158) << 32
        return blocks * self.block_size

    def inode(self, number: int) -> Inode:
        """Read one inode.

        Raises:
            ImageError: No inode has this number.
        """
        if not 0 < number <= self.inode_count:
            raise ImageError(f"inode {number} does not exist: the filesystem is damaged")
        group, index = divmod(number - 1, self._inodes_per_group)
        at = self._table(group) + index * self._inode_size
        raw = bytes(self._data[at : at + self._inode_size])
        return parse_inode(number, raw)

    def extents(self, inode: Inode) -> list[Extent]:
        """Where a file's blocks are, in file order.

        Raises:
            ImageError: Its blocks are mapped the old way (ext2), or its tree is damaged.
        """
        if not inode.uses_extents:
            raise ImageError(f"inode {inode.number} maps its blocks the ext2 way, which is not supported")
        return sorted(self._extents(inode.block, inode.number, set()), key=lambda extent: extent.logical)

    def chunks(self, inode: Inode) -> Iterator[memoryview]:
        """A file's content in pieces, holes as zeros."""
        if inode.size > self.block_count * self.block_size:
            raise ImageError(f"inode {inode.number} claims to be larger than its filesystem: it is damaged")
        done = 0
        for extent in self.extents(inode) if inode.size else ():
            begin = extent.logical * self.block_size
            if begin >= inode.size:
                break
            yield from _zeros(begin - done)
            done = min(begin + extent.count * self.block_size, inode.size)
            at = self.start + extent.physical * self.block_size
            if extent.written:
                yield self._data[at : at + done - begin]
            else:
                yield from _zeros(done - begin)
        yield from _zeros(inode.size - done)

    def read(self, inode: Inode) -> bytes:
        """A file's whole content."""
        return b"".join(self.chunks(inode))

    def target(self, inode: Inode) -> str:
        """A symbolic link's target."""
        raw = self.read(inode) if inode.uses_extents else inode.block[: inode.size]
        return raw.decode("utf-8", "surrogateescape")

    def entries(self, folder: Inode) -> Iterator[tuple[str, int]]:
        """Names and inode numbers in a directory, without ``.`` and ``..``."""
        content = self.read(folder)
        at = 0
        while at + _DIRENT.size <= len(content):
            number, length, name_length, _ = _DIRENT.unpack_from(content, at)
            if length < _DIRENT.size:
                raise ImageError(f"directory inode {folder.number} is damaged")
            name = content[at + 8 : at + 8 + name_length]
            if number and name not in (b".", b".."):
                yield name.decode("utf-8", "surrogateescape"), number
            at += length

    def xattrs(self, inode: Inode) -> dict[str, bytes]:
        """Extended attributes by full name, as ``security.capability``."""
        found: dict[str, bytes] = {}
        if inode.tail[:4] == XATTR_MAGIC.to_bytes(4, "little"):
            found |= parse_xattrs(inode.tail[4:], 0)
        if inode.xattr_block:
            at = self.start + inode.xattr_block * self.block_size
            found |= parse_xattrs(bytes(self._data[at : at + self.block_size]), 32)
        return found

    def _u32(self, at: int) -> int:
        return int(struct.unpack_from("<I", self._superblock, at)[0])

    def _table(self, group: int) -> int:
        if group not in self._tables:
            at = self.start + self._descriptors + group * self._descriptor_size
            low = struct.unpack_from("<I", self._data, at + 8)[0]
            high = struct.unpack_from("<I", self._data, at + 0x28)[0] if self._descriptor_size >= WIDE_DESCRIPTOR else 0
            self._tables[group] = self.start + (low | high << 32) * self.block_size
        return self._tables[group]

    def _extents(self, node: bytes, number: int, seen: set[int]) -> Iterator[Extent]:
        magic, entries, _, depth, _ = _EXTENT_HEADER.unpack_from(node.ljust(_EXTENT_HEADER.size, b"\0"))
        if magic != _EXTENT_MAGIC or 12 + 12 * entries > len(node):
            raise ImageError(f"the extent tree of inode {number} is damaged")
        for at in range(12, 12 + 12 * entries, 12):
            if depth:
                _, low, high, _ = _INDEX.unpack_from(node, at)
                block = low | high << 32
                if block in seen:
                    raise ImageError(f"the extent tree of inode {number} is damaged")
                seen.add(block)
                child = self.start + block * self.block_size
                yield from self._extents(bytes(self._data[child : child + self.block_size]), number, seen)
            else:
                logical, count, high, low = _EXTENT.unpack_from(node, at)
                written = count <= UNWRITTEN
                yield Extent(logical, low | high << 32, count if written else count - UNWRITTEN, written)


def _zeros(count: int) -> Iterator[memoryview]:
    block = memoryview(bytes(max(0, min(count, 1 << 20))))
    while count > 0:
        yield block[:count]
        count -= len(block)
