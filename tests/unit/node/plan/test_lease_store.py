"""What is planned for the sentries that keep a cluster's signing leases, and for the validators that use them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from goldnode.node.plan.inputs import NodeFacts
from goldnode.node.plan.peers import Member, mesh_address
from goldnode.node.plan.plan import Plan, plan
from tests.support.node_lab import Cluster, Tree

OTHERS = ("b" * 40, "c" * 40)
VALIDATOR = "d" * 40


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """A machine with etcd and a signer."""
    tree = Tree(tmp_path / "machine")
    tree.write("/usr/bin/etcd", "")
    tree.write("/usr/lib/goldnode/bin/goldnode-signer", "")
    return tree


def member(node_id: str, role: str = "sentry") -> Member:
    """A member on the mesh."""
    loaded = frozenset({VALIDATOR})
    return Member(node_id, role, mesh_key=node_id[0] * 43 + "=", mesh_port=51820, p2p_port=26656, loaded=loaded)


def sentry(tree: Tree, *members: Member, kept: bool = False) -> tuple[NodeFacts, Plan]:
    """A sentry that is named with two others, and knows some members; what is planned for it."""
    tree.node_yaml("sentry", Cluster().invite("sentry"), "s-1")
    found, _ = tree.configure()
    facts = found.facts["s-1"]
    entry = replace(facts.entry, serve_lease=tuple(sorted((facts.node_id, *OTHERS))))
    facts = replace(facts, entry=entry, members=members, kept=kept)
    return facts, plan(found.config, found.image, [facts], tree.layout)


def document(facts: NodeFacts, made: Plan) -> dict[str, object]:
    """What etcd would read; empty where nothing is planned."""
    found = [file.text for file in made.files if file.path == facts.layout.store_config]
    return dict(json.loads(found[0])) if found else {}


def rules(made: Plan) -> str:
    """The firewall's rules."""
    return next(file.text for file in made.files if file.path == made.ruleset)


def test_three_sentries_form_a_store_once_all_are_known(tree: Tree) -> None:
    """On mesh addresses only, each with the others' own; open to validators, and among the three."""
    facts, made = sentry(tree, *map(member, OTHERS), member("e" * 40), member(VALIDATOR, "validator"))

    etcd = document(facts, made)
    own = facts.mesh_address
    addresses = {each: mesh_address(facts.fingerprint, each[0] * 43 + "=") for each in (*OTHERS, "e" * 40, VALIDATOR)}
    peers = {facts.node_id: own, **{each: addresses[each] for each in OTHERS}}
    assert f"http://[{own}]:26661" == etcd["listen-client-urls"]
    assert f"http://[{own}]:26662" == etcd["listen-peer-urls"]
    assert ",".join(f"{who}=http://[{at}]:26662" for who, at in sorted(peers.items())) == etcd["initial-cluster"]
    assert etcd["enable-grpc-gateway"] is True
    assert "goldnode-store@s-1.service" in made.units
    assert f'iifname "gnmesh0" ip6 saddr {{ {addresses[VALIDATOR]} }} tcp dport 26661 accept' in rules(made)
    among = ", ".join(sorted(addresses[each] for each in OTHERS))
    assert f'iifname "gnmesh0" ip6 saddr {{ {among} }} tcp dport 26662 accept' in rules(made)
    assert 'oif lo tcp dport { 26661, 26662 } meta skuid != { 0, "gl-s-1" }' in rules(made)
    assert ("gn-s-1", "gl-s-1") == made.meshes[0].users


@pytest.mark.parametrize("known", [(), OTHERS[:1], (OTHERS[0], "e" * 40)])
def test_no_store_is_formed_while_one_of_the_three_is_unknown(tree: Tree, known: tuple[str, ...]) -> None:
    """Not with fewer, nor with another in its place: nothing is written, started or open."""
    facts, made = sentry(tree, *map(member, known), member(VALIDATOR, "validator"))

    assert ({}, False) == (document(facts, made), "goldnode-store@s-1.service" in made.units)
    assert [] == [line for line in rules(made).splitlines() if "2666" in line and "accept" in line]


def test_a_store_that_was_formed_goes_on_without_one(tree: Tree) -> None:
    """After a reboot with one of the three gone from the roster its etcd starts, from its own data."""
    facts, made = sentry(tree, member(OTHERS[0]), kept=True)

    assert "goldnode-store@s-1.service" in made.units
    assert OTHERS[0] in str(document(facts, made)["initial-cluster"])


def test_a_sentry_that_is_not_named_keeps_nothing(tree: Tree) -> None:
    """Its node.yaml was written for another: whatever it knows, it forms no store."""
    facts, _ = sentry(tree, *map(member, OTHERS))
    found, _ = tree.configure()
    stranger = replace(facts, entry=replace(facts.entry, serve_lease=(*OTHERS, "e" * 40)))

    made = plan(found.config, found.image, [stranger], tree.layout)

    assert ({}, False) == (document(stranger, made), "goldnode-store@s-1.service" in made.units)


def test_a_validator_finds_the_sentries_that_its_lease_names(tree: Tree) -> None:
    """By their node IDs, on the mesh, those that it knows; and asks from its own address there."""
    named = ("a" * 40, *OTHERS)
    tree.node_yaml("validator", Cluster().invite("validator"), "val-1", lease=f"etcd://{','.join(named)}/goldnode")
    found, _ = tree.configure()
    facts = replace(found.facts["val-1"], node_id=VALIDATOR, members=(member(OTHERS[0]), member("e" * 40)))

    made = plan(found.config, found.image, [facts], tree.layout)

    told = json.loads(next(file.text for file in made.files if file.path == facts.layout.lease_settings))
    address = mesh_address(facts.fingerprint, "b" * 43 + "=")
    assert {OTHERS[0]: f"[{address}]:26661"} == told["endpoints"]
    assert facts.mesh_address == told["source"]
