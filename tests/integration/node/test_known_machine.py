"""The generator that keeps cloud-init off on a machine that was configured, as systemd runs it."""

from __future__ import annotations

from pathlib import Path

import pytest

from goldnode.node.layout import Layout
from goldnode.node.system import machine
from goldnode.paths import REPOSITORY
from goldnode.run import run
from tests.unit.node.system.test_machine import DMI, boot

GENERATOR = REPOSITORY / "roles/common/rootfs/usr/lib/systemd/system-generators/goldnode-known"


def masked(layout: Layout, folder: Path) -> list[str]:
    """The units that are off on the next boot."""
    for name in ("normal", "early", "late"):
        (folder / name).mkdir(parents=True)
    run([GENERATOR, *(folder / name for name in ("normal", "early", "late"))], env={"GOLDNODE_ROOT": str(layout.root)})
    return sorted(path.name for path in (folder / "early").iterdir() if str(path.readlink()) == "/dev/null")


@pytest.mark.parametrize(
    ("source", "later", "off"),
    [
        ("DataSourceEc2Local", DMI, True),
        ("DataSourceGCE", DMI, True),
        ("DataSourceNoCloud", DMI, False),
        ("DataSourceConfigDrive", DMI, False),
        ("DataSourceEc2Local", DMI.replace("1", "2"), False),
        ("DataSourceEc2Local", "", False),
    ],
)
def test_cloud_init_stays_off_on_the_same_machine_only(tmp_path: Path, source: str, later: str, *, off: bool) -> None:
    """User-data from the network is asked for once; a copy, or a machine with a seed of its own, asks again."""
    machine.remember(boot(tmp_path / "root", "i-1", source=source))
    layout = boot(tmp_path / "root", "i-1", later, source=source)

    assert off == ("cloud-init-main.service" in masked(layout, tmp_path / "generated"))


def test_a_machine_that_was_never_configured_asks(tmp_path: Path) -> None:
    """Without our file, or without firmware, everything is as cloud-init has it."""
    layout = boot(tmp_path / "root", "i-1")
    layout.at("/sys/class/dmi/id/product_uuid").unlink()

    assert [] == masked(layout, tmp_path / "generated")
