"""What a fleet consists of."""

from __future__ import annotations

import pytest
import yaml

from goldnode.config.choices import MeshKind
from goldnode.errors import UsageError
from goldnode.fleet.plan import (
    MEMORY,
    NETWORK,
    PACE,
    VOLUME,
    FleetSpec,
    Node,
    VmSpec,
    extra,
    own_extra,
    pace_of,
    powers,
    timing,
    vms,
)
from goldnode.vm.accel import Accelerator
from tests.support.further_sentry import another_sentry


def test_a_fleet_is_a_hidden_validator_behind_its_sentries() -> None:
    """The default fleet has one machine for the validator and one for each sentry, with addresses of their own."""
    made = vms(FleetSpec())

    assert ["validator-1", "sentry-1", "sentry-2"] == [vm.name for vm in made]
    assert [f"{NETWORK}.{n}" for n in (11, 12, 13)] == [vm.address for vm in made]


def test_no_two_machines_share_anything_that_tells_machines_apart() -> None:
    """Addresses, cables, network cards and firmware UUIDs are each machine's own."""
    made = vms(FleetSpec(sentries=16, multi_node=3))

    for kind in ("address", "mac", "tap", "identity", "name"):
        assert len(made) == len({getattr(vm, kind) for vm in made})


def test_the_chain_waits_for_many_nodes_on_a_slow_host() -> None:
    """Without KVM three nodes on a machine get two seconds more; with it, or each on its own, the pace is the usual."""
    alone, crowd = vms(FleetSpec()), vms(FleetSpec(multi_node=3))

    assert [2, 4] == [pace_of(each, Accelerator.TCG) for each in (alone, crowd)]
    assert [6, 2] == [pace_of(alone, each, replaced=True) for each in (Accelerator.TCG, Accelerator.KVM)]
    assert 2 == pace_of(crowd, Accelerator.KVM)


def test_everybody_waits_as_long_as_the_world() -> None:
    """Each machine is told the chain's pace, and no wait is shorter than CometBFT's share of it."""
    for vm in vms(FleetSpec(multi_node=1)):
        assert "5s" == extra(vm, FleetSpec(), (), 5)["config"]["config.toml"]["consensus.timeout_commit"]
    assert ("3000ms", "1000ms") == (timing(2)["consensus.timeout_propose"], timing(2)["consensus.timeout_prevote"])


def test_a_multi_node_machine_has_validators_only() -> None:
    """`--multi-node N` adds one machine with N nodes that sign."""
    machine = vms(FleetSpec(multi_node=2))[-1]

    assert ("multi-node", ("multi-1-1", "multi-1-2")) == (machine.role, machine.validators)


@pytest.mark.parametrize(
    "spec",
    [
        FleetSpec(sentries=0),
        FleetSpec(sentries=17),
        FleetSpec(multi_node=31),
        FleetSpec(multi_node=-1),
        FleetSpec(memory=MEMORY // 2),
    ],
)
def test_what_cannot_be_is_refused(spec: FleetSpec) -> None:
    """A fleet without sentries, or with more of anything than fits, is refused before anything is made."""
    with pytest.raises(UsageError):
        vms(spec)


def test_a_new_sentry_is_new_in_every_way() -> None:
    """A sentry that replaces one gets a name, address and UUID that no machine of the fleet had."""
    before = vms(FleetSpec())
    new = another_sentry(before)

    assert ("sentry-3", 14) == (new.name, new.number)
    assert new.identity not in {vm.identity for vm in before}


def test_a_validator_brings_its_key_on_a_volume() -> None:
    """Its node.yaml names the volume and a key that exists; no key stands in it."""
    validator, sentry, _ = vms(FleetSpec())

    config = {"config": {"config.toml": timing(PACE)}}
    signing = {"data": VOLUME, "min_sentries": 2, "consensus_key": "existing"}

    assert config | signing == extra(validator, FleetSpec(), ("w",))
    assert config | {"peers": ["w"]} == extra(sentry, FleetSpec(), ("w",))


def test_the_nodes_of_a_multi_node_machine_find_their_keys_by_the_record() -> None:
    """`consensus_key` stands with a node, not with a machine: the volume's records say what the keys are."""
    machine = vms(FleetSpec(multi_node=1))[-1]

    assert "consensus_key" not in extra(machine, FleetSpec(multi_node=1), ())


def test_a_multi_node_machine_has_one_page_of_metrics_for_the_fleet() -> None:
    """The fleet's network may read it; of its nodes, sentries alone dial the world."""
    nodes = (Node("v", "validator"), Node("s", "sentry"))
    machine = VmSpec("house", "multi-node", 20, nodes)

    assert [f"{NETWORK}.0/24"] == extra(machine, FleetSpec(), ("w",))["metrics"]
    assert [{}, {"peers": ["w"]}] == [own_extra(machine, node, ("w",)) for node in nodes]


def test_the_other_mesh_is_said_to_every_machine() -> None:
    """All machines of a fleet use one kind of mesh."""
    spec = FleetSpec(mesh=MeshKind.VPNCLOUD)

    assert {"vpncloud"} == {extra(vm, spec, ())["mesh"] for vm in vms(spec)}


@pytest.mark.parametrize("hidden", range(31))
def test_the_world_goes_on_alone(hidden: int) -> None:
    """Without any hidden validator the world has more than two thirds of the power; with one, all are equal."""
    own, outside = powers(hidden)

    assert 3 * outside * 3 > 2 * (3 * outside + hidden * own)
    assert hidden != 1 or own == outside


def test_the_network_configuration_has_one_address_and_no_way_out() -> None:
    """A machine of the fleet reaches its own network only."""
    config = yaml.safe_load(vms(FleetSpec())[0].network_config)

    assert {"version": 2, "ethernets": {"eth0": {"addresses": [f"{NETWORK}.11/24"]}}} == config
