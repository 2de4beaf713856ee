"""The sealed image that is booted, and its tree in a folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from goldnode.bake import golden, manifest
from goldnode.config import network as networks
from goldnode.progress import SILENT
from tests.support import sealed


@pytest.fixture(scope="session")
def image() -> Path:
    """The image under test: ``GOLDNODE_IMAGE``, or localnet's, baked if anything has changed."""
    return sealed.named() or golden.bake(golden.BakeOptions(networks.load("localnet")), SILENT).image


@pytest.fixture(scope="session")
def network(image: Path) -> str:
    """The network whose image that is."""
    name: str = manifest.read(manifest.beside(image))["network"]
    return name


@pytest.fixture(scope="session")
def tree(image: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its root filesystem in a folder, owners and capabilities as they are on the disk."""
    return sealed.unpacked(image, tmp_path_factory.mktemp("sealed"))
