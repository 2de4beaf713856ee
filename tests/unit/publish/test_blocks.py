"""Blocks of a disk: which are sent, and what their checksums are."""

from __future__ import annotations

import base64
import hashlib
import io
from pathlib import Path

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from goldnode.publish.blocks import BLOCK_SIZE, GIB, Block, changed_blocks, digests, linear_checksum, volume_gib

ZERO = bytes(BLOCK_SIZE)
ONE = b"\1" * BLOCK_SIZE


def apply(parent: bytes, blocks: list[Block], count: int) -> bytes:
    """What a volume holds after the blocks were written onto its parent."""
    held = [parent[i * BLOCK_SIZE : (i + 1) * BLOCK_SIZE].ljust(BLOCK_SIZE, b"\0") for i in range(count)]
    for block in blocks:
        held[block.index] = block.data
    return b"".join(held)


@settings(deadline=None)  # megabytes, on a machine that others use too
@given(
    st.lists(st.sampled_from([b"\0", b"\1", b"\2"]), max_size=5), st.lists(st.sampled_from([b"\0", b"\1"]), max_size=5)
)
def test_writing_the_changed_blocks_gives_the_disk(new: list[bytes], old: list[bytes]) -> None:
    """Whatever the parent held, parent plus changed blocks is the disk, and no block is sent in vain."""
    disk, parent = (b"".join(byte * BLOCK_SIZE for byte in each) for each in (new, old))
    count = max(len(new), len(old))

    sent = list(changed_blocks(io.BytesIO(disk), io.BytesIO(parent)))

    assert disk.ljust(count * BLOCK_SIZE, b"\0") == apply(parent, sent, count)
    assert all(block.data != parent[block.index * BLOCK_SIZE :][:BLOCK_SIZE] for block in sent)


def test_zeros_are_not_sent() -> None:
    """Without a parent, only blocks with content are sent."""
    sent = [block.index for block in changed_blocks(io.BytesIO(ZERO + ONE + ZERO + ONE), io.BytesIO())]

    assert [1, 3] == sent


def test_last_block_is_padded() -> None:
    """A disk that ends inside a block ends in zeros."""
    (block,) = changed_blocks(io.BytesIO(b"\1"), io.BytesIO())

    assert b"\1" + bytes(BLOCK_SIZE - 1) == block.data


def test_digests_of_a_compressed_disk(tmp_path: Path) -> None:
    """The digests of a raw.zst are those of its blocks, zeros left out."""
    raw = tmp_path / "disk.raw.zst"
    raw.write_bytes(zstandard.compress(ZERO + ONE))

    assert {1: hashlib.sha256(ONE).digest()} == digests(raw)


def test_linear_checksum_follows_the_index() -> None:
    """The aggregate is taken in the order of the blocks, not in that of their arrival."""
    first, second = hashlib.sha256(b"a").digest(), hashlib.sha256(b"b").digest()
    due = base64.b64encode(hashlib.sha256(first + second).digest()).decode()

    assert due == linear_checksum({7: second, 2: first})


@pytest.mark.parametrize(("size", "gib"), [(1, 1), (GIB, 1), (GIB + 1, 2), (2 * GIB, 2)])
def test_volume_is_the_smallest_that_holds_the_disk(size: int, gib: int) -> None:
    """Volumes come in whole GiB."""
    assert gib == volume_gib(size)
