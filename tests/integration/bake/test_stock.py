"""The ordinary way, for real: a plain Debian machine becomes an image that is as clean as the golden one."""

from __future__ import annotations

from pathlib import Path

import pytest

from goldnode.bake import golden
from goldnode.bake.platform import Platform
from goldnode.config import network
from goldnode.image.check import open_image
from goldnode.image.digest import canonical
from goldnode.progress import SILENT
from goldnode.run import run

#: Where a machine that was booted and one that was not may differ: ids given in another order, what apt and ucf note.
MAY_DIFFER = (
    "/etc/passwd", "/etc/shadow", "/etc/group", "/etc/gshadow", "/etc/locale.conf", "/etc/chrony/", "/efi",
    "/var/lib/", "/var/cache/debconf/",
)  # fmt: skip


def files_of(disk: Path) -> list[str]:
    """A line for every file of a disk, with owner, mode and digest, without those that may differ."""
    with open_image(disk) as image:
        return [line for line in canonical(image.root, image.esp).splitlines() if not line.startswith(MAY_DIFFER)]


@pytest.mark.long
def test_stock_and_golden_hold_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ways end clean, with the same packages, and with the same files wherever it counts."""
    monkeypatch.setenv("GOLDNODE_OUT", str(tmp_path / "out"))
    found, packages = {}, {}
    for platform in (Platform.QEMU, Platform.STOCK):
        result = golden.bake(golden.BakeOptions(network.load("localnet"), platform=platform), SILENT)
        packages[platform] = result.manifest["packages"]
        raw = tmp_path / "disk.raw"
        run(["qemu-img", "convert", "-O", "raw", result.image, raw])
        found[platform] = files_of(raw)

    assert packages[Platform.QEMU] == packages[Platform.STOCK]
    assert found[Platform.QEMU] == found[Platform.STOCK]
