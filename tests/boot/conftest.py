"""The sealed image that is booted, and its tree in a folder."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from goldnode import network as networks
from goldnode.bake import golden
from goldnode.image.check import open_image
from goldnode.image.export import write_tar
from goldnode.progress import SILENT
from goldnode.run import run, spawn


@pytest.fixture(scope="session")
def image() -> Path:
    """The image under test: ``GOLDNODE_IMAGE``, or localnet's, baked if anything has changed."""
    if name := os.environ.get("GOLDNODE_IMAGE"):
        return Path(name)
    return golden.bake(golden.Order(networks.load("localnet")), SILENT).image


@pytest.fixture(scope="session")
def tree(image: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its root filesystem in a folder, owners and capabilities as they are on the disk."""
    if os.geteuid():
        pytest.fail("systemd-nspawn needs root: sudo ./invoke test --tier boot", pytrace=False)
    folder = tmp_path_factory.mktemp("sealed")
    raw, root = folder / "disk.raw", folder / "root"
    root.mkdir()
    run(["qemu-img", "convert", "-O", "raw", image, raw])
    unpack = ["tar", "--xattrs", "--xattrs-include=*", "-xpf", "-", "-C", str(root)]
    with open_image(raw) as opened, spawn(unpack, stdin=subprocess.PIPE) as tar:
        assert tar.stdin is not None
        with tar.stdin as stream:
            write_tar(opened.root, stream)  # type: ignore[arg-type]
        assert tar.wait() == 0
    raw.unlink()
    return root
