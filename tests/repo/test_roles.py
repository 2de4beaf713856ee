"""Roles: every unit that must not run by itself is disabled by name, and none is enabled on disk."""

from __future__ import annotations

from fnmatch import fnmatch
from pathlib import Path

import pytest

from goldnode.paths import REPOSITORY

ROLES = REPOSITORY / "roles"
PRESET = ROLES / "common/rootfs/usr/lib/systemd/system-preset/10-goldnode.preset"
#: All that runs on a machine without a role.
ENABLED = {"goldnode-configure.service", "nftables.service"}
UNITS = sorted(path.name for path in ROLES.glob("*/rootfs/usr/lib/systemd/system/*.service"))


def _preset(unit: str) -> str:
    rules = [line.split() for line in PRESET.read_text().splitlines() if line and not line.startswith("#")]
    return next((verb for verb, pattern in rules if fnmatch(unit, pattern)), "none")


@pytest.mark.parametrize("unit", UNITS)
def test_presets_name_every_unit(unit: str) -> None:
    """An image's first boot applies presets: each unit of ours is named in them."""
    explicit = [line.split()[-1] for line in PRESET.read_text().splitlines() if line.startswith(("enable", "disable"))]

    assert unit in explicit
    assert _preset(unit) == ("enable" if unit in ENABLED else "disable")


def test_only_configure_and_the_firewall_are_wanted() -> None:
    """No link on disk starts anything else."""
    links = [path for path in ROLES.glob("*/rootfs/**/*") if path.is_symlink() and path.parent.suffix == ".wants"]

    assert ENABLED == {path.name for path in links}


@pytest.mark.parametrize("folder", sorted(ROLES.glob("*/role.yaml")), ids=lambda path: path.parent.name)
def test_a_role_folder_has_one_shape(folder: Path) -> None:
    """role.yaml, a README, perhaps rootfs; nothing else."""
    assert {path.name for path in folder.parent.iterdir()} <= {"role.yaml", "README.md", "rootfs"}
    assert (folder.parent / "README.md").exists()
