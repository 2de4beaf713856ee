"""The sealed image that these tests look at, and its tree in a folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import testinfra
import testinfra.host

from goldnode import paths
from goldnode.bake import manifest
from goldnode.image.check import open_image
from goldnode.image.rule import Image
from tests.support import sealed as unpacked
from tests.support.baking import bake


@pytest.fixture(scope="session")
def sealed_manifest() -> dict[str, Any]:
    """Manifest of the image under test; localnet's is baked by the user's own command (unchanged: at once)."""
    named = unpacked.named()
    return manifest.read(manifest.beside(named)) if named else bake("localnet")


@pytest.fixture(scope="session")
def sealed_image(sealed_manifest: dict[str, Any]) -> Path:
    """The image under test."""
    return unpacked.named() or paths.out() / sealed_manifest["image"]["file"]


@pytest.fixture(scope="session")
def sealed_disk(sealed_image: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sealed image unpacked; copy it before you change it."""
    return unpacked.raw(sealed_image, tmp_path_factory.mktemp("sealed") / "disk.raw")


@pytest.fixture(scope="session")
def sealed(sealed_disk: Path) -> Iterator[Image]:
    """The sealed image, open for reading."""
    with open_image(sealed_disk) as image:
        yield image


@pytest.fixture(scope="session")
def sealed_root(sealed: Image, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its root filesystem in a folder."""
    return unpacked.unpack(sealed.root, tmp_path_factory.mktemp("root"))


@pytest.fixture(scope="session")
def host(sealed_root: Path) -> testinfra.host.Host:
    """Testinfra on that folder."""
    return testinfra.get_host(str(sealed_root), connection="chroot")
