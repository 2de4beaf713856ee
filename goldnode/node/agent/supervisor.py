"""Keeps one node in the state that its role asks for: observes, decides by ``rules``, acts.

One supervisor per node, independent of the others.  The order within a round matters: what the daemon has
loaded is read before it is announced, and announced before a validator elsewhere relies on it.
"""

from __future__ import annotations

import base64
import contextlib
import logging
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from goldnode.config.choices import MeshKind
from goldnode.discovery.alarm import Alarm, AlarmKind
from goldnode.errors import GoldnodeError, HostError, SafetyError
from goldnode.files import write_atomic
from goldnode.node import cluster, node_files, preflight
from goldnode.node.agent import lease_keeper, rules
from goldnode.node.agent.explain import CONSENSUS_FAILURE, LAST_WORDS, TROUBLES, UNKNOWN, clock, explain, failure, jump
from goldnode.node.agent.health import Health, NodeState, probe
from goldnode.node.agent.lease_keeper import LeaseReport
from goldnode.node.agent.rpc import Rpc
from goldnode.node.agent.rules import Decision, PrivatePeers
from goldnode.node.agent.state_sync import Catcher
from goldnode.node.agent.upgrade_watch import UpgradeWatch, View
from goldnode.node.keys import keys, recovery
from goldnode.node.keys.claims import Judgement
from goldnode.node.keys.key_rules import KeyRecord, Recovery, Verdict, decide
from goldnode.node.plan.catch_up import Pace, Reached
from goldnode.node.plan.inputs import ImageFacts, NodeFacts
from goldnode.node.plan.meshes import wireguard
from goldnode.node.plan.peers import Member, dial, mesh_address
from goldnode.node.system.system import System
from goldnode.node.system.unit import Unit

log = logging.getLogger(__name__)

#: Free bytes below which a running daemon is stopped; above that the preflight lets it start again.
FULL_BYTES = preflight.FREE_BYTES // 2
DISK_FULL = f"stopped: the disk is almost full, and it starts again with {preflight.FREE_BYTES >> 20} MiB free: df -h"
#: States of a daemon that has all the chain's blocks.
AT_TIP = frozenset({NodeState.SIGNING, NodeState.NOT_SIGNING, NodeState.NOT_IN_SET, NodeState.FOLLOWING})


@dataclass(frozen=True, slots=True)
class NodeReport:
    """The present state of a node, for people and programs.

    Attributes:
        name: Its name.
        role: Its role.
        node_id: Its ID.
        health: Its daemon's health.
        reason: What it is waiting for, or why it does not run; empty if all is well.
        paused: Whether the operator stopped it until `goldnode start`.
        addresses: Where it can be dialled.
        mesh_address: Its address on the mesh.
        members: The number of other members of the cluster.
        loaded: Validators it has loaded as private peers.
        key: Its consensus key's record; None without one.
        public_key: That key's public half, base64, as chains want it to create a validator; empty without one.
        restarts: How often it was restarted after it had ended by itself.
        progress: Its progress on the way to the tip; empty at the tip.
        reached: The same in numbers.
        upgrades: The version that runs, and the next one.
        lease: Its signing lease, as its keeper last reported it; None for a node without one.
        alone: Whether it signs with a key on this machine and without a lease.
        announced: Its addresses and who named them, in words; empty for a role that announces none.
    """

    name: str
    role: str
    node_id: str
    health: Health
    reason: str
    paused: bool
    addresses: tuple[str, ...]
    mesh_address: str
    members: int
    loaded: tuple[str, ...]
    key: KeyRecord | None
    public_key: str = ""
    restarts: int = 0
    progress: str = ""
    reached: Reached = field(default_factory=Reached)
    upgrades: View = field(default_factory=View)
    lease: LeaseReport | None = None
    alone: bool = False
    announced: str = ""


@dataclass(slots=True)
class Supervisor:
    """Supervises one node.

    Attributes:
        facts: What is known about the node; replaced when the roster changes.
        image: What the bake put on the disk.
        mesh: What carries the mesh.
        system: The running machine.
        rpc: The daemon's RPC.
        missing_since: Since when each wanted peer has been missing.
        free: Free bytes on the filesystem that holds a path.
        alarms: What other members claim about its key, to be reported.
        jumped: Seconds by which this machine's clock was set forward since the agent started.
    """

    facts: NodeFacts
    image: ImageFacts
    mesh: MeshKind
    system: System
    rpc: Rpc
    missing_since: dict[str, float] = field(default_factory=dict)
    free: Callable[[Path], int] = field(default=lambda path: shutil.disk_usage(path).free)
    alarms: frozenset[Alarm] = frozenset()
    jumped: float = 0.0
    catcher: Catcher = field(init=False)
    watch: UpgradeWatch = field(init=False)
    _height: int = 0
    _pace: Pace = field(default_factory=Pace)
    _wanted: frozenset[str] = frozenset()
    _wanted_since: float = 0.0
    _dialled: float = 0.0
    _restarts: int = 0
    _ends: tuple[float, ...] = ()
    #: When a daemon had last passed its preflight, as of our last request to start one.
    _asked: int = -1

    def __post_init__(self) -> None:
        self.catcher = Catcher(self.image.network, self.system)
        self.watch = UpgradeWatch(self.image, self.system, self.rpc)

    def reconcile(self, now: float, unit: Unit, waits_for: str = "") -> NodeReport:
        """Observe the node, and do what its role asks for.

        Args:
            now: Unix seconds.
            unit: The state of its systemd unit.
            waits_for: Why no daemon of this machine may start yet; empty if they may.
        """
        node = self.facts.layout
        self._notice_roster(now)
        rival = self._judge(now).rival
        if rival and unit.active and not os.path.lexists(node.hold):
            write_atomic(node.hold, f"{rival} has the same consensus key\n")
            self.system.stop(node.unit)
            self.system.say(f"{node.name} STOPPED: {rival} has the same consensus key")
        paused = os.path.lexists(node.hold) or os.path.lexists(node.paused)
        reason, progress, view = "", "", View()
        health = Health(NodeState.STOPPED, healthy=False)
        if paused:
            reason = f"paused{self._why_paused()}; goldnode start {node.name}"
        elif not unit.active:
            reason = waits_for or self._start(now)
        elif self.free(node.home) < FULL_BYTES:
            self.system.stop(node.unit)
            reason = DISK_FULL
        else:
            health = self._health(now)
            self._height = max(self._height, health.height)
            progress = self.catcher.watch(self.facts, health, now)
            view = self.watch.observe(self.facts, health, now)
            reason = self._recover(health) or self._tend(health, now)
            if view.halted:
                reason = view.halted
                health = replace(health, healthy=False)
            if view.restart:
                self._asked = preflight.passed(node)
                self.system.restart(node.unit)
            if (
                self._crashes(unit.restarts, now)
                and health.state is NodeState.STARTING
                and reason.startswith((UNKNOWN, LAST_WORDS))
            ):
                health = replace(health, state=NodeState.CRASHING)
                words = reason.removeprefix(UNKNOWN)
                reason = f"ended {len(self._ends)} times in five minutes: goldnode logs {node.name}"
                reason += f"; {words}" if words else ""
        record = keys.note_progress(node) if self.facts.role.consensus_key else None
        key = keys.read_key(node) if record else None
        lease = lease_keeper.last_report(node, now, paused=paused) if self.facts.leased else None
        if lease and lease.reason and not reason and health.state is not NodeState.SIGNING:
            reason = f"lease: {lease.reason}"
        return NodeReport(
            name=node.name,
            role=self.facts.role.name,
            node_id=self.facts.node_id,
            health=health,
            reason=reason,
            paused=paused,
            addresses=self.facts.addresses,
            mesh_address=self.facts.mesh_address,
            members=len(self.facts.members),
            loaded=tuple(sorted(preflight.loaded(node))),
            key=record,
            public_key=base64.b64encode(key.public).decode() if key else "",
            restarts=self._restarts,
            progress=progress,
            reached=Reached() if paused else self.catcher.reached,
            upgrades=view,
            lease=lease,
            alone=record is not None and not self.facts.leased,
            announced=self.facts.announced,
        )

    def seen_height(self, members: tuple[Member, ...], now: float) -> int:
        """The height at which others signed with this node's key, for its next launch."""
        # With a lease the state's age does no harm: no record of the machine before may keep its signer from starting.
        if not self.facts.role.consensus_key or self.facts.leased:
            return 0
        try:
            record = keys.read_record(self.facts.layout)
        except SafetyError:
            return self.facts.seen_height
        own = max(record.height, self._height) if record else 0
        return cluster.judge(members, record.address, own, now).height if record else 0

    def _judge(self, now: float) -> Judgement:
        """Judge what the other members claim about this node's key, and raise alarms."""
        node, role = self.facts.layout, self.facts.role
        record = keys.read_record(node) if role.consensus_key else None
        # With a lease several machines may have the key: the lease decides which of them signs.
        if record is None or record.exported or self.facts.entry.lease:
            self.alarms = frozenset()
            return Judgement()
        own = max(record.height, self._height)
        judged = cluster.judge(self.facts.members, record.address, own, now)
        found = {Alarm(AlarmKind.CLAIM, claim.node_id, str(claim.height)) for claim in judged.absurd}
        if judged.rival:
            both = f"{node.name} ({self.facts.node_id}) and {judged.rival}"
            found.add(Alarm(AlarmKind.SAME_KEY, judged.rival.node_id, both))
        self.alarms = frozenset(found)
        return judged

    def _why_paused(self) -> str:
        """Who or what paused it, if that was recorded."""
        for path in (self.facts.layout.hold, self.facts.layout.paused):
            with contextlib.suppress(SafetyError):
                said = node_files.read_text(path)
                if said:
                    return f" ({said.strip()})"
        return ""

    def _recover(self, health: Health) -> str:
        """Continue the recovery of a lost signing state; empty if none is lost."""
        node = self.facts.layout
        under_way = keys.read_recovery(node) if self.facts.role.consensus_key else None
        if under_way is None:
            return ""
        signed = health.state is NodeState.SIGNING
        if health.state in AT_TIP:
            under_way = recovery.observe(node, under_way, health.height, signed=signed)
        if not under_way.done:
            return recovery.explain(under_way, signed=signed)
        self.system.stop(node.unit)
        self._finish_recovery(under_way)
        return f"recovered its signing state at height {under_way.done}: starts again"

    def _finish_recovery(self, under_way: Recovery) -> None:
        node = self.facts.layout
        recovery.finish(node, under_way)
        self.system.own(node.signing_state, node.user, node.user)

    def _crashes(self, restarts: int, now: float) -> bool:
        """Whether the daemon has recently ended by itself often enough to be in a crash loop."""
        self._ends = rules.keep_ends(self._ends, max(0, restarts - self._restarts), now)
        self._restarts = restarts
        return len(self._ends) >= rules.CRASHES

    def _notice_roster(self, now: float) -> None:
        wanted = frozenset(m.node_id for m in self.facts.members if m.role in self.facts.role.peers.private)
        if wanted != self._wanted:
            self._wanted, self._wanted_since = wanted, now

    def _start(self, now: float) -> str:
        """Start the daemon if that is allowed; otherwise return the reason why it is not."""
        facts, node = self.facts, self.facts.layout
        if self.free(node.home) < preflight.FREE_BYTES:
            return DISK_FULL
        choice = self._may_start(now)
        if not choice.go:
            return choice.reason
        if waits := self.catcher.before_start(facts, now):
            return waits
        try:
            if facts.role.consensus_key:
                under_way = keys.read_recovery(node)
                if under_way and under_way.done:
                    self._finish_recovery(under_way)
                verdict = decide(keys.gather(node, facts.entry.consensus_key, lambda *_: self._judge(now)))
                if verdict is Verdict.WAIT:
                    return "waiting for its consensus key: goldnode key import FILE"
                keys.mark_used(node)
        except GoldnodeError as error:
            return f"refused: {error.message}"
        self._asked = preflight.passed(node)
        self.system.start(node.unit)
        return "starting"

    def _may_start(self, now: float) -> Decision:
        facts = self.facts
        return rules.may_start(
            facts.role.start,
            own=facts.node_id,
            least=facts.entry.min_sentries,
            members=facts.members,
            reachable=self._reachable(now) if facts.links else (),
        )

    def _reachable(self, now: float) -> list[str]:
        facts = self.facts
        if self.mesh is MeshKind.WIREGUARD:
            ages = wireguard.handshakes(self.system.handshakes(facts.interface), now)
            return [m.node_id for m in facts.links if ages.get(m.mesh_key, wireguard.FRESH) < wireguard.FRESH]
        own = facts.mesh_address
        return [
            m.node_id
            for m in facts.links
            if self.system.answers(mesh_address(facts.fingerprint, m.mesh_key), m.p2p_port, own)
        ]

    def _health(self, now: float) -> Health:
        health = probe(
            self.rpc,
            now=now,
            signs=self.facts.role.consensus_key,
            wanted=self._wanted_peers(),
            block_time=self.image.network.block_time,
            interval=self._pace.interval,
        )
        if health.height:
            self._pace = self._pace.noting(now, now - health.age + health.ahead, health.height)
        return health

    def _wanted_peers(self) -> frozenset[str]:
        """The peers it must have: a sentry its validators, a validator its sentries."""
        return frozenset(member.node_id for member in self._wanted_members())

    def _wanted_members(self) -> list[Member]:
        facts = self.facts
        if facts.role.consensus_key:
            return [member for member in facts.links if member.role == "sentry"]
        loaded = preflight.loaded(facts.layout)
        return [member for member in facts.links if member.node_id in loaded]

    def _tend(self, health: Health, now: float) -> str:
        """Do what a running daemon needs; returns what it is waiting for."""
        facts, node = self.facts, self.facts.layout
        passed = preflight.passed(node)
        begun = passed != self._asked and health.state is not NodeState.STARTING
        peers = PrivatePeers(facts.node_id, preflight.loaded(node), self._wanted, self._wanted_since, begun)
        choice = rules.may_restart(facts.role.restart, peers, facts.members, now)
        if choice.go:
            self._asked = passed
            self.system.restart(node.unit)
            return f"restarting {choice.reason}"
        if health.state is NodeState.STARTING:
            return explain(self.system.log_tail(node.unit), alone=self.image.network.single_validator)
        trouble = self._trouble(health)
        self.missing_since = rules.keep_missing(self.missing_since, health.missing, now)
        self._redial(now)
        return choice.reason or trouble

    def _trouble(self, health: Health) -> str:
        """Why a daemon that answers is not healthy, as far as its log or the clock tell; empty otherwise."""
        unit = self.facts.layout.unit
        behind = clock(health.ahead)
        if behind:
            return behind
        if health.state is NodeState.STALLED:
            failed = failure(self.system.log_find(unit, CONSENSUS_FAILURE))
            if failed:
                return failed
        if health.state is NodeState.STALLED or not health.peers:
            said = explain(self.system.log_tail(unit), alone=self.image.network.single_validator)
            if said.startswith(TROUBLES):
                return said
        return jump(self.jumped) if health.state is NodeState.STALLED else ""

    def _redial(self, now: float) -> None:
        gone = rules.to_dial(self.missing_since, self._dialled, now)
        facts = self.facts
        peers = {each.node_id: dial(each, facts.fingerprint, facts.role.peers) for each in self._wanted_members()}
        known = tuple(peers[node_id] for node_id in gone if peers.get(node_id))
        if not known:
            return
        self._dialled = now
        try:
            self.rpc.dial(known)
        except HostError as error:
            log.warning("%s: %s", self.facts.entry.name, error)
