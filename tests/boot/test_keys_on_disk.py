"""A machine whose disk holds a key that must not sign: it says why, starts nothing, and touches nothing.

The sealed tree as a container; what is on its disk was written by the node's own code, and then
damaged as a careless person or a restored snapshot would.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from goldnode.cluster import user_data
from goldnode.files import write_json
from goldnode.node.keys import archive, identity
from goldnode.node.keys.cometbft_keys import Key
from goldnode.node.keys.signing_state import SigningState, to_document
from goldnode.node.layout import Layout, NodeLayout
from goldnode.node.system import machine
from tests.boot.container import INSTANCE_ID, container
from tests.support.node_lab import Cluster, seed

pytestmark = pytest.mark.root
NAME = "val-1"
GENESIS = b'{"chain_id": "localnet-1"}'
SIGNED, EARLIER = SigningState(9, 0, 3), SigningState(5, 0, 3)


def lost_state(node: NodeLayout) -> None:
    """The state beside a key that has signed is gone."""
    node.signing_state.unlink()


def lost_record(node: NodeLayout) -> None:
    """A key was copied there by hand, without its state and without `goldnode key import`."""
    node.signing_state.unlink()
    node.key_record.unlink()


def lost_key(node: NodeLayout) -> None:
    """The key is gone, its state is there."""
    node.consensus_key.unlink()


def rolled_back(node: NodeLayout) -> None:
    """A snapshot brought an older state back."""
    write_json(node.signing_state, to_document(EARLIER), 0o600)


def copied(node: NodeLayout) -> None:
    """The disk was another machine's."""
    bound = json.loads(node.identity.read_text())
    write_json(node.identity, {**bound, "machine": hashlib.sha256(b"another machine").hexdigest()}, 0o644)


CASES: dict[Callable[[NodeLayout], None], str] = {
    lost_state: "has signed .* but its signing state is gone",
    lost_record: "came without its signing state",
    lost_key: "there is a signing state .* but no consensus key|the consensus key .* is gone",
    rolled_back: "the signing state was rolled back",
    copied: "this disk is a copy",
}


@pytest.mark.parametrize("damage", CASES, ids=lambda damage: damage.__name__)
def test_a_key_that_must_not_sign(tree: Path, tmp_path: Path, damage: Callable[[NodeLayout], None]) -> None:
    """The console says why, the agent alone runs to go on saying it, and every file of the key is what it was."""

    def before(layout: Layout) -> None:
        node = layout.node(NAME)
        identity.ensure(node, this_container(), lambda: seed("node key"))
        archive.bring(node, Key(seed("hidden")), SIGNED, used=True)
        damage(node)

    found = Layout(tmp_path / "layer").node(NAME)
    with container(tree, tmp_path, pasted(moved=damage is copied), before) as booted:
        kept = secrets(found)
        booted.wait_for(f"{NAME}: REFUSED: .*({CASES[damage]})")
        booted.wait_for(r"(Finished|Failed to start).*goldnode-configure")
        units, listening = booted.units(), booted.listening()

    assert (["goldnode-agent.service"], []) == (units, listening)
    assert kept == secrets(found)


def this_container() -> str:
    """The binding of a container on this machine: its own instance ID, and our firmware's UUID."""
    return dataclasses.replace(machine.observe(Layout(Path("/"))), instance_id=INSTANCE_ID).binding


def pasted(*, moved: bool) -> str:
    """A validator's user-data; a machine whose disk is another's has been given no invite."""
    invite = "" if moved else Cluster().invite("validator")
    node = user_data.NodeSpec(NAME, "validator", invite)
    extra = {"consensus_key": "existing"}
    where = ["http://127.0.0.1:8700"]
    return user_data.render(user_data.UserData("lab", "localnet", "validator", [node], where, GENESIS, extra=extra))


def secrets(node: NodeLayout) -> dict[Path, bytes]:
    """Key, state and record, as far as they are there."""
    files = (node.consensus_key, node.signing_state, node.key_record)
    return {file: file.read_bytes() for file in files if file.exists()}
