"""What `./invoke bench catch-up` makes of a node's metrics; the machines themselves are the measurement."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.catch_up import BOOT, START, WAYS, CatchUpReport, MeasuredWay, make, phase, spent
from goldnode.fleet import state
from goldnode.node.agent import metrics
from goldnode.node.agent.health import Health, NodeState
from goldnode.node.agent.supervisor import NodeReport
from goldnode.node.observe import exposition
from goldnode.node.plan.catch_up import Reached
from goldnode.vm import accel


def page(state: NodeState, reached: Reached) -> str:
    """What a machine's node answers."""
    health = Health(state, healthy=True, height=9)
    report = NodeReport("s-1", "sentry", "1" * 40, health, "", False, (), "", 0, (), None, reached=reached)
    return exposition.merge([metrics.families([report], {}, metrics.MachineView(1.0), 9.0)])


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        ("", BOOT),
        (page(NodeState.STOPPED, Reached("asking")), "whom to trust"),
        (page(NodeState.STARTING, Reached()), START),
        (page(NodeState.SYNCING, Reached("state-sync", 0.5)), "state sync"),
        (page(NodeState.STOPPED, Reached("snapshot", 0.5)), "snapshot"),
        (page(NodeState.SYNCING, Reached("blocks", behind=9)), "blocks"),
        (page(NodeState.STOPPED, Reached("given-up")), "given-up"),
        (page(NodeState.FOLLOWING, Reached()), ""),
    ],
)
def test_a_phase_is_read_from_the_nodes_own_metrics(shown: str, expected: str) -> None:
    """Silence is the boot, the tip is nothing, and in between the node says itself what it does."""
    assert expected == phase(shown)


def test_the_time_is_told_by_phase() -> None:
    """A phase that comes twice counts once, and all of them make up the whole."""
    found = spent([(0.0, BOOT), (40.0, START), (44.0, "blocks"), (50.0, START), (51.0, "blocks")], 60.0)

    assert {BOOT: 40.0, START: 5.0, "blocks": 15.0} == found


def test_every_way_is_measured_against_the_replay() -> None:
    """Ratios hold where seconds do not."""
    ways = (
        MeasuredWay("state-sync", 50.0, {BOOT: 50.0}, 1010),
        MeasuredWay("replay", 100.0, {BOOT: 60.0, "blocks": 40.0}, 1090),
    )
    report = CatchUpReport(1000, ways, "tcg", 0.5)

    assert [0.5, 1.0] == [each["of_replay"] for each in report.document()["ways"].values()]
    assert ("replay", "100 s", "1.00", f"{BOOT} 60 s, blocks 40 s") == report.rows()[1]


def test_its_fleet_is_on_the_disk_like_any_other(tmp_path: Path) -> None:
    """What switches a machine on or off changes what is on the disk: there must be something."""
    made = make(tmp_path, "localwasm", accel.Acceleration(accel.Accelerator.TCG, "max", ""))

    made.change(lambda known: known.on("by-replay", 1.0))

    assert {"by-replay": 1.0} == state.read(tmp_path).powered_on
    assert [f"by-{way}" for way in WAYS] == [vm.name for vm in made.state.vms]
