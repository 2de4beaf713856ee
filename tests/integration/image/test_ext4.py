"""The ext4 reader against trees that mke2fs and debugfs made."""

from __future__ import annotations

import contextlib
import hashlib
import mmap
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from goldnode.errors import ImageError
from goldnode.image.ext4 import Ext4
from goldnode.image.tree import FileKind, Tree, from_ext4
from goldnode.run import run

MIB = 1 << 20
LONG = "n" * 255


@contextlib.contextmanager
def opened(image: Path) -> Iterator[Ext4]:
    """The filesystem in a file."""
    with image.open("rb") as stream:
        yield Ext4(memoryview(mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)))


def make(folder: Path, tree: Path, *options: str, size: int = 64 * MIB) -> Path:
    """An ext4 image of a folder."""
    image = folder / "root.ext4"
    with image.open("wb") as stream:
        stream.truncate(size)
    run(["mke2fs", "-q", "-t", "ext4", "-L", "root", *options, "-d", tree, image])
    return image


def debugfs(image: Path, *commands: str) -> None:
    """Change an image from outside."""
    run(["debugfs", "-w", "-f", "-", image], stdin="\n".join(commands) + "\n")


@pytest.fixture(scope="session")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tree with everything that a root filesystem has and root rights are not needed for."""
    tree = tmp_path_factory.mktemp("source")
    (tree / "many").mkdir()
    for number in range(700):
        (tree / "many" / f"file-{number:05d}-{'x' * 40}").write_text(str(number))
    (tree / LONG).write_text("long name")
    (tree / "ünï\udcff").write_bytes(b"odd name")
    (tree / "big").write_bytes(os.urandom(1000) * 5_000)
    with (tree / "sparse").open("wb") as stream:
        stream.seek(9 * MIB)
        stream.write(b"end")
        stream.truncate(10 * MIB)
    (tree / "empty").touch()
    (tree / "short").symlink_to("many")
    (tree / "slow").symlink_to("../" * 30 + "target")
    (tree / "twin").hardlink_to(tree / "big")
    (tree / "secret").write_text("x")
    (tree / "secret").chmod(0o4750)
    os.setxattr(tree / "secret", "user.note", b"kept")
    os.setxattr(tree / "secret", "user.a", b"1")
    os.setxattr(tree / "secret", "user.bcd", b"23")
    os.setxattr(tree / "secret", "user.large", b"v" * 600)
    os.mkfifo(tree / "fifo")
    return tree


def compare(tree: Tree, source: Path) -> None:
    """Every file of the image is what the folder holds, and nothing is missing."""
    names = {f"/{path.relative_to(source)}" for path in source.rglob("*")}
    assert names == {file.path for file in tree} - {"/", "/lost+found"}
    for file in tree:
        if file.path in names:
            path = source / file.path[1:]
            facts = path.lstat()
            assert (stat.S_IMODE(facts.st_mode), facts.st_uid, facts.st_gid) == (file.mode, file.uid, file.gid), path
            assert (str(path.readlink()) if path.is_symlink() else "") == file.target
            if file.kind is FileKind.FILE:
                assert hashlib.sha256(path.read_bytes()).hexdigest() == tree.digest(file), path


@pytest.mark.parametrize(
    "options",
    [
        (),
        ("-b", "4096"),
        ("-O", "^64bit,^metadata_csum"),
        ("-I", "128"),
        ("-O", "^dir_index,^flex_bg", "-g", "8192"),
    ],
    ids=["default", "4k-blocks", "32-bit", "small-inodes", "no-index"],
)
def test_a_filesystem_reads_as_what_went_into_it(options: tuple[str, ...], source: Path, tmp_path: Path) -> None:
    """Names, kinds, modes, owners, targets and content survive the round trip, whatever mke2fs is told."""
    with opened(make(tmp_path, source, *options)) as filesystem:
        compare(from_ext4(filesystem), source)


def test_extended_attributes_are_read_from_inode_and_block(source: Path, tmp_path: Path) -> None:
    """Small ones lie in the inode, large ones in a block of their own."""
    with opened(make(tmp_path, source)) as filesystem:
        file = from_ext4(filesystem).get("/secret")

        assert file is not None
        assert dict(file.xattrs) == {
            "user.note": b"kept", "user.a": b"1", "user.bcd": b"23", "user.large": b"v" * 600,
        }  # fmt: skip


def test_devices_and_large_owners_are_read(tmp_path: Path) -> None:
    """Old and new device numbers, and user ids beyond 16 bits."""
    (tmp_path / "nothing").mkdir()
    image = make(tmp_path, tmp_path / "nothing", size=8 * MIB)
    debugfs(image, "mknod null c 1 3", "mknod disk b 259 1000", "sif null uid 100000", "sif null gid 200000")
    with opened(image) as filesystem:
        tree = from_ext4(filesystem)
        null, disk = tree.files["/null"], tree.files["/disk"]

    assert (FileKind.CHARACTER, "1:3", 100_000, 200_000) == (null.kind, null.device, null.uid, null.gid)
    assert (FileKind.BLOCK, "259:1000") == (disk.kind, disk.device)


def test_a_fragmented_file_has_a_deep_extent_tree(tmp_path: Path) -> None:
    """More extents than an inode holds are read through index blocks."""
    (tmp_path / "source").mkdir()
    with (tmp_path / "source" / "holes").open("wb") as stream:
        for number in range(1500):
            stream.seek(number * 8192)
            stream.write(number.to_bytes(4, "big") * 1024)
    with opened(make(tmp_path, tmp_path / "source")) as filesystem:
        tree = from_ext4(filesystem)
        inode = filesystem.inode(tree.files["/holes"].number)

        assert len(filesystem.extents(inode)) > 340
        compare(tree, tmp_path / "source")


def test_blocks_that_were_never_written_read_as_zeros(tmp_path: Path) -> None:
    """Fallocate leaves blocks that hold somebody's old bytes; a reader must not show them."""
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "file").write_bytes(b"x" * 4096)
    image = make(tmp_path, tmp_path / "source", size=8 * MIB)
    debugfs(image, "fallocate file 4 31", "sif file size 16384")
    with opened(image) as filesystem:
        tree = from_ext4(filesystem)

        assert b"x" * 4096 + bytes(12288) == tree.read("/file")


def test_blocks_beyond_the_end_are_not_read(tmp_path: Path) -> None:
    """A file may own more blocks than its size says."""
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "file").write_bytes(b"x" * 1024)
    image = make(tmp_path, tmp_path / "source", size=8 * MIB)
    debugfs(image, "fallocate file 3 7", "sif file size 1024")
    with opened(image) as filesystem:
        assert b"x" * 1024 == from_ext4(filesystem).read("/file")


def test_an_inode_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    """Numbers start at 1 and end where the superblock says."""
    (tmp_path / "source").mkdir()
    with opened(make(tmp_path, tmp_path / "source", size=8 * MIB)) as filesystem:
        for number in (0, filesystem.inode_count + 1):
            with pytest.raises(ImageError, match=f"inode {number} does not exist"):
                filesystem.inode(number)


def test_free_space_label_and_state_are_told(tmp_path: Path) -> None:
    """What dumpe2fs prints is what we read."""
    (tmp_path / "source").mkdir()
    image = make(tmp_path, tmp_path / "source", size=8 * MIB)
    told = dict(
        line.split(":", 1) for line in run(["dumpe2fs", "-h", image]).stdout.splitlines() if line.count(":") == 1
    )
    with opened(image) as filesystem:
        facts = (filesystem.label, filesystem.free_bytes, filesystem.is_clean)

    assert (
        "root",
        int(told["Free blocks"]) * int(told["Block size"]),
        told["Filesystem state"].strip() == "clean",
    ) == facts


@pytest.mark.parametrize("state", [0, 2, 3], ids=["mounted", "errors-mounted", "errors"])
def test_a_filesystem_with_errors_or_in_use_is_not_clean(state: int, tmp_path: Path) -> None:
    """Both bits of the superblock's state count."""
    (tmp_path / "source").mkdir()
    image = make(tmp_path, tmp_path / "source", size=8 * MIB)
    debugfs(image, f"ssv state {state}")
    with opened(image) as filesystem:
        assert not filesystem.is_clean


@pytest.mark.parametrize(("feature", "named"), [("inline_data", "INLINE_DATA"), ("encrypt", "ENCRYPT")])
def test_an_unknown_feature_is_refused_by_name(feature: str, named: str, tmp_path: Path) -> None:
    """A filesystem that would be misread is not read."""
    (tmp_path / "source").mkdir()
    image = make(tmp_path, tmp_path / "source", "-O", feature, size=8 * MIB)

    with opened_error(image) as message:
        assert named in message


@contextlib.contextmanager
def opened_error(image: Path) -> Iterator[str]:
    """The message with which a filesystem is refused."""
    with pytest.raises(ImageError) as caught, opened(image):
        pass
    yield caught.value.message


def test_something_else_is_refused(tmp_path: Path) -> None:
    """No magic, no filesystem."""
    image = tmp_path / "zeros"
    image.write_bytes(bytes(8192))

    with opened_error(image) as message:
        assert "no ext4 filesystem at byte 0 of the disk" == message


def test_blocks_mapped_the_old_way_are_refused(tmp_path: Path) -> None:
    """An ext2 file is named instead of being misread."""
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "old").write_bytes(b"x" * 5000)
    image = make(tmp_path, tmp_path / "source", "-O", "^extent,^64bit", size=8 * MIB)
    with opened(image) as filesystem, pytest.raises(ImageError) as caught:
        from_ext4(filesystem)

    assert "ext2 way" in caught.value.message
