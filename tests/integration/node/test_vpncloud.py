"""The same hidden validator with VPNCloud for a mesh: the real program, real tun devices, trust from the roster."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from goldnode.config.choices import MeshKind
from goldnode.fleet.plan import NETWORK
from goldnode.node.keys.cometbft_keys import Key
from goldnode.node.plan.meshes import vpncloud
from goldnode.run import run, stop_group
from tests.integration.node.fleet import Fleet, Host, fleet
from tests.integration.node.programs import programs
from tests.integration.node.scenarios import hidden_and_sentries
from tests.support.node_lab import seed
from tests.support.waiting import kill, until

pytestmark = [pytest.mark.root, pytest.mark.long]
ADDRESS = Key(seed("hidden")).address
#: A stranger's address on the fleet's network, and inside a mesh.
STRANGER, INSIDE = f"{NETWORK}.99", "fd00::99"
#: Seconds a stranger is given: VPNCloud tries again every second at first.
TIMEOUT = 15.0


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Fleet, Host, list[Host]]]:
    """A fleet that signs."""
    tools = programs(tmp_path_factory.mktemp("programs"), MeshKind.VPNCLOUD)
    with fleet(tmp_path_factory.mktemp("fleet"), tools, MeshKind.VPNCLOUD) as made:
        yield (made, *hidden_and_sentries(made))


Running = tuple[Fleet, Host, list[Host]]


def tunnel(host: Host) -> dict[str, object]:
    """What a machine's VPNCloud was started with."""
    document: dict[str, object] = yaml.safe_load(host.tree.layout.node(host.name).mesh_config("vpncloud").read_text())
    return document


def tunnel_log(host: Host) -> str:
    """What a machine's VPNCloud said."""
    return host.tree.layout.at(f"/var/log/goldnode-vpncloud@{host.name}.service.log").read_text()


def inside(host: Host, *words: str) -> str:
    """What a command in a machine's namespace prints."""
    return run(["ip", "netns", "exec", host.space, *words], timeout=60, check=False).stdout


def test_the_hidden_validator_signs_through_its_sentries(running: Running) -> None:
    """The world outside finds the signature of a validator whose only way out is VPNCloud's device."""
    made, validator, sentries = running

    assert until(lambda: ADDRESS in made.signers(), 60), validator.console.read_text()
    assert "tun" in inside(validator, "ip", "-details", "link", "show", "gnmesh0")
    assert "" == inside(validator, "wg", "show", "interfaces")
    assert until(lambda: validator.node()["peers"] == len(sentries), 20)


def test_each_trusts_the_others_keys_and_no_password(running: Running) -> None:
    """Trust is the roster's keys: the validator's are its sentries', and each sentry's are all others'."""
    _, validator, sentries = running
    hosts = [validator, *sentries]
    crypto = {host.name: tunnel(host)["crypto"] for host in hosts}
    keys = {name: found["public-key"] for name, found in crypto.items()}  # type: ignore[index]

    for name, found in crypto.items():
        assert sorted(key for other, key in keys.items() if other != name) == found["trusted-keys"]  # type: ignore[index]
        assert "password" not in found  # type: ignore[operator]


def test_a_stranger_is_not_let_in(running: Running, tmp_path: Path) -> None:
    """A node of another key that knows where a sentry is, and trusts it, gets no way into the mesh."""
    made, _, sentries = running
    target = sentries[0]
    space = f"{made.prefix}-stranger"
    made.plug(space, STRANGER)
    key = vpncloud.private(os.urandom(32))
    trusted = tunnel(target)["crypto"]["public-key"]  # type: ignore[index]
    ways = (
        vpncloud.LAST_RESORT,
        f"-6 address replace {INSIDE}/128 dev $IFNAME nodad",
        "link set $IFNAME up",
        f"-6 route replace {target.node()['mesh_address']}/128 dev $IFNAME src {INSIDE}",
    )
    document = {
        "device": {"type": "tun", "name": "stranger"},
        "ifup": " && ".join(f"ip {words}" for words in ways),
        "mode": "router",
        "crypto": {"private-key": key, "public-key": vpncloud.public(key), "trusted-keys": [trusted]},
        "peers": [f"{target.address}:3210"],
        "claims": [f"{INSIDE}/128"],
        "auto-claim": False,
        "port-forwarding": False,
    }
    (tmp_path / "stranger.yaml").write_text(yaml.safe_dump(document))
    argv = [made.programs / "vpncloud", "--config", tmp_path / "stranger.yaml"]
    with (tmp_path / "log").open("wb") as log, made.inside(space, argv, stdout=log):
        time.sleep(TIMEOUT)
        ping = ["ip", "netns", "exec", space, "ping", "-6", "-c", "2", "-W", "1", target.node()["mesh_address"]]
        answered = run(ping, check=False, timeout=30).returncode == 0

    assert not answered
    assert "untrusted peer" in tunnel_log(target), (tmp_path / "log").read_text()
    assert f"Added peer {STRANGER}" not in tunnel_log(target)


def test_a_tunnel_that_dies_comes_back_with_its_address(running: Running) -> None:
    """VPNCloud ends and is started again: its device has address and route at once, and the validator signs on."""
    made, validator, _ = running
    starts, before = validator.starts(), inside(validator, "ip", "-6", "-o", "address", "show", "gnmesh0")

    config = validator.tree.layout.node(validator.name).mesh_config("vpncloud")
    kill(run(["pgrep", "--full", str(config)]).stdout.split())

    assert until(lambda: _fields(before) == _fields(inside(validator, "ip", "-6", "-o", "address", "show")), 30)
    assert until(lambda: ADDRESS in made.signers(), 60), validator.console.read_text()
    assert starts == validator.starts()


def test_a_fleet_outlives_its_rendezvous_and_a_power_cut(running: Running) -> None:
    """With the rendezvous gone all machines reboot into the trust they remember, and sign."""
    made, validator, sentries = running
    trust = {host.name: tunnel(host)["crypto"] for host in (validator, *sentries)}
    assert made.rendezvous
    stop_group(made.rendezvous)
    for host in (validator, *sentries):
        host.halt()
        shutil.rmtree(host.tree.layout.at("/run/goldnode"))
    time.sleep(1)
    for host in (validator, *sentries):
        host.boot()

    assert until(lambda: ADDRESS not in made.signers(), 30)
    assert until(lambda: ADDRESS in made.signers(), 120), validator.console.read_text()
    assert trust == {host.name: tunnel(host)["crypto"] for host in (validator, *sentries)}


def _fields(addresses: str) -> set[str]:
    return {word for line in addresses.splitlines() for word in line.split() if word.startswith("fd")}
