"""A node's way to the tip in numbers, as metrics and programs read it."""

from __future__ import annotations

from pathlib import Path

from goldnode.node import catch_up
from goldnode.node.agent.health import Health, NodeState
from goldnode.node.agent.state_sync import Catcher
from goldnode.node.catch_up import CatchUpState, Phase
from goldnode.node.plan.catch_up import Header, Reached, Tip, Trust
from goldnode.node.plan.inputs import NodeFacts, read_image
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
