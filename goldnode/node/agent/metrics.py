"""What the agent tells Prometheus of its nodes and of its machine; pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from goldnode.discovery.alarm import Alarm
from goldnode.node.agent.health import NodeState
from goldnode.node.agent.supervisor import NodeReport
from goldnode.node.agent.vitals import ValidatorView, Vitals
from goldnode.node.observe.alerting import Alert
from goldnode.node.observe.exposition import MetricFamily, label
from goldnode.node.plan.upgrade import Binary

#: What each metric is; a page has no other of ours.
HELP = {
    "goldnode_healthy": "1 when the node needs no attention",
    "goldnode_state": "1 for the state the node is in",
    "goldnode_restarts": "Times it was restarted after it had ended by itself",
    "goldnode_height": "Latest block",
    "goldnode_block_age_seconds": "Seconds since the latest block; -1 while unknown",
    "goldnode_peers": "Peers connected",
    "goldnode_wanted_peers_missing": "Peers of the own cluster that should be connected and are not",
    "goldnode_signed_height": "Height the consensus key signed last",
    "goldnode_lease_held": "1 when the signing lease is held, as its keeper says; 0 for a node that was stopped",
    "goldnode_lease_first_height": "First height that the lease lets sign; 0 without a grant",
    "goldnode_lease_last_height": "Last height that the lease lets sign; 0 without a grant",
    "goldnode_lease_renewal_age_seconds": "Seconds since the lease's store last took a write; -1 for never",
    "goldnode_private_peers": "Validators loaded as private peers",
    "goldnode_members": "Other members of the cluster",
    "goldnode_catch_up": "1 for the way by which the node is getting to the tip; absent at the tip",
    "goldnode_catch_up_part": "How much of a snapshot is here, 0 to 1",
    "goldnode_blocks_behind": "Blocks behind the tip, by the age of the latest; 0 at the tip",
    "goldnode_version_info": "1 for the version of the daemon that runs",
    "goldnode_upgrade_height": "First height of the next version, as ladder or chain say",
    "goldnode_upgrade_blocks": "Blocks until the next version",
    "goldnode_upgrade_ready": "1 when the next version's binary is here and what it should be",
    "goldnode_paused": "1 while a person, an order or a safety rule keeps it stopped",
    "goldnode_peer_missing": "1 for a peer of the own cluster that should be connected and is not",
    "goldnode_validator_signing": "1 when its signature is in one of the last three commits; absent while not expected",
    "goldnode_validator_missed_blocks": "Blocks of the chain's window that the validator did not sign",
    "goldnode_validator_window_blocks": "Blocks that the chain looks back",
    "goldnode_validator_allowed_blocks": "Missed blocks of the window at which it is not yet jailed",
    "goldnode_validator_blocks_left": "Blocks that it may still miss before it is jailed",
    "goldnode_validator_jailed": "1 while the chain has it jailed",
    "goldnode_validator_tombstoned": "1 when it signed twice and never signs again",
    "goldnode_validator_bonded": "1 while it is in the validator set",
    "goldnode_validator_tokens": "What is staked with it, in the chain's smallest unit",
    "goldnode_disk_free_bytes": "Bytes free where the node's home is",
    "goldnode_disk_size_bytes": "Bytes in all there",
    "goldnode_disk_days_left": "Days until that disk is full, as it filled in the last day; absent while it does not",
    "goldnode_rendezvous_reachable": "1 while a rendezvous answers",
    "goldnode_alarm": "1 for each problem with the cluster or the rendezvous",
    "goldnode_alert": "1 for each alert that the machine tells of by itself, docs/alerts.md",
    "goldnode_clock_offset_seconds": "Seconds that this machine's clock is ahead of the rendezvous' clock",
    "goldnode_debian_date": "Day the image's Debian packages are of, unix seconds",
    "goldnode_agent_look_age_seconds": "Seconds since the agent last looked after its nodes",
    "goldnode_alarms": "Problems with the cluster or the rendezvous",
    "goldnode_uptime_seconds": "Seconds since power-on",
}


@dataclass(frozen=True, slots=True)
class MachineView:
    """What is true of the machine as a whole.

    Attributes:
        uptime: Seconds since power-on.
        alarms: Problems with the cluster or the rendezvous.
        rendezvous: Whether each answers, by URL.
        clock_offset: Seconds that this machine's clock is ahead of a rendezvous'; None while none has answered.
        debian: Suite, date and snapshot of the image's Debian packages; empty where it does not say.
        look_age: Seconds since the agent looked.
        alerts: What it tells people of by itself.
    """

    uptime: float
    alarms: frozenset[Alarm] = frozenset()
    rendezvous: Mapping[str, bool] = field(default_factory=dict)
    clock_offset: float | None = None
    debian: Mapping[str, str] = field(default_factory=dict)
    look_age: float = 0.0
    alerts: tuple[Alert, ...] = ()


class _Page:
    """Families of ours, each with its help."""

    def __init__(self) -> None:
        self.families: dict[str, MetricFamily] = {}

    def add(self, name: str, value: float, **labels: str) -> None:
        """One sample of a metric that has a help."""
        family = self.families.setdefault(name, MetricFamily(HELP[name], "gauge"))
        written = ",".join(f'{key}="{label(each)}"' for key, each in labels.items())
        family.samples.append(f"{name}{{{written}}} {_number(value)}" if written else f"{name} {_number(value)}")


def families(
    reports: Iterable[NodeReport], vitals: Mapping[str, Vitals], machine: MachineView, now: float
) -> dict[str, MetricFamily]:
    """Everything of ours.

    Args:
        reports: One for each node.
        vitals: What else was seen, by the node's name.
        machine: The machine as a whole.
        now: Unix seconds.
    """
    page = _Page()
    for report in reports:
        labels = {"node": report.name, "role": report.role, "node_id": report.node_id}
        _health(page, report, labels)
        if report.node_id:  # of one that is refused, or in the JVM, there is no chain to tell of
            _chain(page, report, labels)
            _upgrade(page, report, labels)
            _key(page, report, labels, now)
        if found := vitals.get(report.name):
            _vitals(page, found, labels)
    _machine(page, machine)
    return page.families


def _health(page: _Page, report: NodeReport, labels: dict[str, str]) -> None:
    page.add("goldnode_healthy", report.health.healthy, **labels)
    page.add("goldnode_paused", report.paused, **labels)
    for state in NodeState:
        page.add("goldnode_state", state is report.health.state, **labels, state=state.value)
    page.add("goldnode_restarts", report.restarts, **labels)


def _chain(page: _Page, report: NodeReport, labels: dict[str, str]) -> None:
    health = report.health
    page.add("goldnode_height", health.height, **labels)
    page.add("goldnode_block_age_seconds", round(health.age, 3), **labels)
    page.add("goldnode_peers", health.peers, **labels)
    page.add("goldnode_wanted_peers_missing", len(health.missing), **labels)
    page.add("goldnode_private_peers", len(report.loaded), **labels)
    page.add("goldnode_members", report.members, **labels)
    if way := report.reached.way:
        page.add("goldnode_catch_up", 1.0, **labels, way=way)
        page.add("goldnode_catch_up_part", round(report.reached.part, 3), **labels)
    page.add("goldnode_blocks_behind", report.reached.behind, **labels)


def _upgrade(page: _Page, report: NodeReport, labels: dict[str, str]) -> None:
    if report.upgrades.version:
        page.add("goldnode_version_info", 1.0, **labels, version=report.upgrades.version)
    if coming := report.upgrades.coming:
        named = {**labels, "upgrade": coming.name}
        page.add("goldnode_upgrade_height", coming.height, **named)
        page.add("goldnode_upgrade_blocks", coming.blocks, **named)
        page.add("goldnode_upgrade_ready", coming.binary is Binary.VERIFIED, **named)


def _key(page: _Page, report: NodeReport, labels: dict[str, str], now: float) -> None:
    if lease := report.lease:
        age = now - lease.renewed if lease.renewed else -1.0
        page.add("goldnode_lease_held", lease.state == "held", **labels)
        page.add("goldnode_lease_first_height", lease.lo, **labels)
        page.add("goldnode_lease_last_height", lease.hi, **labels)
        page.add("goldnode_lease_renewal_age_seconds", round(age, 1), **labels)
    if report.key:
        page.add("goldnode_signed_height", report.key.height, **labels)


def _vitals(page: _Page, vitals: Vitals, labels: dict[str, str]) -> None:
    for name, node_id in vitals.missing:
        page.add("goldnode_peer_missing", 1.0, **labels, peer=name, peer_id=node_id)
    if vitals.disk:
        page.add("goldnode_disk_free_bytes", vitals.disk.free, **labels)
        page.add("goldnode_disk_size_bytes", vitals.disk.size, **labels)
        if vitals.disk.days is not None:
            page.add("goldnode_disk_days_left", round(vitals.disk.days, 2), **labels)
    for validator in vitals.validators:
        _validator(page, validator, labels)


def _validator(page: _Page, seen: ValidatorView, labels: dict[str, str]) -> None:
    named = {**labels, "validator": seen.name, "address": seen.address}
    if seen.signing is not None:
        page.add("goldnode_validator_signing", seen.signing, **named)
    if state := seen.slashing:
        page.add("goldnode_validator_missed_blocks", state.missed, **named)
        page.add("goldnode_validator_window_blocks", state.window, **named)
        page.add("goldnode_validator_allowed_blocks", state.allowed, **named)
        page.add("goldnode_validator_blocks_left", state.left, **named)
        page.add("goldnode_validator_jailed", state.jailed, **named)
        page.add("goldnode_validator_tombstoned", state.tombstoned, **named)
        page.add("goldnode_validator_bonded", state.bonded, **named)
        page.add("goldnode_validator_tokens", state.tokens, **named)


def _machine(page: _Page, machine: MachineView) -> None:
    for url, reachable in sorted(machine.rendezvous.items()):
        page.add("goldnode_rendezvous_reachable", reachable, rendezvous=url)
    for alarm in sorted(machine.alarms):
        page.add("goldnode_alarm", 1.0, kind=alarm.kind.value, subject=alarm.subject)
    for alert in machine.alerts:
        named = {"alert": alert.name, "subject": alert.subject, "severity": alert.severity.value}
        page.add("goldnode_alert", 1.0, **named, summary=alert.summary)
    page.add("goldnode_alarms", len(machine.alarms))
    if machine.clock_offset is not None:
        page.add("goldnode_clock_offset_seconds", round(machine.clock_offset, 3))
    if debian := machine.debian:
        day = datetime.fromisoformat(debian["date"]).replace(tzinfo=UTC)
        page.add("goldnode_debian_date", day.timestamp(), suite=debian["suite"], snapshot=debian.get("snapshot", ""))
    page.add("goldnode_agent_look_age_seconds", round(machine.look_age, 1))
    page.add("goldnode_uptime_seconds", round(machine.uptime, 1))


def _number(value: float) -> str:
    """As few digits as say it all: a height of nine digits is no 1.23457e+08."""
    return repr(int(value)) if float(value).is_integer() else repr(float(value))
