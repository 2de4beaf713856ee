"""The units, read by systemd itself; the firewall, read by nft."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from goldnode.node.plan import firewall
from goldnode.node.plan.firewall import Opening, Private
from goldnode.paths import REPOSITORY
from goldnode.run import run

ROOTFS = REPOSITORY / "roles" / "common" / "rootfs"
UNITS = sorted((ROOTFS / "usr/lib/systemd/system").glob("*.service"))
#: What the image has and this machine may lack.
ABSENT = re.compile(
    r"Command /usr/(?:bin|lib)/goldnode\S* is not executable|Unit \S+ not found|man:|nologin", re.MULTILINE
)


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_units_are_well_formed(unit: Path, tmp_path: Path) -> None:
    """Systemd finds nothing to complain of but programs that only the image has."""
    name = unit.name.replace("@.", "@n-1.")
    (tmp_path / name).write_text(unit.read_text())

    complaints = run(["systemd-analyze", "verify", "--man=no", tmp_path / name], check=False).stderr

    assert [] == [line for line in complaints.splitlines() if name in line and not ABSENT.search(line)]


@pytest.mark.parametrize(
    ("unit", "most"),
    [
        ("goldnode-node@.service", 2.5),
        ("goldnode-jvm.service", 2.5),
        ("goldnode-vpncloud@.service", 2.5),
        ("goldnode-agent.service", 3.5),
    ],
)
def test_units_are_sandboxed(unit: str, most: float) -> None:
    """Systemd's own score of what a unit may do: 2.5 for daemon, JVM and tunnel, more for the agent that configures."""
    path = ROOTFS / "usr/lib/systemd/system" / unit

    said = run(["systemd-analyze", "security", "--offline=yes", path], check=False).stdout

    score = re.search(r"Overall exposure level for \S+: ([0-9.]+)", said)
    assert score
    assert float(score[1]) <= most


def test_the_tunnel_does_not_wait_for_whoever_waits_for_it() -> None:
    """Configuring starts the tunnel and goes on once its device is there, so it must not be ordered before it."""
    text = (ROOTFS / "usr/lib/systemd/system/goldnode-vpncloud@.service").read_text()

    assert ["network.target"] == re.findall(r"^After=(.+)$", text, re.MULTILINE)


def test_a_wasm_daemon_is_still_sandboxed(tmp_path: Path) -> None:
    """Without MemoryDenyWriteExecute, which wasm cannot have, the score holds too."""
    unit = tmp_path / "goldnode-node@.service"
    text = (ROOTFS / "usr/lib/systemd/system/goldnode-node@.service").read_text()
    unit.write_text(text.replace("MemoryDenyWriteExecute=yes", "MemoryDenyWriteExecute=no"))

    said = run(["systemd-analyze", "security", "--offline=yes", unit], check=False).stdout

    score = re.search(r"Overall exposure level for \S+: ([0-9.]+)", said)
    assert score
    assert float(score[1]) <= 2.5


@pytest.mark.root
def test_the_image_boots_closed_and_roles_open_it(tmp_path: Path) -> None:
    """Nft takes the image's ruleset and, over it, a role's; loaded twice it is the same."""
    role = tmp_path / "role.nft"
    opening = Opening(26656, "tcp", None, "s-1 p2p")
    role.write_text(firewall.render([opening], [Private("root", (26657,))], public=True))
    image = ROOTFS / "etc/nftables.conf"
    script = f"nft -f {image} && nft -f {role} && nft list ruleset > {tmp_path}/1 && nft -f {role} && nft list ruleset"

    second = run(["unshare", "--net", "sh", "-c", script]).stdout

    assert second == (tmp_path / "1").read_text()
    assert "tcp dport 26656 accept" in second
    assert 1 == second.count("table inet goldnode")
