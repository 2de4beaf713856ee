"""``goldnode takeover`` without a lease: a person's word, then ten blocks that the key did not sign, then it signs."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from goldnode.files import write_json
from goldnode.node.keys import handover, identity, keys
from goldnode.node.keys.signing_state import MUTED
from goldnode.node.layout import NodeLayout
from tests.support.node_lab import Cluster, Person, Tree

STATE = {"height": "40", "round": 0, "step": 3}


def validator(root: Path) -> Tree:
    """A machine whose validator has signed up to 40."""
    tree = Tree(root)
    tree.node_yaml("validator", Cluster().invite("validator"), "val-1")
    tree.configure()
    node = tree.layout.node("val-1")
    keys.mark_used(node)
    write_json(node.signing_state, STATE)
    keys.note_progress(node)
    return tree


def moved(old: Tree, root: Path) -> Tree:
    """A new machine with the volume of one that is dead."""
    tree = Tree(root, instance="i-2")
    shutil.copytree(old.layout.nodes, tree.layout.nodes, symlinks=True)
    tree.node_yaml("validator", "gn1_joined", "val-1")
    return tree


def secrets(node: NodeLayout) -> tuple[bytes, bytes]:
    """The consensus key and the node key."""
    return node.consensus_key.read_bytes(), node.node_key.read_bytes()


def test_a_dead_validators_volume_goes_on_elsewhere(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Refused with the command; after a person's word it is bound here, muted, and recovers; its keys are the same."""
    tree = moved(validator(tmp_path / "old"), tmp_path / "new")
    person, node = Person(tree, capsys), tree.layout.node("val-1")
    before = secrets(node)

    _, refused = person.types("configure")
    code, said = person.types("takeover", "val-1", "--gone")
    found, _ = tree.configure()

    assert "if it is gone for good: goldnode takeover val-1" in refused
    assert (0, {}, before) == (code, found.failures, secrets(node))
    assert "once 10 blocks in a row came without its signature" in said
    assert MUTED == keys.read_state(node)
    record, recovery = keys.read_record(node), keys.read_recovery(node)
    assert record
    assert recovery
    assert (40, 40, 0) == (record.height, recovery.known, recovery.done)


def test_nobody_takes_over_by_accident(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without a terminal and without --gone nothing changes, and what would happen was said."""
    tree = moved(validator(tmp_path / "old"), tmp_path / "new")
    person = Person(tree, capsys)
    person.types("configure")
    before = {name: data for name, data in tree.files().items() if "nodes/val-1" in name}

    code, said = person.types("takeover")

    assert (2, before) == (code, {name: data for name, data in tree.files().items() if "nodes/val-1" in name})
    assert "two machines sign" in said
    assert "goldnode takeover val-1 --gone" in said


def gone(node: NodeLayout) -> None:
    """No file at all."""
    node.identity.unlink()


def empty(node: NodeLayout) -> None:
    """As a power cut leaves it."""
    node.identity.write_text("")


def no_object(node: NodeLayout) -> None:
    """JSON, and not ours."""
    node.identity.write_text("null")


def nameless(node: NodeLayout) -> None:
    """An object that says nothing."""
    node.identity.write_text("{}")


def a_link(node: NodeLayout) -> None:
    """To somewhere else."""
    node.identity.unlink()
    node.identity.symlink_to("/dev/null")


def a_folder(node: NodeLayout) -> None:
    """A directory."""
    node.identity.unlink()
    node.identity.mkdir()


@pytest.mark.parametrize("damage", [gone, empty, no_object, nameless, a_link, a_folder], ids=lambda each: each.__name__)
def test_a_lost_identity_has_a_way_back(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], damage: Callable[[NodeLayout], None]
) -> None:
    """The refusal names takeover, and takeover leads back to the same node, muted until the chain has passed."""
    tree = validator(tmp_path / "machine")
    person, node = Person(tree, capsys), tree.layout.node("val-1")
    own, before = identity.read(node), secrets(node)
    damage(node)

    _, refused = person.types("configure")
    code, _ = person.types("takeover", "--gone")
    found, _ = tree.configure()

    assert str(node.identity) in refused
    assert "goldnode takeover val-1" in refused
    assert (0, {}, before, own) == (code, found.failures, secrets(node), identity.read(node))
    assert MUTED == keys.read_state(node)


def test_identity_and_node_key_both_lost(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The node gets a new node key, which needs a new invite; the consensus key stays, muted."""
    tree = validator(tmp_path / "machine")
    person, node = Person(tree, capsys), tree.layout.node("val-1")
    before = node.consensus_key.read_bytes()
    node.identity.unlink()
    node.node_key.write_text("")
    person.types("configure")

    _, asked = person.types("takeover", "--gone")
    tree.node_yaml("validator", Cluster().invite("validator"), "val-1")
    code, said = person.types("apply", tree.layout.node_yaml)

    assert "there is no membership yet" in asked
    assert 0 == code, said
    assert (before, MUTED) == (node.consensus_key.read_bytes(), keys.read_state(node))


def test_identity_and_consensus_key_both_lost(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Bound again, the node is refused for its key alone, and no new one is made."""
    tree = validator(tmp_path / "machine")
    person, node = Person(tree, capsys), tree.layout.node("val-1")
    node.identity.unlink()
    node.consensus_key.unlink()
    _, refused = person.types("configure")

    code, said = person.types("takeover", "--gone")

    assert "goldnode takeover val-1" in refused
    assert 8 == code
    assert "goldnode key import ARCHIVE val-1" in said
    assert not node.consensus_key.exists()


def test_what_belongs_here_is_not_taken_over(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A node of this machine without a lease: nothing to do, and nothing is muted."""
    tree = validator(tmp_path / "machine")

    code, said = Person(tree, capsys).types("takeover", "--gone")

    assert (4, STATE) == (code, json.loads(tree.layout.node("val-1").signing_state.read_text()))
    assert "nothing to take over" in said


def test_a_lease_that_never_was_fences_nobody(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The old machine signed without a lease: naming one now does not make its end unnecessary."""
    tree = moved(validator(tmp_path / "old"), tmp_path / "new")
    tree.node_yaml("validator", "gn1_joined", "val-1", lease=f"file://{tmp_path}/store")
    tree.write("/usr/lib/goldnode/bin/goldnode-signer", "").chmod(0o755)
    person = Person(tree, capsys)
    person.types("configure")

    code, said = person.types("takeover", "--gone")

    assert 8 == code, said
    assert "nothing fences the machine that it was on" in said


def test_a_token_that_leads_elsewhere_is_set_aside(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A volume that was handed over, and lost its identity on the way, is taken over as any other."""
    old = validator(tmp_path / "old")
    node = old.layout.node("val-1")
    node.hold.write_text("")
    handover.offer(node, "somewhere else")
    node.identity.unlink()
    person = Person(old, capsys)
    person.types("configure")

    code, said = person.types("takeover", "--gone")

    assert 0 == code, said
    assert (False, False) == (node.handover.exists(), node.hold.exists())


def test_a_single_validators_chain_tells_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Where no block comes without it, no block can prove anything: refused, and nothing is muted."""
    tree = validator(tmp_path / "machine")
    network = tree.layout.library / "network.json"
    network.write_text(json.dumps({**json.loads(network.read_text()), "single_validator": True}))
    node = tree.layout.node("val-1")
    node.identity.unlink()
    person = Person(tree, capsys)
    person.types("configure")

    code, said = person.types("takeover", "--gone")

    assert (8, STATE) == (code, json.loads(node.signing_state.read_text())), said
    assert "single validator" in said
