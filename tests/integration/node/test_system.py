"""What a leaving node and a first boot ask of the kernel, in a network namespace of the test's own."""

from __future__ import annotations

import json
import pwd
import sys
from pathlib import Path

import pytest

from goldnode.errors import SafetyError
from goldnode.node.plan.plan import FolderPlan, Plan
from goldnode.node.system import apply
from goldnode.node.system.live import LiveSystem
from goldnode.paths import REPOSITORY
from goldnode.run import run

pytestmark = pytest.mark.root


class Unattended(LiveSystem):
    """A machine without systemd."""

    def stop(self, unit: str) -> None:
        """There are no units."""


def lower() -> None:
    """Take one of two meshes down; print what is left."""
    for number in (7, 8):
        run(["ip", "link", "add", f"gnmesh{number}", "type", "veth", "peer", "name", f"far{number}"])
        for selector in (["from", f"fd00::{number}"], ["uidrange", f"{number}-{number}"]):
            run(["ip", "-6", "rule", "add", "pref", str(26600 + number), *selector, "lookup", str(26600 + number)])
    for _ in range(2):
        Unattended().lower_mesh("val-1", "gnmesh7", 26607)
    rules = json.loads(run(["ip", "-6", "-json", "rule", "show"]).stdout)
    print(
        json.dumps([sorted(path.name for path in Path("/sys/class/net").iterdir()), [rule["table"] for rule in rules]])
    )


def settings() -> None:
    """Load settings of which this kernel lacks one; print what holds."""
    Unattended().load_sysctls(Path(sys.argv[2]))
    print(Path("/proc/sys/net/ipv4/ip_default_ttl").read_text())


def _inside(part: str, *words: Path) -> str:
    argv = [sys.executable, "-m", "tests.integration.node.test_system", part, *map(str, words)]
    script = 'mount -t sysfs none /sys && exec "$@"'
    return run(["unshare", "--net", "--mount", "sh", "-c", script, "sh", *argv], cwd=REPOSITORY).stdout


def test_a_node_that_left_leaves_no_way_behind() -> None:
    """Interface and rules of the one are gone, its sibling's stay; twice is once."""
    links, tables = json.loads(_inside("lower"))

    assert ["gnmesh8", "lo"] == [link for link in links if link in ("gnmesh7", "gnmesh8", "lo")]
    assert [26608, 26608] == [int(table) for table in tables if table.isdigit()]


def test_settings_hold_at_once(tmp_path: Path) -> None:
    """A network's kernel settings are in force when the file is loaded, and one that the kernel lacks hurts none."""
    path = tmp_path / "70-network.conf"
    path.write_text("net.ipv4.no_such_setting = 1\nnet.ipv4.ip_default_ttl = 77\n")

    assert "77" == _inside("settings", path).split()[-1]


def test_root_gives_nothing_away_behind_a_link(tmp_path: Path) -> None:
    """What a daemon puts in the place of its folder, or into it, is not followed: what it leads to keeps its owner."""
    roots, home, replaced = tmp_path / "roots", tmp_path / "home", tmp_path / "data"
    for folder in (roots, home):
        folder.mkdir()
    (roots / "file").write_text("")
    replaced.symlink_to(roots)
    (home / "inside").symlink_to(roots)

    apply.apply(Plan((FolderPlan(home, 0o750, "nobody", "nogroup", tree=True),)), Unattended())
    with pytest.raises(SafetyError, match="is not a directory"):
        apply.apply(Plan((FolderPlan(replaced, 0o750, "nobody", "nogroup", tree=True),)), Unattended())

    nobody = pwd.getpwnam("nobody").pw_uid
    assert [0, 0] == [path.stat().st_uid for path in (roots, roots / "file")]
    assert [nobody, nobody] == [path.lstat().st_uid for path in (home, home / "inside")]


if __name__ == "__main__":
    {"lower": lower, "settings": settings}[sys.argv[1]]()
