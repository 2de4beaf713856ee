"""What an overlay itself holds, without the disk below it."""

from __future__ import annotations

from pathlib import Path

import pytest

from goldnode.image.disk import own_ranges
from goldnode.run import run

CLUSTER = 64 << 10


@pytest.fixture
def overlays(tmp_path: Path) -> Path:
    """A disk with two overlays over it; each of the three has a cluster of its own: the first, second and third."""
    disk = tmp_path / "0.qcow2"
    run(["qemu-img", "create", "-q", "-f", "qcow2", disk, "1M"])
    for number in range(3):
        disk = tmp_path / f"{number}.qcow2"
        if number:
            below = tmp_path / f"{number - 1}.qcow2"
            run(["qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", below, disk])
        run(["qemu-io", "-f", "qcow2", "-c", f"write -P 1 {number * CLUSTER} {CLUSTER}", disk])
    return disk


@pytest.mark.parametrize("layers", [1, 2])
def test_what_was_written_over_a_disk(overlays: Path, layers: int) -> None:
    """It is what the upper layers hold, however many they are, and nothing of the disk below them."""
    whole = [byte for start, end in own_ranges(overlays, layers) for byte in range(start, end, CLUSTER)]

    assert [number * CLUSTER for number in range(3 - layers, 3)] == whole
