"""Several nodes on one machine: what each has for itself."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from goldnode.node import cluster
from goldnode.node.configure import ConfiguredMachine
from goldnode.node.plan.inputs import read_image
from goldnode.node.plan.peers import Member, mesh_address
from goldnode.node.plan.plan import Plan, plan
from tests.support.node_lab import Cluster, Tree

NAMES = ("val-1", "s-1", "s-2")


def _member(machine: ConfiguredMachine, name: str) -> Member:
    facts = machine.facts[name]
    held = frozenset() if facts.role.consensus_key else frozenset({machine.facts["val-1"].node_id})
    mesh, ports = facts.mesh_public, facts.ports
    return Member(facts.node_id, facts.role.name, name, mesh, ports.wireguard, ports.p2p, facts.addresses, loaded=held)


@pytest.fixture
def together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Tree, ConfiguredMachine, Plan]:
    """A validator and two sentries of one cluster, which know of each other."""
    tree, home = Tree(tmp_path / "machine"), Cluster()
    roles = ("validator", "sentry", "sentry")
    nodes = [{"name": n, "role": role, "join": home.invite(role)} for n, role in zip(NAMES, roles, strict=True)]
    tree.node_yaml("multi-node", nodes=nodes)
    alone, _ = tree.configure()
    everybody = [_member(alone, name) for name in NAMES]
    monkeypatch.setattr(cluster, "members", lambda of: tuple(m for m in everybody if m.node_id != of.node_id))
    machine, _ = tree.configure()
    image = read_image(tree.layout)
    return tree, machine, plan(machine.config, image, list(machine.facts.values()), tree.layout)


def _config(tree: Tree, name: str) -> dict[str, dict[str, object]]:
    return tomllib.loads((tree.layout.node(name).home / "config" / "config.toml").read_text())


def test_each_has_its_own(together: tuple[Tree, ConfiguredMachine, Plan]) -> None:
    """User, mesh interface, routing table, mesh address and every port are one node's alone."""
    _, machine, planned = together
    ports = [facts.ports for facts in machine.facts.values()]
    numbers = [
        number for each in ports for number in (each.p2p, each.rpc, each.signer, each.prometheus, each.grpc, each.api)
    ]

    (users,) = (each.text for each in planned.files if each.path.name == "goldnode-nodes.conf")
    assert ["gn-val-1", "gn-s-1", "gn-s-2"] == [line.split()[1] for line in users.splitlines()]
    assert 18 == len(set(numbers))
    assert [3, 3, 3] == [
        len({getattr(mesh, key) for mesh in planned.meshes}) for key in ("interface", "table", "address")
    ]
    assert 1 == len({mesh.device[-1].split()[3] for mesh in planned.meshes})


def test_the_validator_dials_both_sentries_on_the_mesh(together: tuple[Tree, ConfiguredMachine, Plan]) -> None:
    """Two sentries of one machine are two peers by their mesh addresses, and the daemon takes both."""
    tree, machine, _ = together
    p2p = _config(tree, "val-1")["p2p"]
    facts = [(machine.facts[name], port) for name, port in (("s-1", 26756), ("s-2", 26856))]
    dialled = {f"{each.node_id}@[{mesh_address(each.fingerprint, each.mesh_public)}]:{port}" for each, port in facts}

    assert dialled == set(str(p2p["persistent_peers"]).split(","))
    assert [True] * 3 == [_config(tree, name)["p2p"]["allow_duplicate_ip"] for name in NAMES]


def test_each_sentry_hides_the_validator_beside_it(together: tuple[Tree, ConfiguredMachine, Plan]) -> None:
    """Sharing a machine changes nothing of who is private."""
    tree, machine, _ = together

    assert [machine.facts["val-1"].node_id] * 2 == [
        _config(tree, name)["p2p"]["private_peer_ids"] for name in ("s-1", "s-2")
    ]


def test_each_end_of_the_mesh_is_another_port(together: tuple[Tree, ConfiguredMachine, Plan]) -> None:
    """The validator's mesh reaches each sentry's by the machine's address and that sentry's UDP port."""
    tree, _, _ = together
    text = tree.layout.node("val-1").mesh_config("wireguard").read_text()

    assert ["Endpoint = 203.0.113.5:51821", "Endpoint = 203.0.113.5:51822"] == sorted(
        line for line in text.splitlines() if line.startswith("Endpoint")
    )


def test_three_validators_of_three_clusters_share_nothing(tmp_path: Path) -> None:
    """Each has a cluster, a mesh network, an identity and a consensus key of its own."""
    tree = Tree(tmp_path / "machine")
    nodes = [{"name": f"v-{n}", "role": "validator", "join": Cluster(str(n)).invite("validator")} for n in range(3)]
    tree.node_yaml("multi-node", nodes=nodes)

    machine, _ = tree.configure()

    layouts = [facts.layout for facts in machine.facts.values()]
    assert [3, 3, 3] == [
        len({facts.fingerprint for facts in machine.facts.values()}),
        len({facts.node_id for facts in machine.facts.values()}),
        len({layout.consensus_key.read_text() for layout in layouts}),
    ]
