"""A signing lease on real systemd: the sealed image's signer signs, and its daemon's sandbox cannot read the key."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from goldnode.cluster import user_data
from goldnode.config import network as networks
from goldnode.files import write_json
from goldnode.fleet.genesis import Validator, plain
from goldnode.node.keys.cometbft_keys import Key
from goldnode.node.layout import Layout
from tests.boot.container import Container, container
from tests.integration.node.programs import wireguard
from tests.support.node_lab import Cluster, seed
from tests.support.waiting import until

pytestmark = pytest.mark.root
NAME = "val-1"
KEY = Key(seed("hidden"))
SECRET = KEY.validator_document()["priv_key"]["value"]
SIGNER, KEEPER, DAEMON = (f"goldnode-{kind}@{NAME}.service" for kind in ("signer", "lease", "node"))
#: A container has the kernel of its host, which may lack WireGuard; its user-space form takes the same commands.
MESH = """\
[Unit]
Before=goldnode-configure.service
[Service]
RuntimeDirectory=wireguard
ExecStart=/usr/local/bin/wireguard --foreground gnmesh0
ExecStartPost=/bin/sh -c 'until test -S /run/wireguard/gnmesh0.sock; do sleep 0.1; done'
"""
#: Every line of the daemon's unit stands, and another program is in its sandbox.
TAKEN_OVER = "[Service]\nExecStart=\nExecStart=/bin/sh /etc/taken-over\nRestart=no\n"
#: Ways to a key: its file, its folder, the signer's process, a copy, another mount, another user, the disk itself.
TRIES = """\
signer=/var/lib/goldnode/nodes/val-1/signer
echo as $(id -un)
cat $signer/priv_validator_key.json $signer/*
ls $signer
cat /proc/*/root$signer/priv_validator_key.json /proc/*/cwd/priv_validator_key.json
cp -r /var/lib/goldnode/nodes/val-1 /tmp/copy; cat /tmp/copy/signer/*
umount $signer; chmod -R o+rwx $signer; cat $signer/*
mount --bind / /mnt; cat /mnt$signer/*
unshare --user --map-root-user cat $signer/priv_validator_key.json
cat /dev/vd* /dev/sd* /dev/nvme* /dev/mem /proc/kcore
echo all tried
"""


def pasted() -> str:
    """User-data of a validator that is its chain's only one, with a lease."""
    network = networks.load("localnet")
    genesis = plain(network.chain_id, [Validator(NAME, KEY, 10)], datetime.now(UTC))
    node = user_data.NodeSpec(NAME, "validator", Cluster().invite("validator"))
    extra = {"consensus_key": "existing", "lease": "file:///var/lib/goldnode/leases", "min_sentries": 0}
    where = ["http://127.0.0.1:8700"]
    return user_data.render(user_data.UserData("lab", network.name, "validator", [node], where, genesis, extra=extra))


def before(layout: Layout) -> None:
    """A key to import, WireGuard, and what whoever takes the daemon over would try."""
    write_json(layout.at("/root/key.json"), KEY.validator_document(), 0o600)
    binary = layout.at("/usr/local/bin/wireguard")
    binary.parent.mkdir(parents=True)
    shutil.copy(wireguard(), binary)
    units = layout.at("/etc/systemd/system")
    (units / "multi-user.target.wants").mkdir(parents=True)
    (units / "mesh.service").write_text(MESH)
    (units / "multi-user.target.wants/mesh.service").symlink_to("../mesh.service")
    layout.at("/etc/taken-over").write_text(TRIES)


def signed(layer: Path) -> int:
    """The height that the signer's disk has."""
    state = Layout(layer).at(f"/var/lib/goldnode/nodes/{NAME}/signer/priv_validator_state.json")
    return int(json.loads(state.read_text())["height"]) if state.exists() else 0


def log(machine: Container, unit: str) -> str:
    """What a unit said."""
    return machine.ask("journalctl", "--no-pager", "-o", "cat", "-u", unit)


def test_it_signs_and_its_daemon_cannot_read_the_key(tree: Path, tmp_path: Path) -> None:
    """The image's own units make blocks by a lease; then a daemon that was taken over tries every way to the key."""
    with container(tree, tmp_path, pasted(), before) as machine:
        machine.wait_for(r"(Finished|Failed to start).*goldnode-configure")
        assert "Finished" in machine.console, machine.console[-3000:]
        said = machine.ask("goldnode", "key", "import", "--never-used", "/root/key.json")
        assert KEY.address in said, machine.console[-3000:]
        assert until(lambda: signed(machine.layer) > 3, 90), [log(machine, unit) for unit in (SIGNER, KEEPER, DAEMON)]
        status = machine.ask("goldnode", "status")
        pid = machine.ask("systemctl", "show", "-P", "MainPID", SIGNER).strip()
        runs = machine.ask("stat", "-c", "%U", f"/proc/{pid}"), machine.ask("readlink", f"/proc/{pid}/exe")

        machine.ask("mkdir", "-p", f"/run/systemd/system/{DAEMON}.d")
        machine.ask("sh", "-c", f"printf '{TAKEN_OVER}' > /run/systemd/system/{DAEMON}.d/taken-over.conf")
        machine.ask("rm", "/root/key.json")
        machine.ask("systemctl", "daemon-reload")
        machine.ask("systemctl", "restart", DAEMON)
        assert until(lambda: "all tried" in log(machine, DAEMON), 60), log(machine, DAEMON)
        tried, as_root = log(machine, DAEMON), machine.ask("sh", "/etc/taken-over")

    print(status, tried)
    assert [f"gs-{NAME}", "/usr/lib/goldnode/bin/goldnode-signer"] == [each.strip() for each in runs]
    assert "lease held" in status
    assert f"as gn-{NAME}" in tried
    assert SECRET not in tried
    # The tries are worth something: outside of the sandbox they do print it.
    assert SECRET in as_root
