"""A node's way to the tip in numbers, as metrics and programs read it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from goldnode.node import catch_up
from goldnode.node.agent.health import Health, NodeState
from goldnode.node.agent.state_sync import Catcher
from goldnode.node.catch_up import CatchUpState, Phase
from goldnode.node.plan.catch_up import Header, Reached, Tip, Trust
from goldnode.node.plan.inputs import NodeFacts, read_image
from goldnode.node.versions import upgrades
from tests.support.node_lab import Cluster, Tree

CHUNK = "Applied snapshot chunk to ABCI app chunk=%d format=3 height=20 module=statesync total=40"
TRUST = Trust(1000, "AB" * 32, ("http://a:1", "http://b:1"), "168h0m0s")


def sentry(folder: Path) -> tuple[Tree, NodeFacts, Catcher]:
    """A sentry that may ask two servers, who do not answer."""
    tree = Tree(folder / "machine", "localwasm")
    servers = {"servers": ["http://a.example:1", "http://b.example:1"]}
    tree.node_yaml("sentry", Cluster().invite("sentry"), "s-1", catch_up={"state_sync": servers})
    found, _ = tree.configure()

    def tips(_: object, __: str) -> list[Tip]:
        return []

    def headers(_: object, __: int, ___: str) -> list[Header]:
        return []

    return tree, found.facts["s-1"], Catcher(read_image(tree.layout).network, tree.system, tips, headers)


def test_each_way_is_told_in_numbers(tmp_path: Path) -> None:
    """Asking, chunks of a snapshot, blocks behind, nothing at the tip, and that it gave up."""
    tree, facts, catcher = sentry(tmp_path)
    reached = []
    catcher.before_start(facts, 10.0)
    reached.append(catcher.reached)
    catch_up.write(facts.layout, CatchUpState(Phase.STATE_SYNC, 1, TRUST))
    tree.system.logs[facts.layout.unit] = f"Starting state sync\n{CHUNK % 3}\n{CHUNK % 11}\n"
    catcher.watch(facts, Health(NodeState.SYNCING, healthy=False), 20.0)
    reached.append(catcher.reached)
    catcher.watch(facts, Health(NodeState.SYNCING, healthy=False, height=9, age=3400.0), 30.0)
    reached.append(catcher.reached)
    catcher.watch(facts, Health(NodeState.FOLLOWING, healthy=True, height=3409, age=1.0), 40.0)
    reached.append(catcher.reached)
    catch_up.write(facts.layout, CatchUpState(Phase.GIVEN_UP, 3, None, "nobody answers"))
    assert "cannot reach the tip: nobody answers" in catcher.before_start(facts, 50.0)
    reached.append(catcher.reached)

    assert [
        Reached("asking"), Reached("state-sync", 0.3), Reached("blocks", behind=3400), Reached(), Reached("given-up"),
    ] == reached  # fmt: skip


def test_a_sync_that_was_cut_off_begins_anew(tmp_path: Path) -> None:
    """No daemon continues one: what it left is deleted before the next start, and the keys beside it stay."""
    _, facts, catcher = sentry(tmp_path)
    node = facts.layout
    catch_up.write(node, CatchUpState(Phase.STATE_SYNC, 1, TRUST))
    (node.home / "data" / "application.db").mkdir(parents=True)
    before = node.node_key.read_bytes()
    said = catcher.before_start(replace(facts, trust=TRUST), 10.0)

    assert ("", False) == (said, catch_up.has_databases(node))
    assert before == node.node_key.read_bytes()
    assert CatchUpState(Phase.STATE_SYNC, 1, TRUST) == catch_up.read(node)


def test_a_sync_that_was_seen_to_end_is_left_alone(tmp_path: Path) -> None:
    """A height of this node is known, so its databases are a state, whatever the record says."""
    _, facts, catcher = sentry(tmp_path)
    node = facts.layout
    catch_up.write(node, CatchUpState(Phase.STATE_SYNC, 1, TRUST))
    (node.home / "data" / "application.db").mkdir(parents=True)
    upgrades.note_height(node, 40)
    catcher.before_start(replace(facts, trust=TRUST), 10.0)

    assert catch_up.has_databases(node)
