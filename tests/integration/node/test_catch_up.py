"""A chain whose first blocks nobody keeps: sentries by state sync, then a validator from its sentries alone."""

from __future__ import annotations

import functools
import json
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator

import pytest

from goldnode.fleet import history
from goldnode.fleet.external_validators import RPC
from goldnode.fleet.plan import PACE, timing
from goldnode.fleet.rpc import ExternalRpc
from goldnode.node.keys.cometbft_keys import Key
from goldnode.node.plan.ports import WIREGUARD
from tests.integration.node.fleet import RENDEZVOUS_ADDRESS, WORLD, Fleet, Host, fleet
from tests.integration.node.programs import programs
from tests.integration.node.scenarios import bring, write_genesis
from tests.support.node_lab import seed
from tests.support.waiting import until

#: wasmd is built first, which takes minutes where it has not been.
pytestmark = [pytest.mark.root, pytest.mark.long, pytest.mark.timeout(1800)]
KEY = Key(seed("hidden"))
#: Prints where every packet of IPv4 goes that leaves a machine by its cable; neighbours are asked for by other means.
LISTEN = """
import socket
s = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(3))
s.bind(("eth0", 0))
while True:
    data, (_, kind, way, *_) = s.recvfrom(65535)
    if way == socket.PACKET_OUTGOING and kind == 0x800:
        head = (data[0] & 15) * 4
        print(socket.inet_ntoa(data[16:20]) + ":" + str(int.from_bytes(data[head + 2:head + 4], "big")))
"""


@pytest.fixture(scope="module")
def past(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """A world that has lost its first blocks."""
    tools = programs(tmp_path_factory.mktemp("programs"), name="localwasm")
    with fleet(tmp_path_factory.mktemp("fleet"), tools, name="localwasm") as made:
        write_genesis(made, {KEY: 10}, past=True)
        made.outside([])
        history.wait(ExternalRpc(made.home(WORLD[0]) / RPC), 600, lambda _: None)
        yield made


def booted(made: Fleet, name: str) -> Host:
    """A sentry that boots untouched from what its node.yaml says."""
    more = history.of_a_sentry([who.address for who in WORLD])
    config = more.pop("config") | {"config.toml": timing(PACE)}
    sentry = made.add(name, "sentry", peers=[who.peer for who in WORLD], config=config, **more)
    sentry.boot()
    return sentry


def config(host: Host) -> dict[str, object]:
    """What its daemon's configuration says of state sync."""
    text = (host.tree.layout.node(host.name).home / "config" / "config.toml").read_text()
    found: dict[str, object] = tomllib.loads(text)["statesync"]
    return found


def log(host: Host) -> str:
    """What its daemon logged."""
    return host.tree.layout.at(f"/var/log/goldnode-node@{host.name}.service.log").read_text(errors="replace")


def synced(sentry: Host) -> bool:
    """Whether a sentry is at the tip."""
    return sentry.node().get("state") == "following"


def sync_is_off(host: Host) -> bool:
    """Whether its daemon would not sync again at its next start."""
    return config(host)["enable"] is False


def test_sentries_and_then_their_validator_reach_the_tip(past: Fleet) -> None:
    """Sentries sync from the world's servers, their validator from them alone: no packet goes to anybody else."""
    sentries = [booted(past, name) for name in ("s-1", "s-2")]
    for sentry in sentries:
        assert until(functools.partial(synced, sentry), 180), sentry.console.read_text()
        assert "Applied snapshot chunk" in log(sentry)
        assert until(functools.partial(sync_is_off, sentry), 20)

    validator = past.add("val-1", "validator", consensus_key="existing", min_sentries=2)
    bring(validator, KEY)
    listen = [sys.executable, "-u", "-c", LISTEN]
    with (past.folder / "packets").open("wb") as sink, past.inside(validator.space, listen, stdout=sink):
        validator.boot()
        assert until(lambda: validator.node().get("signing"), 240), validator.console.read_text()
    packets = Counter((past.folder / "packets").read_text().split())

    assert "Applied snapshot chunk" in log(validator)
    assert until(lambda: KEY.address in past.signers(), 60)
    assert until(lambda: sync_is_off(validator), 20)
    assert packets
    assert {RENDEZVOUS_ADDRESS, *(f"{sentry.address}:{WIREGUARD}" for sentry in sentries)} >= set(packets)
    assert "done" == json.loads(validator.tree.layout.node("val-1").catch_up.read_text())["phase"]
