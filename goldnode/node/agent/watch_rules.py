"""What a machine tells its people of by itself (`notify:`): the alerts of monitoring/alerts.yml that it can see; pure.

For clusters that nobody scrapes, and for the hour in which the monitoring is down.  Names, times and meanings are those
of Prometheus' rules, so docs/alerts.md holds for both.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from goldnode.discovery.alarm import AlarmKind
from goldnode.node.agent.health import NodeState
from goldnode.node.agent.metrics import MachineView
from goldnode.node.agent.supervisor import NodeReport
from goldnode.node.agent.vitals import ValidatorView, Vitals
from goldnode.node.observe.alerting import Alert, Severity
from goldnode.node.plan.upgrade import Binary
from goldnode.node.preflight import FREE_BYTES

#: Seconds off at which a clock is wrong; seconds without a renewal at which a lease's store is gone.
OFF, UNRENEWED = 2.0, 45.0
#: Part of the blocks that may be missed at which a validator is near jail; part of a disk that is low.
NEAR, LOW = 0.5, 0.1
_RUNS = (NodeState.SIGNING, NodeState.NOT_SIGNING, NodeState.STALLED)
_DOWN = (NodeState.STOPPED, NodeState.STARTING, NodeState.CRASHING, NodeState.STUCK)


def alerts(
    reports: Iterable[NodeReport], vitals: Mapping[str, Vitals], machine: MachineView, now: float
) -> Iterator[Alert]:
    """Everything that holds at one look.

    Args:
        reports: One for each node.
        vitals: What else was seen, by the node's name.
        machine: The machine as a whole.
        now: Unix seconds.
    """
    wrong_clock = machine.clock_offset is not None and abs(machine.clock_offset) > OFF
    for report in reports:
        seen = vitals.get(report.name, Vitals())
        yield from _node(report, seen, wrong_clock=wrong_clock)
        yield from _disk(report.name, seen)
        yield from _lease_and_upgrade(report, now)
        for validator in seen.validators:
            yield from _validator(validator)
    if wrong_clock and machine.clock_offset is not None:
        yield Alert(
            "ClockWrong", "this machine", Severity.CRITICAL, f"the clock is {machine.clock_offset:+.1f} s off", 30
        )
    if machine.rendezvous and not any(machine.rendezvous.values()):
        urls = ", ".join(sorted(machine.rendezvous))
        yield Alert("RendezvousUnreachable", urls, Severity.WARNING, f"{urls} cannot be reached", 60)
    for alarm in machine.alarms:
        if alarm.kind in (AlarmKind.SAME_KEY, AlarmKind.CLONE):
            yield Alert("SameKey", alarm.subject, Severity.CRITICAL, str(alarm))
        elif alarm.kind not in (AlarmKind.UNREACHABLE, AlarmKind.CLOCK):
            yield Alert("ClusterAlarm", f"{alarm.kind} {alarm.subject}", Severity.WARNING, str(alarm))


def _node(report: NodeReport, seen: Vitals, *, wrong_clock: bool) -> Iterator[Alert]:
    name, health, why = report.name, report.health, f": {report.reason}" if report.reason else ""
    full = seen.disk is not None and seen.disk.free < FREE_BYTES
    if health.state is NodeState.REFUSED:
        yield Alert("NodeRefused", name, Severity.CRITICAL, f"{name} may not run{why}")
    elif health.state in _DOWN and not report.paused and not full:
        yield Alert("DaemonDown", name, Severity.CRITICAL, f"{name} is {health.state}{why}", 120)
    elif health.state is NodeState.STALLED and not wrong_clock:
        yield Alert("NodeStalled", name, Severity.CRITICAL, f"{name} gets no new block{why}", 60)
    elif health.node_id and not health.peers and not seen.missing:
        yield Alert("NoPeers", name, Severity.CRITICAL, f"{name} has no peer", 60)
    if report.reached.way == "given-up":
        yield Alert("CatchUpGivenUp", name, Severity.CRITICAL, f"{name} has no way to the tip{why}")
    for peer, _ in seen.missing:
        yield Alert("PeerMissing", f"{name} {peer}", Severity.WARNING, f"{name} is not connected to {peer}", 60)


def _disk(name: str, seen: Vitals) -> Iterator[Alert]:
    if seen.disk is None:
        return
    if seen.disk.free < FREE_BYTES:
        yield Alert("DiskFull", name, Severity.CRITICAL, f"{name} has {seen.disk.free >> 20} MiB left")
    elif seen.disk.free < LOW * seen.disk.size:
        yield Alert("DiskLow", name, Severity.WARNING, f"{name} has {seen.disk.free >> 20} MiB left", 300)


def _lease_and_upgrade(report: NodeReport, now: float) -> Iterator[Alert]:
    name, lease, coming = report.name, report.lease, report.upgrades.coming
    runs = report.health.state in _RUNS  # one that does not run renews nothing, and is told of as that
    if lease and runs and lease.state == "held" and lease.renewed and now - lease.renewed > UNRENEWED:
        said = f"the lease of {name} was not renewed for {now - lease.renewed:.0f} s: it soon stops signing"
        yield Alert("LeaseStoreUnreachable", name, Severity.CRITICAL, said)
    if coming and coming.binary is not Binary.VERIFIED:
        yield Alert("UpgradeNotReady", f"{name} {coming.name}", Severity.CRITICAL, f"{name}: {coming.said}", 60)


def _validator(seen: ValidatorView) -> Iterator[Alert]:
    name, state = seen.name, seen.slashing
    if seen.signing is False:
        yield Alert("ValidatorNotSigning", name, Severity.CRITICAL, f"{name} signs nothing", 30)
    if state is None:
        return
    if state.tombstoned:
        yield Alert("ValidatorTombstoned", name, Severity.CRITICAL, f"{name} signed twice: its key never signs again")
    elif state.jailed:
        yield Alert("ValidatorJailed", name, Severity.CRITICAL, f"{name} is jailed")
    elif state.missed > NEAR * (state.allowed + 1):
        said = f"{name} missed {state.missed} blocks, and is jailed in {state.left}"
        yield Alert("ValidatorNearJail", name, Severity.CRITICAL, said)
