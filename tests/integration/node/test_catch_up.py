"""A chain whose first blocks nobody keeps: sentries by state sync, then a validator from its sentries alone."""

from __future__ import annotations

import functools
import itertools
import json
import random
import subprocess
import sys
import time
import tomllib
from collections import Counter
from collections.abc import Iterator, Sequence

import pytest

from goldnode.files import sha256_file
from goldnode.fleet import history
from goldnode.fleet.external_validators import RPC
from goldnode.fleet.plan import NETWORK, PACE, timing
from goldnode.fleet.rpc import ExternalRpc
from goldnode.node import catch_up
from goldnode.node.keys.cometbft_keys import Key
from goldnode.node.plan.ports import WIREGUARD
from goldnode.run import run
from tests.integration.node.fleet import RENDEZVOUS_ADDRESS, WORLD, Fleet, Host, fleet
from tests.integration.node.programs import programs
from tests.integration.node.scenarios import bring, write_genesis
from tests.support.node_lab import seed
from tests.support.waiting import until

#: wasmd is built first, which takes minutes where it has not been.
pytestmark = [pytest.mark.root, pytest.mark.long, pytest.mark.timeout(1800)]
KEY = Key(seed("hidden"))
#: Nobody bonded it, so it never signs: what its signing state says stays.
IDLE = Key(seed("idle"))
#: Where the world publishes snapshots.
PORT = 8800
#: The last parts of addresses that nobody has.
SPARE = itertools.count(101)
#: A server of the public on an address of the world's, which behaves as told: see ``test_trust``.
SERVER = """
import sys
from goldnode.fleet.history import RPC_PORT
from tests.integration.node.test_trust import Server
server = Server(*sys.argv[1:], RPC_PORT)
print("serves")
server.serve_forever()
"""
#: Seconds in which a machine's power is cut, at random, for the first time after each boot.
CUT = (1.0, 40.0)
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
        made.rest()
        publish(made)
        made.outside([])
        yield made


def publish(made: Fleet) -> None:
    """Pack the state of one of the world's validators, as providers do; and once more with what it signed last."""
    shown, home = made.folder / "published", made.home(WORLD[1])
    shown.mkdir()
    for name, left_out in (("good", ["--exclude", "priv_validator_state.json"]), ("with-keys", [])):
        run(["tar", "--zstd", "-cf", shown / f"{name}.tar.zst", "-C", home, *left_out, "data", "wasm"], timeout=120)
    argv = [sys.executable, "-m", "http.server", "--directory", shown, "--bind", WORLD[0].address, PORT]
    made.stack.enter_context(made.inside(made.world, argv))


def snapshot(made: Fleet, name: str) -> dict[str, str]:
    """What a network file says of a snapshot."""
    file = f"{name}.tar.zst"
    url = f"http://{WORLD[0].address}:{PORT}/{file}"
    return {"url": url, "sha256": sha256_file(made.folder / "published" / file)}


def booted(made: Fleet, name: str, servers: Sequence[str] = (), **catch_up: object) -> Host:
    """A sentry that boots untouched from what its node.yaml says: it asks the world, and these servers."""
    more = history.of_a_sentry([*servers, *(who.address for who in WORLD)])
    config = more.pop("config") | {"config.toml": timing(PACE)}
    more["catch_up"] |= catch_up
    sentry = made.add(name, "sentry", peers=[who.peer for who in WORLD], config=config, **more)
    sentry.boot()
    return sentry


def serve(made: Fleet, kinds: Sequence[str]) -> list[str]:
    """Start public servers of these kinds; returns their addresses, each of which accepts connections."""
    found = []
    for kind in kinds:
        address = f"{NETWORK}.{next(SPARE)}"
        run(["ip", "-n", made.world, "address", "add", f"{address}/24", "dev", "br0"])
        argv = [sys.executable, "-u", "-c", SERVER, address, kind]
        server = made.stack.enter_context(made.inside(made.world, argv, stdout=subprocess.PIPE))
        assert server.stdout
        assert b"serves\n" == server.stdout.readline()
        found.append(address)
    return found


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


@pytest.fixture(scope="module")
def sentries(past: Fleet) -> list[Host]:
    """Two sentries that synced from the world's servers."""
    booting = [booted(past, name) for name in ("s-1", "s-2")]
    for sentry in booting:
        assert until(functools.partial(synced, sentry), 240), sentry.console.read_text()
    return booting


def test_sentries_and_then_their_validator_reach_the_tip(past: Fleet, sentries: list[Host]) -> None:
    """Sentries sync from the world's servers, their validator from them alone: no packet goes to anybody else."""
    for sentry in sentries:
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


@pytest.mark.usefixtures("sentries")
def test_power_cuts_at_ten_random_moments_end_at_the_tip(past: Fleet, capsys: pytest.CaptureFixture[str]) -> None:
    """A validator's machine dies again and again on its way: it gets there, and its keys are the same bytes."""
    validator = past.add("val-2", "validator", consensus_key="existing", min_sentries=2)
    bring(validator, IDLE, "val-2")
    node, dice = validator.tree.layout.node("val-2"), random.Random(10)  # noqa: S311 - when to cut, the same in each run
    before = [path.read_bytes() for path in (node.node_key, node.consensus_key, node.signing_state)]
    hit = []
    for _ in range(10):
        validator.boot()
        time.sleep(dice.uniform(*CUT))
        validator.lose_power()
        hit.append(f"{catch_up.read(node).phase}{' with databases' * catch_up.has_databases(node)}")
    began = time.monotonic()
    validator.boot()
    arrived = until(lambda: validator.node().get("state") == "not in the validator set", 600)
    with capsys.disabled():
        print(f"\npower cut ten times: {', '.join(f'{n} {what}' for what, n in Counter(hit).items())};"
              f" at the tip {time.monotonic() - began:.0f} s after the last boot")  # fmt: skip

    assert arrived, validator.console.read_text() + log(validator)[-3000:]
    assert before == [path.read_bytes() for path in (node.node_key, node.consensus_key, node.signing_state)]
    assert "done" == catch_up.read(node).phase


def test_servers_that_are_slow_or_elsewhere_keep_nobody_from_the_tip(past: Fleet) -> None:
    """One answers slowly for ever, one is on another chain: two others are trusted, and the state comes from them."""
    sentry = booted(past, "s-3", serve(past, ("slow", "elsewhere")))

    assert until(lambda: synced(sentry), 300), sentry.console.read_text()
    assert "Applied snapshot chunk" in log(sentry)
    trust = catch_up.read(sentry.tree.layout.node("s-3")).trust
    assert trust
    assert {f"http://{who.address}:{history.RPC_PORT}" for who in WORLD} == set(trust.servers)


def test_a_liar_makes_it_take_the_snapshot(past: Fleet) -> None:
    """Servers contradict each other, so nobody is trusted: the snapshot whose hash is known leads to the tip."""
    sentry = booted(past, "s-4", serve(past, ("liar",)), snapshot=snapshot(past, "good"))
    node = sentry.tree.layout.node("s-4")
    assert until(node.node_key.exists, 60)
    before = node.node_key.read_bytes()

    assert until(lambda: synced(sentry), 400), sentry.console.read_text()
    assert "Applied snapshot chunk" not in log(sentry)
    assert "contradict each other about block" in sentry.console.read_text()
    assert before == node.node_key.read_bytes()


def test_a_liar_and_a_snapshot_with_keys_end_with_one_sentence(past: Fleet) -> None:
    """What somebody else signed last is in the archive: it is refused whole, nothing was started, a person decides."""
    sentry = booted(past, "s-5", serve(past, ("liar",)), snapshot=snapshot(past, "with-keys"))
    node = sentry.tree.layout.node("s-5")

    assert until(lambda: catch_up.read(node).phase is catch_up.Phase.GIVEN_UP, 300), sentry.console.read_text()
    assert until(lambda: "keys and signing states come from nobody else" in sentry.console.read_text(), 30)
    assert 0 == sentry.starts()
    assert not catch_up.has_databases(node)
    assert not (node.base / "snapshot.part").exists()
