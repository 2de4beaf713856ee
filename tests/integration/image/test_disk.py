"""Images of every format that goldnode writes, and files that are no images."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from goldnode.errors import ImageError
from goldnode.image.check import open_image
from goldnode.image.digest import tree_digest
from goldnode.image.disk import PartitionType, open_disk
from goldnode.image.summary import summarise
from goldnode.run import run
from tests.image.miniature import ROOT_SIZE


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache folder of one's own."""
    monkeypatch.setenv("GOLDNODE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def images(clean_disk: Path, tmp_path: Path) -> dict[str, Path]:
    """The same disk three times."""
    qcow2, packed = tmp_path / "disk.qcow2", tmp_path / "disk.raw.zst"
    run(["qemu-img", "convert", "-O", "qcow2", "-c", "-o", "compression_type=zstd", clean_disk, qcow2])
    run(["zstd", "-q", "-1", clean_disk, "-o", packed])
    return {"raw": clean_disk, "qcow2": qcow2, "raw.zst": packed}


def test_the_digest_is_the_same_in_every_format(images: dict[str, Path], cache: Path) -> None:
    """Packing changes nothing, and what was unpacked is gone afterwards."""
    digests = set()
    for image in images.values():
        with open_image(image) as opened:
            digests.add(tree_digest(opened.root, opened.esp))

    assert 1 == len(digests)
    assert [] == list(cache.iterdir())


def test_unpacking_keeps_holes(images: dict[str, Path]) -> None:
    """A disk of gigabytes with little in it takes little space while it is checked."""
    for image in images.values():
        with open_disk(image) as disk:
            facts = disk.path.stat()

            assert facts.st_blocks * 512 < facts.st_size // 3
            assert sum(end - start for start, end in disk.data_ranges()) < facts.st_size // 3


def test_unpacking_keeps_the_size_of_a_disk_that_ends_in_zeros(clean_disk: Path, tmp_path: Path) -> None:
    """A hole at the end counts."""
    disk = tmp_path / "disk.raw"
    run(["cp", "--sparse=always", clean_disk, disk])
    size = disk.stat().st_size + (8 << 20)
    os.truncate(disk, size)
    run(["zstd", "-q", "-1", disk])
    with open_disk(disk.with_name("disk.raw.zst")) as opened:
        assert size == len(opened.data)


def test_partitions_are_read_from_the_gpt(clean_disk: Path) -> None:
    """Number, type, name, place and size, as genimage wrote them."""
    with open_disk(clean_disk) as disk:
        first, *_, last = disk.partitions

        assert (1, PartitionType.BIOS_BOOT, "bios", 1 << 20, 1 << 20) == (
            first.number, first.type, first.name, first.start, first.size,
        )  # fmt: skip
        assert (PartitionType.ROOT_AMD64, ROOT_SIZE) == (last.type, last.size)
        assert disk.partition(PartitionType.SWAP) is None


def test_a_summary_tells_what_is_on_the_image(clean_disk: Path) -> None:
    """Packages with their versions, units that start, users, the daemon: what `image show` prints."""
    with open_image(clean_disk) as image:
        document = summarise("disk.raw", image).document()

    assert {"base-files": "13.8", "tool": "1.0"} == document["packages"]
    assert ("goldnode-configure.service",) == document["enabled"]
    assert ("root", "sshd") == document["users"]
    assert ("cometbft 0.38.19", "cometbft 0.39.0, for an upgrade ahead") == document["daemons"]


def _short(path: Path) -> None:
    path.write_bytes(b"short")


def _zeros(path: Path) -> None:
    path.write_bytes(bytes(1 << 20))


def _broken_qcow2(path: Path) -> None:
    path.write_bytes(b"QFI\xfb" + os.urandom(1 << 16))


def _broken_zstd(path: Path) -> None:
    path.write_bytes(b"\x28\xb5\x2f\xfd" + bytes(range(200)))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda _: None, "there is no image"),
        (_short, "is too small to be a disk"),
        (_zeros, "has no GPT"),
        (_broken_qcow2, "is damaged"),
        (_broken_zstd, "is damaged"),
    ],
    ids=["missing", "short", "zeros", "qcow2", "zstd"],
)
def test_what_is_no_image_is_refused_in_one_sentence(make: object, message: str, tmp_path: Path) -> None:
    """Missing, short, foreign and damaged files end in an ImageError."""
    path = tmp_path / "image"
    make(path)  # type: ignore[operator]

    with pytest.raises(ImageError, match=message), open_disk(path):
        pass


def test_a_disk_without_a_root_partition_is_refused(clean_disk: Path, tmp_path: Path) -> None:
    """The type of the third partition is what makes it the root."""
    disk = tmp_path / "disk.raw"
    run(["cp", "--sparse=always", clean_disk, disk])
    with open_disk(disk) as opened:
        data = bytes(opened.data[1024:2048])
    with disk.open("r+b") as stream:
        stream.seek(1024)
        stream.write(data[:256] + bytes(128) + data[384:])

    with pytest.raises(ImageError, match="no Linux root partition"), open_image(disk):
        pass


def test_a_damaged_esp_is_refused(clean_disk: Path, tmp_path: Path) -> None:
    """A FAT without a boot sector is named, not skipped."""
    disk = tmp_path / "disk.raw"
    run(["cp", "--sparse=always", clean_disk, disk])
    with disk.open("r+b") as stream:
        stream.seek(2 << 20)
        stream.write(bytes(4096))

    with pytest.raises(ImageError, match="EFI system partition is damaged"), open_image(disk):
        pass
