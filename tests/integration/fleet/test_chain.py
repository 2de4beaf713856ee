"""A chain begun by the fleet's genesis: real daemons, three of four validators, no machine."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from goldnode.config import network as networks
from goldnode.errors import HostError, UsageError
from goldnode.fleet import genesis, history, state, status, up
from goldnode.fleet.fleet import Fleet
from goldnode.fleet.genesis import Validator
from goldnode.fleet.plan import NETWORK, FleetSpec, Node, VmSpec
from goldnode.fleet.program import program
from goldnode.fleet.state import FleetState
from goldnode.node.keys.cometbft_keys import Key
from goldnode.paths import REPOSITORY
from goldnode.progress import SILENT
from goldnode.run import run
from tests.support.waiting import until

INVOKE = REPOSITORY / "invoke"
HIDDEN = Key(bytes(range(32)))


def begin(folder: Path, network: str, *, past: bool = False) -> Fleet:
    """A world without a fleet."""
    daemon = program(networks.load(network), SILENT)
    fleet = Fleet(
        folder, FleetState(FleetSpec(network, history=past), {"hidden": HIDDEN.address}, "tcg", "max", pace=1)
    )
    up.prepare_outside(fleet, daemon, {"hidden": HIDDEN}, history.settings if past else None)
    up.start_external(fleet, daemon)
    fleet.keep(fleet.state)
    return fleet


@pytest.fixture
def world(tmp_path: Path) -> Iterator[Fleet]:
    """Localnet's world."""
    fleet = begin(tmp_path / "fleet", "localnet")
    yield fleet
    up.down(fleet.folder)


def height(fleet: Fleet) -> int:
    """The world's height; 0 while it is silent."""
    try:
        return fleet.external().height()
    except HostError:
        return 0


def test_the_chain_goes_on_without_its_hidden_validator(world: Fleet) -> None:
    """Three of four equal validators make blocks; the fourth is in the set, and its signature is missing."""
    assert until(lambda: height(world) > 3, 60)
    found = world.external().ask("validators")["validators"]

    assert ["10"] * 4 == [each["voting_power"] for each in found]
    assert HIDDEN.address in {each["address"] for each in found}
    assert HIDDEN.address not in world.external().signers()
    assert 3 == len(world.external().signers())
    assert 2 == len(world.external().peers())


def test_who_is_ready_and_does_not_sign_is_named(world: Fleet) -> None:
    """`fleet up` goes on until the chain has every ready validator's signature, and says whose it has not."""
    assert until(lambda: height(world) > 3, 60)
    signer = next(iter(world.external().signers()))
    world.keep(replace(world.state, validators={**world.state.validators, "seen": signer}))
    nobody_ready = up.wait_signing(world, 2)
    world.keep(replace(world.state, ready={"hidden": 1.0, "seen": 1.0}))

    assert () == nobody_ready
    assert ("hidden",) == up.wait_signing(world, 2)


def test_status_tells_of_the_world(world: Fleet) -> None:
    """Each validator outside is told with its height, its peers and whether it signs; who is silent is off."""
    assert until(lambda: height(world) > 3, 60)
    told = json.loads(run([INVOKE, "fleet", "status", "--json", "--folder", world.folder]).stdout)["nodes"]
    world.namespace.stop("external-3")
    after = {row.name: row.state for row in status.rows(world)}

    assert ["external-1", "external-2", "external-3"] == [node["name"] for node in told]
    assert {(True, 2)} == {(node["signing"], node["peers"]) for node in told}
    assert "off" == after["external-3"]


def test_a_later_command_finds_the_world(world: Fleet) -> None:
    """Status needs nothing but the folder."""
    found = Fleet.find(world.folder)

    assert (world.state, world.external_peers) == (found.state, found.external_peers)


def test_a_fleet_that_ended_is_said(world: Fleet) -> None:
    """After `down` every command says that no fleet runs, and `down` that none did."""
    assert up.down(world.folder)
    assert not up.down(world.folder)
    with pytest.raises(UsageError, match="is not running"):
        Fleet.find(world.folder)


def test_a_folder_of_others_is_left_alone(tmp_path: Path) -> None:
    """Only what a fleet made is deleted to make room for the next."""
    (tmp_path / "letter").write_text("dear")
    with pytest.raises(UsageError, match="does not hold a fleet"):
        up.forget(tmp_path)
    (tmp_path / state.FILE).write_text("{}")
    up.forget(tmp_path)

    assert not tmp_path.exists()


def test_a_fleet_needs_a_chain_of_its_own() -> None:
    """Nobody can begin the chain of a network that exists."""
    with pytest.raises(UsageError, match="real chain"):
        program(networks.load("osmosis"), SILENT)


@pytest.mark.long
def test_an_sdk_chain_begins_with_its_validators_bonded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The daemon's own commands make the genesis, as asked for; they leave nothing in the operator's home directory."""
    daemon, own = program(networks.load("localwasm"), SILENT), tmp_path / "own"
    own.mkdir()
    monkeypatch.setenv("HOME", str(own))
    validators = [Validator(f"v{n}", Key(os.urandom(32)), 10 * n) for n in (1, 2)]
    document = json.loads(genesis.genesis(daemon, validators, datetime.now(UTC)))
    bonds = [tx["body"]["messages"][0]["value"]["amount"] for tx in document["app_state"]["genutil"]["gen_txs"]]

    assert ["10000000", "20000000"] == sorted(bonds)
    assert "10000" == document["app_state"]["slashing"]["params"]["signed_blocks_window"]
    assert [] == list(own.iterdir())


@pytest.mark.long
def test_an_sdk_chain_goes_on_without_its_hidden_validator(tmp_path: Path) -> None:
    """Localwasm's world makes blocks with three of four bonded validators."""
    fleet = begin(tmp_path / "fleet", "localwasm")
    try:
        assert until(lambda: height(fleet) > 3, 120), (fleet.folder / "external" / "1.log").read_text()[-3000:]
        assert HIDDEN.address not in fleet.external().signers()
    finally:
        up.down(fleet.folder)


@pytest.mark.long
def test_a_chain_with_history_has_lost_its_first_blocks(tmp_path: Path) -> None:
    """Before any machine boots, nobody has block 1 any more; snapshots are there, and RPC answers on the network."""
    fleet = begin(tmp_path / "fleet", "localwasm", past=True)
    try:
        history.wait(fleet.external(), 400, lambda _: None)
        snapshots = fleet.folder / "external" / "1" / "data" / "snapshots"
        sentry, validator = (VmSpec(role, role, 11, (Node(role, role),)) for role in ("sentry", "validator"))
        told = [fleet._extra(vm) for vm in (sentry, validator)]

        up.rest(fleet)
        up.start_external(fleet, program(networks.load("localwasm"), SILENT))
        assert until(lambda: height(fleet) > history.BLOCKS + 5, 60)
        with pytest.raises(HostError, match="lowest height"):
            fleet.external().ask("block?height=1")
        assert [path for path in snapshots.iterdir() if path.name.isdigit()]
        servers = told[0]["catch_up"]["state_sync"]["servers"]
        assert [f"http://{NETWORK}.{number}:26657" for number in (1, 2, 3)] == servers
        assert "catch_up" not in told[1]
        fleet.namespace.run(
            ["python3", "-c", f"import urllib.request as u; u.urlopen('{servers[2]}/status', timeout=5)"]
        )
    finally:
        up.down(fleet.folder)


def test_a_network_without_snapshots_has_no_history(tmp_path: Path) -> None:
    """Localnet's application takes none: said before anything is built."""
    with pytest.raises(UsageError, match="nobody could catch up"):
        up.up(FleetSpec("localnet", history=True), tmp_path / "fleet", SILENT)
