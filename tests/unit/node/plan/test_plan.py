"""What a machine gets for what its node.yaml says."""

from __future__ import annotations

import configparser
import json
import tomllib
from pathlib import Path

import pytest

from goldnode.config.choices import MeshKind
from goldnode.errors import ImageError, InputError
from goldnode.node.layout import Layout
from goldnode.node.plan import firewall, log_shipping
from goldnode.node.plan.inputs import read_image
from goldnode.node.plan.peers import mesh_address
from goldnode.node.system import apply
from tests.support.node_lab import Cluster, Tree
from tests.unit.config.test_node_config import PEM

#: The program that has a validator's key where a lease is kept.
SIGNER = "/usr/lib/goldnode/bin/goldnode-signer"


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """A machine."""
    return Tree(tmp_path / "machine")


def _ruleset(tree: Tree) -> str:
    return tree.layout.at("/etc/goldnode/nftables.d/goldnode.nft").read_text()


def test_without_a_key_ssh_is_shut(tree: Tree) -> None:
    """No key in node.yaml: no rule, no unit, an empty list of keys."""
    tree.node_yaml("sentry", Cluster().invite("sentry"), "s-1")
    tree.configure()

    assert "dport 22 " not in _ruleset(tree)
    assert "start ssh.service" not in tree.system.done
    assert "" == tree.layout.at("/etc/goldnode/authorized_keys").read_text()


def test_a_key_opens_ssh(tree: Tree) -> None:
    """A key in node.yaml is the only one, and opens the port."""
    tree.node_yaml("sentry", Cluster().invite("sentry"), "s-1", ssh_keys=["ssh-ed25519 AAAA me"])
    tree.configure()

    assert "tcp dport 22 accept" in _ruleset(tree)
    assert "start ssh.service" in tree.system.done
    assert "ssh-ed25519 AAAA me\n" == tree.layout.at("/etc/goldnode/authorized_keys").read_text()


@pytest.mark.parametrize(("role", "answers"), [("sentry", True), ("validator", False)])
def test_only_who_is_public_says_what_it_forgot(tree: Tree, role: str, answers: bool) -> None:
    """A sentry resets connections of before a power cut; a validator stays silent, whoever asks."""
    tree.node_yaml(role, Cluster().invite(role), "n-1")
    tree.configure()

    assert answers == (f"\t\t{firewall.FORGOTTEN}\n" in _ruleset(tree))


def test_metrics_are_open_to_whom_node_yaml_names(tree: Tree) -> None:
    """Nobody, or the named networks."""
    tree.node_yaml("sentry", Cluster().invite("sentry"), "s-1", metrics=["10.1.0.0/16"])
    tree.configure()

    assert "ip saddr { 10.1.0.0/16 } tcp dport 9600 accept" in _ruleset(tree)


def test_a_validator_opens_nothing_while_it_is_alone(tree: Tree) -> None:
    """Not a single port is open before its sentries are known."""
    tree.node_yaml("validator", Cluster().invite("validator"), "val-1")
    tree.configure()

    assert [] == [line for line in _ruleset(tree).splitlines() if "dport 26" in line and "oif lo" not in line]


def test_a_remote_signer_has_a_port_and_no_key_is_made(tree: Tree) -> None:
    """The signer's mesh address alone reaches its port, by a tunnel from its own machine alone; no key is here."""
    signer = "S" * 43 + "="
    more = {"consensus_key": "remote-signer", "signer_keys": [signer], "signer_from": ["198.51.100.7"]}
    tree.node_yaml("validator", Cluster().invite("validator"), "val-1", **more)

    machine, _ = tree.configure()

    facts = machine.facts["val-1"]
    config = tomllib.loads((facts.layout.home / "config" / "config.toml").read_text())
    assert f"tcp://[{facts.mesh_address}]:26659" == config["priv_validator_laddr"]
    assert f"ip6 saddr {{ {mesh_address(facts.fingerprint, signer)} }} tcp dport 26659" in _ruleset(tree)
    assert "ip saddr { 198.51.100.7 } udp dport 51820 accept" in _ruleset(tree)
    assert not facts.layout.consensus_key.exists()
    assert "data/unused_validator_key.json" == config["priv_validator_key_file"]
    told = configparser.ConfigParser(strict=False)
    told.read_string(tree.layout.at("/etc/goldnode/signers/val-1.conf").read_text())
    assert (facts.mesh_public, f"{facts.mesh_address}/128") == (told["Peer"]["PublicKey"], told["Peer"]["AllowedIPs"])


@pytest.mark.parametrize("role", ["validator", "sentry"])
def test_each_machine_of_a_remote_signer_has_a_tunnel(tree: Tree, role: str) -> None:
    """Three cosigners: three peers of the mesh, one file for each, and all of them, nobody else, reach the port."""
    signers = [letter * 43 + "=" for letter in "STU"]
    more = {"consensus_key": "remote-signer", "signer_keys": signers, "signer_from": ["198.51.100.0/24"]}
    tree.node_yaml(role, Cluster().invite(role), "n-1", **more)

    machine, _ = tree.configure()

    facts = machine.facts["n-1"]
    theirs = [mesh_address(facts.fingerprint, signer) for signer in signers]
    config = tomllib.loads((facts.layout.home / "config" / "config.toml").read_text())
    assert f"tcp://[{facts.mesh_address}]:26659" == config["priv_validator_laddr"]
    assert f"ip6 saddr {{ {', '.join(sorted(theirs))} }} tcp dport 26659" in _ruleset(tree)
    mesh = facts.layout.mesh_config(MeshKind.WIREGUARD).read_text()
    assert signers == [signer for signer in signers if f"PublicKey = {signer}" in mesh]
    folder = tree.layout.at("/etc/goldnode/signers")
    told = [(folder / f"n-1-{number}.conf").read_text() for number in (1, 2, 3)]
    assert theirs == [text.split("Address = ")[1].split("/")[0] for text in told]


def test_a_rendezvous_is_a_service_without_nodes(tree: Tree) -> None:
    """No node, no agent: one unit, one port."""
    tree.node_yaml("rendezvous")

    machine, _ = tree.configure()

    assert {} == machine.facts
    assert ["start goldnode-rendezvous.service"] == [each for each in tree.system.done if each.startswith("start")]
    assert "tcp dport 8700 accept" in _ruleset(tree)


def test_a_sentry_can_serve_a_rendezvous(tree: Tree) -> None:
    """`serve_rendezvous` adds the service to a node."""
    tree.node_yaml("sentry", Cluster().invite("sentry"), "s-1", serve_rendezvous=True)
    tree.configure()

    assert {"start goldnode-rendezvous.service", "start goldnode-agent.service"} <= set(tree.system.done)
    assert "tcp dport 8700 accept" in _ruleset(tree)


def test_a_cosmos_daemon_may_make_code(tmp_path: Path) -> None:
    """Wasm is compiled in memory, so its daemon's unit allows that; the store daemon's does not."""
    path = "/run/systemd/system/goldnode-node@.service.d/10-network.conf"
    plain, wasm = Tree(tmp_path / "plain"), Tree(tmp_path / "wasm", "localwasm")
    for tree in (plain, wasm):
        tree.node_yaml("sentry", Cluster().invite("sentry"), "s-1")
        tree.configure()

    assert not plain.layout.at(path).exists()
    assert "[Service]\nMemoryDenyWriteExecute=no\n" == wasm.layout.at(path).read_text()
    assert "reload units" in wasm.system.done


def test_what_somebody_changed_is_put_back(tree: Tree) -> None:
    """Content and permissions are brought back; keys are never touched."""
    tree.node_yaml("validator", Cluster().invite("validator"), "val-1")
    tree.configure()
    home = tree.layout.node("val-1").home
    key = (home / "config" / "priv_validator_key.json").read_bytes()
    (home / "config" / "config.toml").write_text("")
    (home / "data").chmod(0o777)

    _, changes = tree.configure()

    assert (apply.Changes((home / "config" / "config.toml",), (home / "data",)), 0o700) == (
        changes,
        (home / "data").stat().st_mode & 0o777,
    )
    assert key == (home / "config" / "priv_validator_key.json").read_bytes()


def test_a_damaged_image_is_said(tmp_path: Path) -> None:
    """A tree that no bake made is no image."""
    with pytest.raises(ImageError, match="not a goldnode image"):
        read_image(Layout(tmp_path))


def test_the_networks_sysctls_hold_at_the_first_boot(tree: Tree) -> None:
    """Systemd read its settings before node.yaml came: what is written is loaded, once."""
    document = json.loads((tree.layout.library / "network.json").read_text())
    settings = {"net.core.rmem_max": 4194304}
    tree.write("/usr/lib/goldnode/network.json", json.dumps({**document, "sysctls": settings}))
    tree.node_yaml("sentry", Cluster().invite("sentry"), "s-1")

    tree.configure()
    tree.configure()

    assert 1 == tree.system.done.count("sysctls 70-goldnode-network.conf")
    assert "net.core.rmem_max = 4194304\n" == tree.layout.at("/etc/sysctl.d/70-goldnode-network.conf").read_text()


def test_upgrades_run_where_the_image_has_them(tree: Tree) -> None:
    """`unattended_upgrades: true` starts Debian's timers; an image without the program refuses it."""
    tree.node_yaml("sentry", Cluster().invite("sentry"), "s-1", unattended_upgrades=True)
    with pytest.raises(InputError, match="this image is replaced, not patched"):
        tree.configure()
    assert [] == tree.system.done

    tree.write("/usr/bin/unattended-upgrade", "")
    tree.configure()

    assert {"start apt-daily.timer", "start apt-daily-upgrade.timer"} <= set(tree.system.done)
    assert 'Unattended-Upgrade "1";' in tree.layout.at("/etc/apt/apt.conf.d/20auto-upgrades").read_text()


def test_logs_are_sent_where_the_image_can(tree: Tree) -> None:
    """`logs:` starts rsyslog with settings of ours; an image without the program refuses it."""
    logs = {"to": "syslog+tls://logs.example.org", "ca": PEM}
    tree.node_yaml("sentry", Cluster().invite("sentry"), "s-1", logs=logs)
    with pytest.raises(InputError, match="nothing that sends logs"):
        tree.configure()
    assert [] == tree.system.done

    tree.write(log_shipping.PROGRAM, "")
    tree.configure()

    assert f"start {log_shipping.UNIT}" in tree.system.done
    assert 'target="logs.example.org" port="6514"' in tree.layout.at(log_shipping.SETTINGS).read_text()
    assert PEM == tree.layout.at(log_shipping.CA).read_text()


def test_without_a_receiver_nothing_of_logs_is_there(tree: Tree) -> None:
    """Off by default."""
    tree.node_yaml("sentry", Cluster().invite("sentry"), "s-1")
    tree.configure()

    assert not tree.layout.at(log_shipping.SETTINGS).exists()
    assert f"start {log_shipping.UNIT}" not in tree.system.done


def test_an_image_without_the_signer_has_no_leases(tree: Tree) -> None:
    """The signer is left out of an image that was baked without a module proxy: a lease is refused, and why."""
    tree.node_yaml("validator", Cluster().invite("validator"), "val-1", lease="etcd://10.0.0.4:2379/goldnode")

    with pytest.raises(InputError, match="baked without goldnode-signer"):
        tree.configure()


def test_a_lease_gives_the_key_to_the_signer(tree: Tree) -> None:
    """Key and state are in a folder of the signer's user alone; the daemon asks a socket, and has no key of its own."""
    lease = "etcd://10.0.0.4:2379/goldnode"
    tree.write(SIGNER, "")
    tree.node_yaml("validator", Cluster().invite("validator"), "val-1", lease=lease)

    machine, _ = tree.configure()

    node = tree.layout.node("val-1")
    assert {} == machine.failures
    assert node.base / "signer" == node.consensus_key.parent == node.signing_state.parent
    assert [] == [*node.home.rglob("priv_validator_key.json"), *node.home.rglob("priv_validator_state.json")]
    assert 0o700 == node.signer.stat().st_mode & 0o777
    assert f'priv_validator_laddr = "unix://{node.daemon_socket}"' in (node.home / "config/config.toml").read_text()
    assert "u gs-val-1 " in tree.layout.at("/etc/sysusers.d/goldnode-nodes.conf").read_text()
    assert {f"start goldnode-{kind}@val-1.service" for kind in ("signer", "lease")} <= set(tree.system.done)


def test_a_lease_moves_a_key_that_is_there(tree: Tree) -> None:
    """A validator that gets a lease keeps its key and its state; without the lease again it is refused."""
    tree.node_yaml("validator", Cluster().invite("validator"), "val-1")
    tree.configure()
    node = tree.layout.node("val-1")
    key, state = node.consensus_key.read_bytes(), node.signing_state.read_bytes()

    tree.layout.applied.unlink()
    tree.write(SIGNER, "")
    tree.node_yaml("validator", "", "val-1", lease="s3://bucket/goldnode")
    machine, _ = tree.configure()

    assert {} == machine.failures
    assert (key, state) == (node.consensus_key.read_bytes(), node.signing_state.read_bytes())
    assert node.signer == node.consensus_key.parent

    tree.layout.applied.unlink()
    tree.node_yaml("validator", "", "val-1")
    machine, _ = tree.configure()

    assert "no longer names a lease" in str(machine.failures["val-1"])
