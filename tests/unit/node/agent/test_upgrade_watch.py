"""Upgrades as the agent sees them: the countdown, a daemon that halted, and when it is started anew."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import pytest

from goldnode.config.network import Upgrade
from goldnode.errors import HostError
from goldnode.files import write_json
from goldnode.node.agent import metrics
from goldnode.node.agent.health import Health, NodeState
from goldnode.node.agent.supervisor import NodeReport
from goldnode.node.agent.upgrade_watch import AGAIN, ASK, UpgradeWatch, View
from goldnode.node.observe import exposition
from goldnode.node.plan.catch_up import Reached
from goldnode.node.plan.inputs import ImageFacts, NodeFacts, read_image
from goldnode.node.plan.upgrade import Binary, Halt, program
from goldnode.node.versions import rungs, upgrades
from tests.support.agent_lab import Daemon
from tests.support.node_lab import Cluster, Tree

BASE = "0.61.14"
NEXT = Upgrade("next", 1000, "0.62.0", {})


class Chain(Daemon):
    """A daemon that is asked for the chain's plan only."""

    def __init__(self, plan: Halt | None = None, *, silent: bool = False) -> None:
        super().__init__()
        self.plan, self.silent, self.asked = plan, silent, 0

    def query(self, path: str, data: bytes) -> bytes:  # noqa: ARG002
        """It knows of nothing."""
        return b""

    def upgrade_plan(self) -> Halt | None:
        """What was voted for."""
        self.asked += 1
        if self.silent:
            raise HostError("nobody there")
        return self.plan


class Node:
    """A sentry of localwasm whose ladder a test chooses, and what its agent sees of upgrades."""

    def __init__(self, folder: Path, *ladder: Upgrade) -> None:
        self.tree = Tree(folder / "machine", "localwasm")
        self.tree.node_yaml("sentry", Cluster().invite("sentry"), "s-1")
        found, _ = self.tree.configure()
        self.facts: NodeFacts = found.facts["s-1"]
        self.home = self.facts.layout.home
        image = read_image(self.tree.layout)
        self.image: ImageFacts = replace(image, network=replace(image.network, upgrades=ladder))
        self.chain, self.now = Chain(), 1_800_000_000.0
        self.watch = UpgradeWatch(self.image, self.tree.system, self.chain)

    def observe(self, height: int, seconds: float = 2.0, state: NodeState = NodeState.FOLLOWING) -> View:
        """Let time pass, and the agent look at a daemon at a height."""
        self.now += seconds
        return self.watch.observe(self.facts, Health(state, healthy=True, height=height), self.now)

    def bring(self, version: str, content: str = "program") -> Path:
        """Put a version beside the image's own, as a fetch does."""
        goal, draft = program(self.image.library, "wasmd", version), self.image.library / "draft"
        (draft / "bin").mkdir(parents=True)
        (draft / "bin" / "wasmd").write_text(content)
        goal.parent.parent.parent.mkdir(parents=True, exist_ok=True)
        rungs.settle(draft, goal)
        return goal

    def halts(self, name: str, height: int) -> None:
        """The daemon stops for a plan, and says so."""
        write_json(self.home / "data" / "upgrade-info.json", {"name": name, "height": height})


@pytest.fixture
def node(tmp_path: Path) -> Node:
    """A node that knows of one step ahead."""
    return Node(tmp_path, NEXT)


def test_the_countdown_tells_height_time_and_binary(node: Node) -> None:
    """Missing, then here, then damaged: each is told at the next look, without anybody asking for it."""
    missing = node.observe(900).coming
    path = node.bring("0.62.0")
    here = node.observe(901).coming
    path.write_text("something else")
    damaged = node.observe(902).coming

    assert missing
    assert here
    assert damaged
    assert (Binary.MISSING, Binary.VERIFIED, Binary.WRONG) == (missing.binary, here.binary, damaged.binary)
    assert ("0.62.0", 1000, 99) == (here.version, here.height, here.blocks)
    assert "next at height 1,000, in about 99 s: binary verified" == here.said


def test_a_program_is_hashed_once_while_it_stays_the_same(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    """A daemon of 100 MB is not read at every look."""
    node.bring("0.62.0")
    real, hashed = upgrades.verify, []

    def verify(library: Path, name: str, version: str) -> Binary:
        hashed.append(version)
        return real(library, name, version)

    monkeypatch.setattr(upgrades, "verify", verify)
    for height in range(900, 910):
        node.observe(height)

    assert ["0.62.0"] == hashed


def test_nothing_comes_where_the_ladder_ends(tmp_path: Path) -> None:
    """No step ahead, no countdown; the version that runs is told."""
    assert View(BASE) == Node(tmp_path).observe(900)


def test_a_plan_that_no_ladder_names_is_told(node: Node) -> None:
    """The chain voted for something else, and sooner: that is what comes, and its binary is missing."""
    node.chain.plan = Halt("surprise", 950)
    coming = node.observe(900).coming

    assert coming
    assert ("surprise", 950, "", Binary.MISSING) == (coming.name, coming.height, coming.version, coming.binary)
    assert "no ladder names it" in coming.said


def test_a_plan_whose_version_runs_is_nothing_that_comes(node: Node) -> None:
    """Between the new version's start and its first block the chain's plan is still there: no false alarm of it."""
    node.chain.plan = Halt("next", 1000)
    write_json(node.facts.layout.started, {"version": "0.62.0", "rung": "next"})

    assert node.observe(999).coming is None


def test_the_chains_height_is_told_beside_the_ladders(node: Node) -> None:
    """The vote moved the plan: the ladder's step stays what it is, and the difference is said."""
    node.chain.plan = Halt("next", 1010)
    coming = node.observe(900).coming

    assert coming
    assert coming.said.endswith("; the chain says height 1,010")


def test_the_chain_is_asked_seldom_and_may_be_silent(node: Node) -> None:
    """Once in a while, whatever it answers; its silence takes nothing from the ladder."""
    node.chain.silent = True
    views = [node.observe(900) for _ in range(int(2 * ASK / 2))]

    assert 2 == node.chain.asked
    assert all(view.coming and view.coming.name == "next" for view in views)


def test_a_halted_daemon_is_started_anew_when_the_binary_is_here(node: Node) -> None:
    """Ended or a zombie, at its own height or one below: at once, and not again before the pause is over."""
    node.observe(999)
    node.halts("next", 1000)
    waiting = node.observe(1000)
    node.bring("0.62.0")
    first, second = node.observe(999), node.observe(1000)
    later = node.observe(1000, AGAIN)

    assert ("halted for upgrade next at height 1,000: 0.62.0 MISSING", False) == (waiting.halted, waiting.restart)
    assert "halted for upgrade next at height 1,000: 0.62.0 verified" == first.halted
    assert [True, False, True] == [first.restart, second.restart, later.restart]


def test_a_halt_for_an_unknown_plan_waits_for_a_person(node: Node) -> None:
    """There is nothing to start: the plan is named, and what to type."""
    node.halts("surprise", 950)
    view = node.observe(949)

    assert ("halted for upgrade surprise at height 950, which no ladder names: goldnode fetch", False) == (
        view.halted,
        view.restart,
    )


def test_a_plan_that_is_over_halts_nobody(node: Node) -> None:
    """The daemon's file stays for ever: neither the version that runs, nor what was skipped, nor the past is a halt."""
    node.halts("next", 1000)
    passed = node.observe(1001)
    write_json(node.facts.layout.started, {"version": "0.62.0", "rung": "next"})
    first_block = node.observe(1000)
    write_json(node.facts.layout.rollback, {"version": BASE, "skip": "1000", "rung": "next"})
    skipped = node.observe(1000)

    assert ("", "", "") == (passed.halted, first_block.halted, skipped.halted)
    assert ("0.62.0", BASE) == (first_block.version, skipped.version)


def test_a_release_without_a_vote_is_seen_in_the_log(tmp_path: Path) -> None:
    """The daemon stopped at the ladder's halt height by its own word: preflight learns the height, and chooses anew."""
    node = Node(tmp_path, replace(NEXT, halt_height=1000))
    node.bring("0.62.0")
    node.tree.system.logs[node.facts.layout.unit] = "halt per configuration height 999 time 0"
    early = node.observe(998)
    node.tree.system.logs[node.facts.layout.unit] += "\nhalt per configuration height 1000 time 0"
    view = node.observe(998)

    assert ("", False) == (early.halted, early.restart)
    assert ("halted for next", True) == (view.halted, view.restart)
    assert 999 == upgrades.seen(node.facts.layout).height


def test_the_height_is_kept_seldom_and_at_every_look_when_it_counts(node: Node) -> None:
    """A file at every block would wear disks out; two hundred blocks before the height it is kept at each look."""
    kept = []
    for height in (100, 120, 149, 150, 810, 811):
        node.observe(height)
        kept.append(upgrades.seen(node.facts.layout).height)

    assert [100, 100, 100, 150, 810, 811] == kept


def test_a_chain_without_upgrades_is_not_watched(tmp_path: Path) -> None:
    """CometBFT alone knows none: nothing is asked, nothing is told."""
    tree, chain = Tree(tmp_path / "machine"), Chain()
    tree.node_yaml("sentry", Cluster().invite("sentry"), "s-1")
    found, _ = tree.configure()
    watch = UpgradeWatch(read_image(tree.layout), tree.system, chain)
    health = Health(NodeState.FOLLOWING, healthy=True, height=9)

    assert View() == watch.observe(found.facts["s-1"], health, 1.0)
    assert 0 == chain.asked


def test_metrics_tell_what_comes_and_how_far_the_tip_is(node: Node) -> None:
    """Height, blocks to go and readiness of the next version; way, part and blocks behind of a node that catches up."""
    node.bring("0.62.0")
    health = Health(NodeState.SYNCING, healthy=False, height=900)
    report = NodeReport("s-1", "sentry", "1" * 40, health, "", False, (), "", 0, (), None, upgrades=node.observe(900))
    pages = [
        exposition.merge([metrics.families([replace(report, reached=reached)], {}, metrics.MachineView(1.0), 9.0)])
        for reached in (Reached("state-sync", 0.3), Reached("blocks", behind=3400), Reached())
    ]
    told = [dict(line.rsplit(" ", 1) for line in page.splitlines() if line[0] != "#") for page in pages]
    labels = f'node="s-1",role="sentry",node_id="{"1" * 40}"'
    upgrade = f'{labels},upgrade="next"'

    assert ["1000", "100", "1"] == [
        told[0][f"goldnode_upgrade_{name}{{{upgrade}}}"] for name in ("height", "blocks", "ready")
    ]
    assert ("1", "0.3") == (
        told[0][f'goldnode_catch_up{{{labels},way="state-sync"}}'],
        told[0][f"goldnode_catch_up_part{{{labels}}}"],
    )
    assert ["0", "3400", "0"] == [each[f"goldnode_blocks_behind{{{labels}}}"] for each in told]
    assert not [name for name in itertools.chain(told[2]) if name.startswith("goldnode_catch_up")]
