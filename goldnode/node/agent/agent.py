"""The agent: one loop over all nodes of the machine, reconciling every two seconds.

It brings the roster into plan and firewall, lets each supervisor act, publishes the present state in each
record, and informs people.  It restarts sentries when their role allows, and never a validator.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from goldnode.discovery.alarm import Alarm, AlarmKind
from goldnode.discovery.exchange import Exchange
from goldnode.errors import HostError, SafetyError
from goldnode.files import sha256_file, write_atomic, write_json
from goldnode.node import catch_up, cluster, continuation, in_force, node_files, preflight, scrub
from goldnode.node.agent import block_gap, console, hosted, metrics, metrics_page, watch_rules
from goldnode.node.agent.block_gap import PendingRestart
from goldnode.node.agent.health import NodeState
from goldnode.node.agent.record_builder import RecordBuilder
from goldnode.node.agent.rpc import LoopbackRpc, Rpc
from goldnode.node.agent.supervisor import AT_TIP, NodeReport, Supervisor
from goldnode.node.agent.vitals import Vitals, VitalsWatch
from goldnode.node.configure import ConfiguredMachine, warnings
from goldnode.node.jvm import jvm_host
from goldnode.node.jvm.jvm_host import JvmHost
from goldnode.node.layout import Layout
from goldnode.node.observe.alerting import Alerting, Notice
from goldnode.node.observe.notify import Messenger, Sender
from goldnode.node.orders.clerk import Clerk
from goldnode.node.orders.journal import Journal
from goldnode.node.orders.verbs import Bench, NodeView
from goldnode.node.plan.plan import plan
from goldnode.node.plan.ports import METRICS
from goldnode.node.system import apply, machine
from goldnode.node.system.system import System
from goldnode.node.versions import deferred

#: Seconds between two reconciliations.
INTERVAL = 2.0
#: The same shortly after the machine started, while somebody waits for its nodes; and for how many seconds.
SOON, AT_FIRST = 0.5, 60.0
#: Seconds between console lines about a node on its way to the tip.
PROGRESS_EVERY = 60.0


@dataclass(slots=True)
class Agent:
    """The agent of one machine.

    Attributes:
        layout: The machine's paths.
        found: The configured machine.
        system: The running machine.
        clock: Unix seconds.
        since_power_on: Seconds since power-on.
        rpc: Gives the RPC on a port.
        host: The JVM host, on a machine that has one.
    """

    layout: Layout
    found: ConfiguredMachine
    system: System
    clock: Callable[[], float] = time.time
    since_power_on: Callable[[], float] = machine.seconds_since_power_on
    rpc: Callable[[int], Rpc] = LoopbackRpc
    host: JvmHost = field(default_factory=JvmHost)
    reports: dict[str, NodeReport] = field(default_factory=dict)
    vitals: dict[str, Vitals] = field(default_factory=dict)
    alarms: set[Alarm] = field(default_factory=set)
    _supervisors: dict[str, Supervisor] = field(default_factory=dict)
    _watches: dict[str, VitalsWatch] = field(default_factory=dict)
    _record_builders: dict[str, RecordBuilder] = field(default_factory=dict)
    _clerks: dict[str, Clerk] = field(default_factory=dict)
    _exchanges: dict[str, Exchange] = field(default_factory=dict)
    _pending: dict[str, PendingRestart] = field(default_factory=dict)
    _ready: set[str] = field(default_factory=set)
    _told: dict[str, float] = field(default_factory=dict)
    _alerting: Alerting = field(default_factory=Alerting)
    _notify: Callable[[Notice], None] = field(default=lambda _: None)
    _began: float = 0.0
    _looked: float = 0.0
    #: Unix seconds at power-on, by the clock of the first round.
    _offset: float | None = None

    def __post_init__(self) -> None:
        self._began = self.since_power_on()
        image, mesh, host = self.found.image, self.found.config.mesh, machine.read(self.layout)
        genesis = image.network.genesis.sha256 if image.network.genesis else ""
        if not genesis and image.genesis.exists():
            genesis = sha256_file(image.genesis)
        for name, facts in self.found.facts.items():
            try:
                with node_files.contained(facts.layout):
                    clerk = self._clerk(name, host.binding)
            except (SafetyError, HostError) as fault:
                # Its folder was damaged since it was configured; the next boot refuses it, and siblings are cared for.
                self.reports[name] = hosted.refused(name, facts.role.name, fault)
                continue
            self._clerks[name] = clerk
            rpc = self.rpc(facts.ports.rpc)
            self._supervisors[name] = Supervisor(facts, image, mesh, self.system, rpc)
            self._watches[name] = VitalsWatch(rpc, partial(_space, facts.layout.home))
            self._record_builders[name] = RecordBuilder(image.network.chain_id, genesis, mesh, host, clerk.journal.life)
        roles = {entry.name: entry.role for entry in self.found.config.nodes}
        for name, error in self.found.failures.items():
            self.reports[name] = hosted.refused(name, roles[name], error)

    def run(self, stop: threading.Event) -> None:
        """Reconcile every two seconds, more often at first, until told to stop."""
        with contextlib.ExitStack() as stack:
            for name, membership in self.found.memberships.items():
                self._exchanges[name] = stack.enter_context(Exchange(membership, self.found.config.rendezvous))
            if self.found.config.notify:
                self._notify = stack.enter_context(Messenger(self.found.config.notify, self._sender())).put
            while not stop.is_set() and not self._outdated():
                address = self._page_address()
                with metrics_page.serving(address, METRICS, self.page):
                    while not stop.is_set() and not self._outdated() and address == self._page_address():
                        self.reconcile()
                        self._rest(stop)

    def pause(self) -> float:
        """Seconds until the next round."""
        young = self.since_power_on() - self._began < AT_FIRST
        return SOON if young and self._supervisors.keys() - self._ready else INTERVAL

    def _rest(self, stop: threading.Event) -> None:
        """Let the time until the next round pass, and look for the moment of restarts that wait for one."""
        end = self.since_power_on() + self.pause()
        while self._pending and self.since_power_on() < end and not stop.wait(block_gap.EVERY):
            self.restart_pending()
        stop.wait(max(0.0, end - self.since_power_on()))

    def restart_pending(self) -> None:
        """Restart what an order said should restart, and whose moment this is."""
        now = self.since_power_on()
        for name, pending in list(self._pending.items()):
            node = self.layout.node(name)
            # Whoever stopped or started it since has done so with the new settings.
            over = any(map(os.path.lexists, (node.hold, node.paused))) or preflight.passed(node) != pending.passed
            if not over and pending.due(now):
                self._go_on(name, pending)
                self.system.restart(node.unit)
                over = True
            if over:
                del self._pending[name]

    def _go_on(self, name: str, pending: PendingRestart) -> None:
        """Let a validator's next daemon sign at once, if the one that ends just did and nobody else claims its key."""
        supervisor = self._supervisors[name]
        if pending.after and not supervisor.alarms and not supervisor.facts.leased:
            node, now = supervisor.facts.layout, self.since_power_on()
            with contextlib.suppress(SafetyError, HostError), node_files.contained(node):
                continuation.grant(node, passed=pending.passed, height=pending.after, now=now)

    def reconcile(self) -> None:
        """Bring every node to the state that its role asks for, once."""
        now = self.clock()
        self._take_roster(now)
        waits_for = "waiting for the daemon to be fetched" if deferred.missing(self.layout) else ""
        units = self.system.units(*(supervisor.facts.layout.unit for supervisor in self._supervisors.values()))
        offset = now - self.since_power_on()
        self._offset = offset if self._offset is None else self._offset
        for name, supervisor in self._supervisors.items():
            supervisor.jumped = offset - self._offset
            try:
                with node_files.contained(supervisor.facts.layout):
                    self._stop_clone(name, supervisor)
                    report = supervisor.reconcile(now, units[supervisor.facts.layout.unit], waits_for)
                    self.found.memberships[name].publish(
                        self._record_builders[name].facts(supervisor.facts, report, now)
                    )
                    own = report.key.address if report.key else ""
                    self.vitals[name] = self._watches[name].observe(supervisor.facts, report.health, own, now)
            except (SafetyError, HostError) as error:
                # Something of this node was damaged since: its siblings are still cared for, and its record stays.
                report = hosted.refused(name, supervisor.facts.role.name, error)
            self._attend(name, report, now)
            self._tell(name, report)
        for report in hosted.reports(self.found.image.network, self.found.hosted, self.host):
            self._tell(report.name, report)
        self._looked = self.since_power_on()
        self._write_status()
        self._alert(now)
        scrub.scrub_cloud_init(self.layout)

    def _outdated(self) -> bool:
        """Whether the daemon's default configuration was fetched since: then systemd restarts the agent with it."""
        return not self.found.image.defaults and (self.layout.library / "defaults" / "config.toml").exists()

    def page(self) -> str:
        """The one page of the machine: ours, then what its programs say of themselves."""
        own = metrics.families(list(self.reports.values()), dict(self.vitals), self._machine(), self.clock())
        return metrics_page.gathered(own, self._sources())

    def _machine(self) -> metrics.MachineView:
        """What is true of the machine as a whole."""
        exchanges = list(self._exchanges.values())
        offsets = [offset for each in exchanges if (offset := each.clock_offset()) is not None]
        return metrics.MachineView(
            uptime=self.since_power_on(),
            alarms=frozenset(self.alarms),
            rendezvous={url: good for each in exchanges for url, good in each.reachable().items()},
            clock_offset=min(offsets, key=abs, default=None),
            debian=self.found.image.debian,
            look_age=self.since_power_on() - self._looked,
            alerts=tuple(self._alerting.told()),
        )

    def _sender(self) -> Sender:
        """Who tells people: this machine's nodes, of their cluster."""
        fingerprints = sorted({facts.fingerprint for facts in self.found.facts.values()})
        return Sender(", ".join(self.found.facts), "".join(fingerprints))

    def _alert(self, now: float) -> None:
        """Tell people what they asked to be told."""
        found = watch_rules.alerts(list(self.reports.values()), self.vitals, self._machine(), now)
        for notice in self._alerting.observe(found, self.since_power_on()):
            self._notify(notice)

    def _sources(self) -> list[metrics_page.PageSource]:
        """The programs of this machine that have a page."""
        sources = [
            metrics_page.PageSource(
                each.facts.ports.prometheus,
                {"node": name, "role": each.facts.role.name, "node_id": each.facts.node_id},
            )
            for name, each in self._supervisors.items()
        ]
        jvm = [metrics_page.PageSource(jvm_host.METRICS, only=metrics_page.JVMS)] if self.found.hosted else []
        return [*sources, *jvm, metrics_page.PageSource(metrics_page.HOST_PORT, only=metrics_page.HOSTS)]

    def _page_address(self) -> str:
        """The address for metrics: loopback, unless node.yaml lets somebody else read them."""
        return "::" if any(entry.metrics for entry in self.found.config.nodes) else "127.0.0.1"

    def _clerk(self, name: str, binding: str) -> Clerk:
        node = self.layout.node(name)
        bench = Bench(
            self.layout, node, self.system, binding, lambda text: self._reconfigure(name, text),
            lambda: self._restart(name),
        )  # fmt: skip
        return Clerk(bench, self.found.memberships[name], Journal.open(node.orders, binding), self.system.say)

    def _reconfigure(self, name: str, text: str) -> bool:
        """Put another node.yaml in force, by order; returns whether a node's daemon must restart to read it."""
        found = in_force.prove(self.layout, text, self.found.image, self.system)
        changes = in_force.replace(self.layout, text, found, self.system)
        self.found.config = found.config
        for each, supervisor in self._supervisors.items():
            if each in found.facts:
                supervisor.facts = found.facts[each]
        config = self.layout.node(name).home / "config"
        return any(path.parent == config for path in changes.files)

    def _restart(self, name: str) -> None:
        """Restart a node's daemon, by order; a validator's as soon as it has just signed."""
        supervisor = self._supervisors[name]
        if supervisor.facts.role.consensus_key:
            self._pending[name] = PendingRestart(
                supervisor.rpc, self.since_power_on(), preflight.passed(supervisor.facts.layout)
            )
        else:
            self.system.restart(supervisor.facts.layout.unit)

    def _attend(self, name: str, report: NodeReport, now: float) -> None:
        """Let the node's clerk attend to its orders."""
        health = report.health
        document = {**console.document(report), "chain_id": self.found.image.network.chain_id}
        crashing = health.state in (NodeState.CRASHING, NodeState.REFUSED)
        view = NodeView(
            health.healthy, health.state in AT_TIP, crashing, report.paused, console.headline(report), document
        )
        self._clerks[name].attend(view, now)

    def _take_roster(self, now: float) -> None:
        """Plan and apply again if a member joined, left, or loaded private peers, or if a state sync begins or ends."""
        changed = False
        for name, supervisor in self._supervisors.items():
            members = cluster.members(self.found.memberships[name])
            trust = catch_up.trust_of(supervisor.facts.layout)
            if (members, trust) != (supervisor.facts.members, supervisor.facts.trust):
                seen = supervisor.seen_height(members, now)
                supervisor.facts = replace(supervisor.facts, members=members, trust=trust, seen_height=seen)
                changed = True
        if changed:
            facts = [supervisor.facts for supervisor in self._supervisors.values()]
            apply.apply(plan(self.found.config, self.found.image, facts, self.layout), self.system)

    def _stop_clone(self, name: str, supervisor: Supervisor) -> None:
        """Stop a validator whose identity a second machine has, until a person says which one is right."""
        own = Alarm(AlarmKind.CLONE, supervisor.facts.node_id)
        node = supervisor.facts.layout
        if (
            supervisor.facts.role.consensus_key
            and own in self.found.memberships[name].alarms()
            and not node.hold.exists()
        ):
            write_atomic(node.hold, "another machine has this node's identity\n")
            self.system.stop(node.unit)
            self.system.say(f"{name} STOPPED: another machine has its identity; goldnode start {name} when it is off")

    def _tell(self, name: str, report: NodeReport) -> None:
        before = self.reports.get(name)
        self.reports[name] = report
        answers = report.health.node_id == report.node_id and self._published(name)
        if name not in self._ready and (answers or report.health.state is NodeState.RUNNING):
            self._ready.add(name)
            self.system.say(console.ready(report, self.since_power_on()))
        elif console.changed(before, report) or self._progress_is_due(report):
            self._told[name] = self.clock()
            self.system.say(console.headline(report))
            lines = [console.headline(each) for each in self.reports.values()]
            for place in ("/run/issue.d/goldnode.issue", "/run/motd.d/goldnode"):
                write_atomic(self.layout.at(place), console.banner(lines))
            self.system.reload_login()

    def _progress_is_due(self, report: NodeReport) -> bool:
        return bool(report.progress) and self.clock() - self._told.get(report.name, 0.0) >= PROGRESS_EVERY

    def _published(self, name: str) -> bool:
        exchange = self._exchanges.get(name)
        return exchange is not None and exchange.published()

    def _write_status(self) -> None:
        alarms = {alarm for each in self._exchanges.values() for alarm in each.alarms()}
        alarms |= {alarm for supervisor in self._supervisors.values() for alarm in supervisor.alarms}
        for alarm in sorted(alarms - self.alarms, key=str):
            self.system.say(f"alarm: {alarm}")
        self.alarms = alarms
        document = {
            "version": 1,
            "time": round(self.clock(), 1),
            "since_power_on": round(self.since_power_on(), 1),
            "nodes": [{**console.document(r), "ready": r.name in self._ready} for r in self.reports.values()],
            "alarms": sorted(str(alarm) for alarm in alarms),
            "warnings": list(warnings(self.found)),
            "debian": dict(self.found.image.debian),
        }
        write_json(self.layout.status, document)


def _space(home: Path) -> tuple[int, int]:
    """Bytes free, and in all, where a node's home is.

    Raises:
        HostError: The folder is gone or damaged.
    """
    try:
        usage = shutil.disk_usage(home)
    except OSError as error:
        raise HostError(f"{home} cannot be looked at: {error}") from error
    return usage.free, usage.total
