"""What a machine tells by itself: the alerts of Prometheus' rules, by the same names and after the same time."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from goldnode.discovery.alarm import Alarm, AlarmKind
from goldnode.node.agent import watch_rules
from goldnode.node.agent.health import Health, NodeState
from goldnode.node.agent.lease_keeper import LeaseReport
from goldnode.node.agent.metrics import MachineView
from goldnode.node.agent.supervisor import NodeReport
from goldnode.node.agent.upgrade_watch import Coming, View
from goldnode.node.agent.vitals import ValidatorView, Vitals
from goldnode.node.observe.alerting import Alert
from goldnode.node.observe.disk import DiskView
from goldnode.node.observe.slashing import SlashingState
from goldnode.node.plan.catch_up import Reached
from goldnode.node.plan.upgrade import Binary
from goldnode.paths import REPOSITORY
from tests.support.agent_lab import World
from tests.support.node_lab import Tree

NOW = 1000.0
WELL = Health(NodeState.FOLLOWING, healthy=True, height=9, peers=3, node_id="1" * 40)
GOOD = NodeReport("s-1", "sentry", "1" * 40, WELL, "", False, (), "", 0, (), None)
FINE = Vitals(disk=DiskView(1 << 40, 1 << 41))
MACHINE = MachineView(9.0, rendezvous={"https://r": True, "https://q": False}, clock_offset=0.3)
COUNT = SlashingState(True, False, False, 0, 5, 100, 50, "07", "val-1", 9)
LEASE = LeaseReport("held", 1, 9, "etcd://e/g", fences=True, renewed=NOW - 46, reason="")
COMING = Coming("v32", 99, "32", 90, Binary.MISSING, "v32 at height 99: MISSING")


def _state(state: NodeState) -> NodeReport:
    return replace(GOOD, health=replace(WELL, state=state))


def _count(**changes: object) -> Vitals:
    view = ValidatorView("val-1", "AB", True, replace(COUNT, **changes))  # type: ignore[arg-type]
    return replace(FINE, validators=(view,))


#: What is seen, and the one alert that it is.
SEEN: dict[str, tuple[NodeReport, Vitals, MachineView]] = {
    "NodeRefused": (_state(NodeState.REFUSED), FINE, MACHINE),
    "DaemonDown": (replace(_state(NodeState.CRASHING), lease=LEASE), FINE, MACHINE),
    "NodeStalled": (_state(NodeState.STALLED), FINE, MACHINE),
    "NoPeers": (replace(GOOD, health=replace(WELL, peers=0)), FINE, MACHINE),
    "CatchUpGivenUp": (replace(GOOD, reached=Reached("given-up")), FINE, MACHINE),
    "PeerMissing": (GOOD, replace(FINE, missing=(("val-1", "2" * 40),)), MACHINE),
    "DiskFull": (_state(NodeState.STOPPED), replace(FINE, disk=DiskView(1 << 20, 1 << 41)), MACHINE),
    "DiskLow": (GOOD, replace(FINE, disk=DiskView(1 << 35, 1 << 41)), MACHINE),
    "LeaseStoreUnreachable": (replace(_state(NodeState.SIGNING), lease=LEASE), FINE, MACHINE),
    "UpgradeNotReady": (replace(GOOD, upgrades=View(coming=COMING)), FINE, MACHINE),
    "ValidatorNotSigning": (GOOD, replace(FINE, validators=(ValidatorView("val-1", "AB", False),)), MACHINE),
    "ValidatorNearJail": (GOOD, _count(missed=30), MACHINE),
    "ValidatorJailed": (GOOD, _count(jailed=True, missed=51), MACHINE),
    "ValidatorTombstoned": (GOOD, _count(jailed=True, tombstoned=True), MACHINE),
    "ClockWrong": (_state(NodeState.STALLED), FINE, replace(MACHINE, clock_offset=-60.0)),
    "RendezvousUnreachable": (GOOD, FINE, replace(MACHINE, rendezvous={"https://r": False})),
    "SameKey": (GOOD, FINE, replace(MACHINE, alarms=frozenset({Alarm(AlarmKind.SAME_KEY, "2", "a and b")}))),
    "ClusterAlarm": (GOOD, FINE, replace(MACHINE, alarms=frozenset({Alarm(AlarmKind.QUOTA, "2")}))),
}


def _alerts(report: NodeReport, vitals: Vitals, machine: MachineView) -> list[Alert]:
    return list(watch_rules.alerts([report], {report.name: vitals}, machine, NOW))


def test_what_is_well_is_no_alert() -> None:
    """A node at the tip, and one that a person stopped."""
    assert [] == _alerts(GOOD, FINE, MACHINE)
    assert [] == _alerts(replace(_state(NodeState.STOPPED), paused=True), FINE, MACHINE)


@pytest.mark.parametrize("name", SEEN)
def test_each_fault_is_its_alert_and_no_other(name: str) -> None:
    """One cause, one alert, with the severity and the time of Prometheus' rule of that name."""
    rules = yaml.safe_load((REPOSITORY / "monitoring" / "alerts.yml").read_text())["groups"]
    (rule,) = [rule for group in rules for rule in group["rules"] if rule["alert"] == name]

    (alert,) = _alerts(*SEEN[name])

    minutes = {"30s": 30.0, "1m": 60.0, "2m": 120.0, "5m": 300.0}
    wanted = rule["labels"]["severity"], minutes[rule["for"]] if "for" in rule else 0.0
    assert (name, *wanted) == (alert.name, alert.severity, alert.after)


def test_the_agent_tells_what_it_sees(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that is full is told at the next look, and that it is not any more after the calm."""
    world = World(Tree(tmp_path / "machine"), "sentry", monkeypatch)
    up, told = [50.0], list[tuple[str, bool]]()
    world.agent.since_power_on = lambda: up[0]
    world.agent._notify = lambda notice: told.append((notice.alert.name, notice.resolved))
    world.free = 1 << 20

    world.reconcile()
    world.free = 1 << 40
    for _ in range(4):
        up[0] += 10.0
        world.reconcile()

    assert [("DiskFull", False), ("DiskFull", True)] == told
