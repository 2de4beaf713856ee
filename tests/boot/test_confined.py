"""What is confined loses nothing: who configures, who logs in, the tunnel; as systemd runs them in the sealed tree."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from goldnode.bake.programs import vpncloud
from goldnode.node.keys.cometbft_keys import Key
from goldnode.node.layout import Layout
from goldnode.node.plan.meshes.vpncloud import base62, private
from goldnode.node.system.machine import architecture
from goldnode.progress import SILENT
from tests.boot.container import Container, container
from tests.support.node_lab import seed

pytestmark = [pytest.mark.root, pytest.mark.any_image]
USER_DATA = """\
#cloud-config
write_files:
  - path: /etc/goldnode/node.yaml
    content: |
      version: 1
      role: rendezvous
      ssh_keys: [{key}]
"""
SSH = ("ssh", "-i", "/root/key", "-o", "StrictHostKeyChecking=no", "-o", "BatchMode=yes", "root@127.0.0.1")
#: What root does over SSH on a node, and what each prints.
WORK = {
    "id -u": "0",
    "goldnode status >/dev/null; echo $?": "4",
    "nft list tables | head -1": "table inet goldnode",
    "mount -t tmpfs tmpfs /mnt && touch /mnt/here && findmnt -n -o FSTYPE /mnt": "tmpfs",
    "ip -6 address add fd00::9/128 dev lo && ip -6 address show dev lo | grep -c fd00::9": "1",
    "chown nobody /mnt/here && stat -c %U /mnt/here": "nobody",
    "setpriv --reuid=nobody --clear-groups id -un": "nobody",
    "systemctl restart cron.service 2>/dev/null; systemctl is-system-running >/dev/null; echo reached": "reached",
    "journalctl -q -n 1 -o cat -u goldnode-configure | wc -l": "1",
    "hostname spare && hostname": "spare",
    "curl -fsS --retry 30 --retry-connrefused --retry-delay 1 http://127.0.0.1:8700/healthz": "ok",
}


def score(machine: Container, unit: str) -> float:
    """What systemd says of a unit as it is in force, drop-ins included: 0 is closed, 10 open."""
    said = machine.ask("systemd-analyze", "security", "--no-pager", unit)
    found = re.search(r"Overall exposure level for \S+: ([0-9.]+)", said)
    assert found, said
    return float(found[1])


def test_who_logs_in_does_the_work_of_root(tree: Path, tmp_path: Path) -> None:
    """A confined configure opens the role and its SSH, and root over a confined SSH loses nothing that a node needs."""
    key = Ed25519PrivateKey.generate()
    public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()

    def bring(layout: Layout) -> None:
        place = layout.at("/root/key")
        place.parent.mkdir(mode=0o700, parents=True)
        place.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()))
        place.chmod(0o600)

    with container(tree, tmp_path, USER_DATA.format(key=public), bring) as machine:
        machine.wait_for(r"(Started|Finished).*goldnode-configure")
        machine.wait_for(r"Started.*ssh\.service|login:")
        done = {command: machine.ask(*SSH, command).strip() for command in WORK}
        outside = machine.ask("findmnt", "-n", "-o", "FSTYPE", "/mnt").strip()
        scores = {unit: score(machine, unit) for unit in ("goldnode-configure.service", "ssh.service")}

    assert done == WORK
    assert "tmpfs" == outside
    assert scores["goldnode-configure.service"] <= 5.0
    assert scores["ssh.service"] <= 8.0


@pytest.mark.long
def test_the_tunnel_runs_without_root(tree: Path, tmp_path: Path) -> None:
    """VPNCloud has a user that exists while it runs, reads its key, makes its device and gives it an address."""
    key = private(seed("tunnel"))
    config = {
        "device": {"type": "tun", "name": "gnmesh0"},
        "ifup": "ip link set gnmesh0 up && ip -6 address add fd00::7/128 dev gnmesh0",
        "listen": "3210",
        "mode": "router",
        "crypto": {"private-key": key, "public-key": base62(Key(seed("tunnel")).public), "trusted-keys": []},
        "claims": ["fd00::7/128"],
        "auto-claim": False,
        "port-forwarding": False,
    }

    def bring(layout: Layout) -> None:
        program = layout.library / "bin" / "vpncloud"
        program.parent.mkdir(parents=True)
        program.write_bytes(vpncloud.build(architecture(), SILENT).binary.read_bytes())
        program.chmod(0o755)

    with container(tree, tmp_path, "", bring, ["/dev/net/tun"]) as machine:
        machine.wait_for(r"login:|Reached target.*[Mm]ulti-[Uu]ser")
        machine.ask("sh", "-c", "install -d /run/goldnode/mesh; umask 077; cat > /run/goldnode/mesh/n-1.yaml << 'E'\n"
                    f"{yaml.safe_dump(config)}E\nip route replace 8.8.8.8/32 dev lo table 253")  # fmt: skip
        machine.ask("systemctl", "start", "goldnode-vpncloud@n-1.service")
        machine.ask("sh", "-c", "for i in $(seq 50); do ip link show gnmesh0 && break; sleep 0.2; done; sleep 0.5")
        address = machine.ask("ip", "-6", "-br", "address", "show", "gnmesh0")
        pid = machine.ask("systemctl", "show", "-P", "MainPID", "goldnode-vpncloud@n-1.service").strip()
        status = machine.ask("grep", "-E", "^(Uid|CapEff|NoNewPrivs)", f"/proc/{pid}/status")
        log = machine.ask("journalctl", "-u", "goldnode-vpncloud@n-1.service", "-o", "cat")

    assert "fd00::7/128" in address, log
    facts = dict(line.split(":", 1) for line in status.splitlines())
    assert "0" not in facts["Uid"].split()
    assert (1 << 12, "1") == (int(facts["CapEff"], 16), facts["NoNewPrivs"].strip())
