"""A sealed image's root filesystem in a folder: to look into with chroot, and to boot as a container."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from goldnode.image.check import open_image
from goldnode.image.tree import Tree
from goldnode.run import run, spawn
from tests.support.export import write_tar


def named() -> Path | None:
    """The image under test where the caller names one (``GOLDNODE_IMAGE``); None has localnet's baked."""
    name = os.environ.get("GOLDNODE_IMAGE")
    return Path(name) if name else None


def raw(image: Path, target: Path) -> Path:
    """Unpack a qcow2 into a plain disk."""
    run(["qemu-img", "convert", "-O", "raw", image, target])
    return target


def unpacked(image: Path, folder: Path) -> Path:
    """Unpack a sealed image's root filesystem into an empty folder."""
    disk = raw(image, folder / "disk.raw")
    with open_image(disk) as opened:
        root = unpack(opened.root, folder / "root")
    disk.unlink()
    return root


def unpack(tree: Tree, folder: Path) -> Path:
    """Unpack a root filesystem: owners, modes and capabilities as they are on the disk."""
    if os.geteuid():
        pytest.fail("unpacking a root filesystem needs root: sudo ./invoke test", pytrace=False)
    folder.mkdir(exist_ok=True)
    argv = ["tar", "--xattrs", "--xattrs-include=*", "-xpf", "-", "-C", str(folder)]
    with spawn(argv, stdin=subprocess.PIPE) as tar:
        assert tar.stdin is not None
        with tar.stdin as stream:
            write_tar(tree, stream)  # type: ignore[arg-type]
        assert tar.wait() == 0
    return folder
