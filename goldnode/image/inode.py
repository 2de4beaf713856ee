"""An ext4 inode as a value: its type, its blocks, its extended attributes.

``ext4`` finds the bytes; this module says what they mean.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

XATTR_MAGIC = 0xEA020000
XATTR_PREFIXES = {
    1: "user.", 2: "system.posix_acl_access", 3: "system.posix_acl_default", 4: "trusted.", 6: "security.",
    7: "system.", 8: "system.richacl",
}  # fmt: skip
#: The fixed part of every inode; what follows may hold extended attributes.
FIXED = 128

_XATTR = struct.Struct("<BBHIII")
_USES_EXTENTS = 0x80000


@dataclass(frozen=True, slots=True)
class Inode:
    """One file of any type.

    Attributes:
        number: Inode number.
        mode: Type and permissions, as ``st_mode``.
        uid: Owner.
        gid: Group.
        size: Bytes.
        links: Number of hard links.
        uses_extents: Whether its block area holds an extent tree.
        block: The 60 bytes that hold the extent tree, a short link target, or a device number.
        xattr_block: Block with extended attributes; 0 for none.
        tail: What follows the fixed part inside the inode: more extended attributes.
    """

    number: int
    mode: int
    uid: int
    gid: int
    size: int
    links: int
    uses_extents: bool
    block: bytes
    xattr_block: int
    tail: bytes

    @property
    def device(self) -> tuple[int, int]:
        """Major and minor number of a device node."""
        old, new = struct.unpack_from("<II", self.block)
        if old:
            return old >> 8 & 0xFF, old & 0xFF
        return (new & 0xFFF00) >> 8, (new & 0xFF) | (new >> 12 & 0xFFF00)


@dataclass(frozen=True, slots=True)
class Extent:
    """A run of blocks: ``count`` blocks of the file from ``logical`` are on the disk from ``physical``."""

    logical: int
    physical: int
    count: int
    written: bool


def parse_inode(number: int, raw: bytes) -> Inode:
    """Parse an inode's bytes."""
    mode, uid, size = struct.unpack_from("<HHI", raw)
    gid, links = struct.unpack_from("<HH", raw, 0x18)
    flags = struct.unpack_from("<I", raw, 0x20)[0]
    xattr_block, size_high = struct.unpack_from("<II", raw, 0x68)
    xattr_high, uid_high, gid_high = struct.unpack_from("<HHH", raw, 0x76)
    extra = struct.unpack_from("<H", raw, FIXED)[0] if len(raw) > FIXED else 0
    return Inode(
        number=number,
        mode=mode,
        uid=uid | uid_high << 16,
        gid=gid | gid_high << 16,
        size=size | size_high << 32,
        links=links,
        uses_extents=bool(flags & _USES_EXTENTS),
        block=raw[0x28:0x64],
        xattr_block=xattr_block | xattr_high << 32,
        tail=raw[FIXED + extra :],
    )


def parse_xattrs(area: bytes, first: int) -> dict[str, bytes]:
    """Parse entries from ``first`` on; their values' offsets count from the start of ``area``."""
    found, at = {}, first
    while at + _XATTR.size <= len(area) and area[at : at + 4] != b"\0\0\0\0":
        name_length, index, offset, _, size, _ = _XATTR.unpack_from(area, at)
        name = XATTR_PREFIXES.get(index, f"{index}.") + area[at + 16 : at + 16 + name_length].decode("ascii", "replace")
        found[name] = area[offset : offset + size]
        at += (_XATTR.size + name_length + 3) & ~3
    return found
