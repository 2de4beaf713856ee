"""A disk image as EBS direct wants it: only the necessary blocks of 512 KiB.

A new snapshot reads as zeros, a child of another snapshot as its parent: only the difference is
sent.  Everything is streamed, so an image may be larger than memory or free disk space.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import zstandard

#: Bytes; today StartSnapshot returns this for every snapshot.
BLOCK_SIZE = 512 * 1024
GIB = 1 << 30


@dataclass(frozen=True, slots=True)
class Block:
    """One block of a disk: its index and its 512 KiB."""

    index: int
    data: bytes

    def digest(self) -> bytes:
        """SHA-256 of the content, 32 bytes."""
        return hashlib.sha256(self.data).digest()


@contextlib.contextmanager
def open_raw(path: Path | None) -> Iterator[IO[bytes]]:
    """The raw content of a `.raw.zst`; an empty disk for None."""
    if path is None:
        yield io.BytesIO()
        return
    with path.open("rb") as packed, zstandard.ZstdDecompressor().stream_reader(packed) as raw:
        yield io.BufferedReader(raw, BLOCK_SIZE)


def changed_blocks(disk: IO[bytes], parent: IO[bytes]) -> Iterator[Block]:
    """The blocks to write to turn a copy of ``parent`` into ``disk``; past the end, either reads as zeros."""
    index = 0
    while True:
        ours, theirs = disk.read(BLOCK_SIZE), parent.read(BLOCK_SIZE)
        if not ours and not theirs:
            return
        ours, theirs = ours.ljust(BLOCK_SIZE, b"\0"), theirs.ljust(BLOCK_SIZE, b"\0")
        if ours != theirs:
            yield Block(index, ours)
        index += 1


def digests(raw: Path) -> dict[int, bytes]:
    """SHA-256 of every block of a `.raw.zst` that is not all zeros, by index."""
    with open_raw(raw) as disk, open_raw(None) as nothing:
        return {block.index: block.digest() for block in changed_blocks(disk, nothing)}


def linear_checksum(written: Mapping[int, bytes]) -> str:
    """The LINEAR aggregate CompleteSnapshot takes: Base64 SHA-256 over the digests in the order of the blocks."""
    joined = b"".join(written[index] for index in sorted(written))
    return base64.b64encode(hashlib.sha256(joined).digest()).decode()


def volume_gib(size: int) -> int:
    """The smallest volume, in GiB, that holds ``size`` bytes."""
    return max(1, -(-size // GIB))
