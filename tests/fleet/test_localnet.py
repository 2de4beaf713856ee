"""A whole fleet from the sealed image: a hidden validator signs, and nobody outside reaches it or learns its ID.

One fleet serves all tests; whatever a test changes it brings back, so they may come in any order.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from goldnode.fleet import up as story
from goldnode.fleet.fleet import Fleet
from goldnode.fleet.plan import FleetSpec, VmSpec
from goldnode.node.plan.ports import METRICS
from goldnode.progress import SILENT
from tests.fleet.conftest import Login, signs
from tests.fleet.outside import Stranger, scan
from tests.support.cable import cut
from tests.support.further_sentry import add_sentry
from tests.support.waiting import until

pytestmark = pytest.mark.long
VALIDATOR = "validator-1"
#: Everything a node, its agent or Debian could listen on, and what lies around it.
PORTS = ((1, 1024), (8000, 10000), (26600, 27700))
#: Seconds within which a validator signs again once a sentry is back.
RETURN = 60.0


@pytest.fixture(scope="module")
def fleet(login: Login, image: Path | None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """A fleet that is ready."""
    folder = tmp_path_factory.mktemp("fleet") / "localnet"
    made = story.up(FleetSpec(ssh_key=login.public), folder, SILENT, image=image)
    try:
        late = story.observe(made)
        assert set() == late, "\n".join(made.console(vm.name)[-3000:] for vm in made.state.vms)
        assert until(lambda: signs(made), 120), made.console(VALIDATOR)[-3000:]
        yield made
    finally:
        story.down(folder)


def sentries(fleet: Fleet) -> list[VmSpec]:
    """The sentries' machines."""
    return [vm for vm in fleet.state.vms if vm.role == "sentry"]


def hidden(fleet: Fleet) -> str:
    """The hidden validator's node ID."""
    return fleet.seen()[VALIDATOR].node_id


def p2p(fleet: Fleet, login: Login, vm: VmSpec) -> dict[str, str]:
    """What a sentry's daemon was told about its peers."""
    path = f"/var/lib/goldnode/nodes/{vm.name}/home/config/config.toml"
    found: dict[str, str] = tomllib.loads(login.ask(fleet, vm, "cat", path))["p2p"]
    return found


def test_ids_are_exchanged_both_ways(fleet: Fleet, login: Login) -> None:
    """Every sentry dials the validator over the mesh and the other sentries, and the validator has them all."""
    known = {vm.name: fleet.seen()[vm.name].node_id for vm in sentries(fleet)}

    for vm in sentries(fleet):
        peers = {peer.partition("@")[0] for peer in p2p(fleet, login, vm)["persistent_peers"].split(",")}
        others = {node_id for name, node_id in known.items() if name != vm.name}
        assert others | {hidden(fleet)} <= peers
    assert until(lambda: fleet.seen()[VALIDATOR].peers == len(known), 60)


def test_every_sentry_holds_the_validator_as_private(fleet: Fleet, login: Login) -> None:
    """Private and unconditional, in the file that each sentry's running daemon was started with."""
    for vm in sentries(fleet):
        settings = p2p(fleet, login, vm)
        status = json.loads(login.ask(fleet, vm, "goldnode", "status", "--json"))["nodes"][0]

        assert hidden(fleet) == settings["private_peer_ids"]
        assert hidden(fleet) in settings["unconditional_peer_ids"].split(",")
        assert [hidden(fleet)] == status["loaded"]


def test_the_world_reads_the_hidden_signature(fleet: Fleet) -> None:
    """Commits that the world outside has hold the signature of a validator that none of them is a peer of."""
    height = fleet.external().height()
    signed = [fleet.state.validators[VALIDATOR] in fleet.external().signers(each) for each in range(height - 4, height)]

    assert sum(signed) >= 2
    assert hidden(fleet) not in {peer for rpc in fleet.externals() for peer in rpc.peers()}


def test_nothing_of_the_validator_answers_from_outside(fleet: Fleet) -> None:
    """A scan from the same wire finds no open port of the validator, and finds those of a sentry."""
    validator = fleet.state.vm(VALIDATOR)

    assert [] == scan(fleet, validator.address, PORTS)
    assert [22, 26656] == scan(fleet, sentries(fleet)[0].address, [(20, 30), (26650, 26660), (METRICS, METRICS)])


def test_nobody_outside_learns_the_validators_id(fleet: Fleet, login: Login) -> None:
    """A stranger that asks the sentries for peers learns of the world, never of the validator; nor does any book."""
    stranger = Stranger(fleet)
    stranger.start(sentries(fleet))
    world = {peer.partition("@")[0] for peer in fleet.external_peers}
    learned = until(lambda: (stranger.known() | stranger.rpc.peers()) & world, 180, every=2)
    told = stranger.known() | stranger.rpc.peers()
    stranger.stop()
    told |= stranger.known()
    books = [book.read_text() for book in (fleet.folder / "external").glob("*/config/addrbook.json")]
    books += [
        login.ask(fleet, vm, "cat", f"/var/lib/goldnode/nodes/{vm.name}/home/data/addrbook.json")
        for vm in sentries(fleet)
    ]

    assert learned
    assert hidden(fleet) not in told
    assert [] == [book for book in books if hidden(fleet) in book]


def test_a_validator_without_sentries_stops_signing_and_returns_by_itself(fleet: Fleet) -> None:
    """With every sentry's cable out its signature vanishes while the chain goes on; with them back it signs again."""
    starts = fleet.seen()[VALIDATOR].starts
    for vm in sentries(fleet):
        cut(fleet, vm.name, off=True)
    vanished = until(lambda: not signs(fleet), 60)
    height = fleet.external().height()
    went_on = until(lambda: fleet.external().height() > height + 5, 60)
    for vm in sentries(fleet):
        cut(fleet, vm.name, off=False)

    assert (True, True) == (vanished, went_on)
    assert until(lambda: signs(fleet), RETURN), fleet.console(VALIDATOR)[-3000:]
    assert starts == fleet.seen()[VALIDATOR].starts


def test_a_destroyed_sentry_is_replaced(fleet: Fleet, login: Login) -> None:
    """A new machine with a new ID takes its place, and carries the validator when it is the only one left."""
    lost, left = sentries(fleet)[-1], sentries(fleet)[0]
    lost_id = fleet.seen()[lost.name].node_id
    fleet.destroy(lost.name)
    new = add_sentry(fleet)
    fleet.power_on(new.name)
    assert () == story.wait_ready(fleet, 400), fleet.console(new.name)[-3000:]
    assert until(lambda: hidden(fleet) == p2p(fleet, login, new)["private_peer_ids"], 120)

    cut(fleet, left.name, off=True)
    carried = until(lambda: not signs(fleet), 20) is False or until(lambda: signs(fleet), 120)
    cut(fleet, left.name, off=False)

    assert carried
    assert lost_id != fleet.seen()[new.name].node_id


def test_a_fleet_outlives_its_rendezvous_and_a_power_cut(fleet: Fleet) -> None:
    """With the rendezvous gone all machines restart at once, find each other from what they remember, and sign."""
    ids = {name: node.node_id for name, node in fleet.seen().items()}
    fleet.namespace.stop("rendezvous")
    for vm in fleet.state.vms:
        fleet.reset(vm.name)
    try:
        assert until(lambda: not signs(fleet), 60)
        assert until(lambda: signs(fleet), 500), fleet.console(VALIDATOR)[-3000:]
        assert ids == {name: node.node_id for name, node in fleet.seen().items()}
    finally:
        fleet.start_rendezvous()
    assert () == story.wait_ready(fleet, 300)
