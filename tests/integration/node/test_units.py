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
        ("goldnode-signer@.service", 2.0),
        ("goldnode-lease@.service", 3.5),
        ("goldnode-logs.service", 2.0),
        ("goldnode-store@.service", 2.5),
        ("goldnode-agent.service", 3.5),
        ("goldnode-configure.service", 5.0),
    ],
)
def test_units_are_sandboxed(unit: str, most: float) -> None:
    """Systemd's own score of what a unit may do: 2.5 for daemon, JVM and tunnel, more for what mounts."""
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


#: Listens on a port of every address, dials as somebody, and says who was answered.
DIAL = """
import encodings.idna, os, socket, sys
user, wanted = int(sys.argv[1]), [word.rsplit("@", 1) for word in sys.argv[2:]]
ports = {int(port) for _, port in wanted}
kept = [socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True) for port in ports]
os.setuid(user)
for host, port in wanted:
    try:
        socket.create_connection((host, int(port)), 2).close()
        print(host, port)
    except OSError:
        pass
"""


def answered(folder: Path, ruleset: str, user: int, *wanted: str) -> list[str]:
    """Which of `HOST@PORT` a user reaches under a ruleset, all of them being addresses of this namespace."""
    (folder / "rules.nft").write_text(ruleset)
    (folder / "dial.py").write_text(DIAL)
    hosts = sorted({word.rsplit("@", 1)[0] for word in wanted} - {"127.0.0.1"})
    added = [
        f"ip address add {host} dev lo nodad" if ":" in host else f"ip address add {host} dev lo" for host in hosts
    ]
    dial = f"python3 -I {folder}/dial.py {user} {' '.join(wanted)}"
    script = " && ".join(["ip link set lo up", *added, f"nft -f {folder}/rules.nft", dial])
    return run(["unshare", "--net", "sh", "-c", script]).stdout.splitlines()


@pytest.mark.root
def test_no_daemon_reads_user_data(tmp_path: Path) -> None:
    """On no address and no port does a metadata service answer a daemon; DNS beside it does, and root reads all."""
    text = firewall.render([], [], public=False)
    addresses = [*firewall.METADATA, *(each for each in firewall.METADATA6 if not each.startswith("fe80"))]
    wanted = [f"{address}@{port}" for address in addresses for port in (53, 80, 443, 32526)]

    daemon, root = answered(tmp_path, text, 65534, *wanted), answered(tmp_path, text, 0, *wanted)

    assert [word.replace("@", " ") for word in wanted] == root
    assert [line for line in root if line.endswith(" 53")] == daemon


@pytest.mark.root
def test_a_strict_validator_leaves_by_its_mesh_only(tmp_path: Path) -> None:
    """The ports of one node are closed to another user of the machine; a confined user's packets leave by no cable."""
    confined = [firewall.Confined("nobody", "gnmesh0")]
    text = firewall.render([], [Private("daemon", (26659,))], public=False, confined=confined)

    # On loopback, and on the mesh's own address, where a remote signer's port is.
    wanted = ("127.0.0.1@80", "127.0.0.1@26659", "fd00::7@26659")
    assert ["127.0.0.1 80"] == answered(tmp_path, text, 65534, *wanted)
    assert 'meta skuid "nobody" oifname != { "lo", "gnmesh0" } reject' in text
