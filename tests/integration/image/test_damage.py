"""A damaged or hostile filesystem ends in one clear error, never in a crash or a loop."""

from __future__ import annotations

import dataclasses
import random
import struct
from pathlib import Path

import pytest

from goldnode.errors import ImageError
from goldnode.image.check import open_image
from goldnode.image.digest import tree_digest
from goldnode.image.disk import ROOTS, open_disk
from goldnode.run import run
from tests.image.seeding import Bed

ROUNDS = 60
#: How much of the filesystem's start is spoiled: superblock, descriptors, inodes, first folders.
METADATA = 3 << 20


@pytest.fixture
def disk(clean_disk: Path, tmp_path: Path) -> Path:
    """A copy that may be spoiled."""
    copy = tmp_path / "disk.raw"
    run(["cp", "--sparse=always", clean_disk, copy])
    return copy


def test_random_damage_is_survived(disk: Path) -> None:
    """Whatever bytes of the metadata change, reading ends with a digest or an ImageError."""
    chance = random.Random(20261120)  # noqa: S311 - repeatable damage, no key
    with open_disk(disk) as opened:
        part = opened.partition(*ROOTS)
        assert part is not None
        start = part.start
        good = bytes(opened.data[start : start + METADATA])
    used = [at for at in range(METADATA) if good[at]]
    refused = 0
    for _ in range(ROUNDS):
        bad = bytearray(good)
        for at in chance.sample(used, 40):
            bad[at] = chance.randrange(256)
        with disk.open("r+b") as stream:
            stream.seek(start)
            stream.write(bad)
        try:
            with open_image(disk) as image:
                tree_digest(image.root, image.esp)
        except ImageError:
            refused += 1

    assert 0 < refused <= ROUNDS


def test_a_folder_inside_itself_is_refused(disk: Path) -> None:
    """A loop of folders is told, not walked for ever."""
    bed = Bed(disk)
    bed.write("/opt/deep/file")
    bed.debugfs("cd /opt/deep", "ln /opt up")

    with pytest.raises(ImageError, match="leads back to itself"), open_image(disk):
        pass


def test_an_extent_tree_that_leads_back_to_itself_is_refused(disk: Path) -> None:
    """A block of the tree that names itself as its child is not followed for ever."""
    bed = Bed(disk)
    bed.write("/opt/file")
    block = 20_000
    node = struct.pack("<HHHHI", 0xF30A, 1, 4, 1, 0) + struct.pack("<IIHH", 0, block, 0, 0)
    bed.write_raw(node, bed.root + block * bed.block_size)
    with open_image(disk) as image:
        inode = image.filesystem.inode(image.root.files["/opt/file"].number)
        looping = dataclasses.replace(inode, block=node.ljust(60, b"\0"))

        with pytest.raises(ImageError, match=r"extent tree .* is damaged"):
            image.filesystem.extents(looping)


def test_a_file_larger_than_its_filesystem_is_refused(disk: Path) -> None:
    """A size in the exabytes does not keep the reader busy."""
    bed = Bed(disk)
    bed.write("/opt/huge")
    bed.debugfs("sif /opt/huge size 0x7ffffffffffff")

    with open_image(disk) as image, pytest.raises(ImageError, match="larger than its filesystem"):
        image.root.read("/opt/huge")
