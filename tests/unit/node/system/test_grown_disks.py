"""Whether a partition can grow: read from sysfs, before seconds go to a program that says no."""

from __future__ import annotations

from pathlib import Path

import pytest

from goldnode.node.system.disks import SPARE, _fills


@pytest.mark.parametrize(("behind", "fills"), [(0, True), (SPARE - 1, True), (SPARE, False), (1 << 30, False)])
def test_a_partition_that_ends_with_its_disk(tmp_path: Path, behind: int, fills: bool) -> None:
    """What growpart would leave free is not called room."""
    partition = tmp_path / "vda" / "vda3"
    partition.mkdir(parents=True)
    (partition / "start").write_text("36864\n")
    (partition / "size").write_text("2580480\n")
    (tmp_path / "vda" / "size").write_text(f"{36864 + 2580480 + behind}\n")

    assert fills == _fills(partition)
