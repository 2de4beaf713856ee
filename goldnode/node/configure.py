"""The boot from top to bottom: read node.yaml, settle each node's keys, plan, apply.

Needs no network: enrolling with an invite is arithmetic, and the agent does the talking.  Any
fault in node.yaml stops the whole machine; a fault of one node (a key that must not sign) stops that
node, is reported, and leaves its siblings alone.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from goldnode.config.choices import ConsensusKey, MeshKind
from goldnode.config.node_config import NodeConfig
from goldnode.config.node_entry import NodeEntry, fences
from goldnode.config.role import RoleKind
from goldnode.discovery.member import Membership
from goldnode.errors import GoldnodeError, SafetyError
from goldnode.files import write_atomic
from goldnode.node import catch_up, cluster, node_files, node_yaml, scrub
from goldnode.node.keys import identity, keys, signer_home, takeover
from goldnode.node.keys.claims import Judgement
from goldnode.node.keys.stores import lease_server
from goldnode.node.layout import Layout, NodeLayout
from goldnode.node.phases import SILENT, Phases
from goldnode.node.plan import blocks
from goldnode.node.plan.inputs import ImageFacts, NodeFacts
from goldnode.node.plan.meshes import vpncloud, wireguard
from goldnode.node.plan.node_plan import config_files
from goldnode.node.plan.peers import Member
from goldnode.node.plan.plan import plan
from goldnode.node.plan.ports import Ports
from goldnode.node.system import apply, machine, reachable
from goldnode.node.system.system import System

Random = Callable[[int], bytes]


@dataclass(slots=True)
class ConfiguredMachine:
    """A configured machine, as the agent takes it over.

    Attributes:
        config: The node.yaml in force.
        image: What the bake put on the disk.
        memberships: For each node that may run, its membership of its cluster.
        facts: For each node that may run, the planner's input.
        failures: For each node that may not run, why.
        hosted: Nodes of the machine's JVM, which have none of the above.
        blocks: Each node's block of ports.
        notices: What was damaged and has been recreated, for people.
    """

    config: NodeConfig
    image: ImageFacts
    memberships: dict[str, Membership] = field(default_factory=dict)
    facts: dict[str, NodeFacts] = field(default_factory=dict)
    failures: dict[str, GoldnodeError] = field(default_factory=dict)
    hosted: tuple[str, ...] = ()
    blocks: dict[str, int] = field(default_factory=dict)
    notices: list[str] = field(default_factory=list)


def configure(
    layout: Layout,
    config: NodeConfig,
    image: ImageFacts,
    system: System,
    random: Random = os.urandom,
    phases: Phases = SILENT,
) -> tuple[ConfiguredMachine, apply.Changes]:
    """Bring the machine to what node.yaml says.

    Returns:
        The machine, and what was changed; nothing the second time.
    """
    with phases.phase("identities and keys"):
        addresses = system.addresses()
        found = prepare(layout, config, image, random, addresses, _running(system))
    changes = put(layout, found, system, phases)
    scrub.scrub_node_yaml(layout)
    if not found.failures and not node_yaml.is_remembered(layout):
        node_yaml.remember(layout)
    return found, changes


def hand_over(layout: Layout, found: ConfiguredMachine) -> None:
    """Let the agent that waits go on: the machine is as planned.

    One that took over before is told nothing: whenever it starts again, it applies its plan.
    """
    if not layout.configured.exists():
        write_atomic(layout.configured, _digest(layout, found), 0o600)


def take_over(layout: Layout, config: NodeConfig, image: ImageFacts, system: System) -> ConfiguredMachine:
    """The machine as `hand_over` left it; whatever else it is, it is configured again.

    The same plan is not applied twice at a boot, which would take as long as it did the first time.  An agent that
    starts again applies it: somebody may have flushed the rules since.  And on an image that fetches its daemon, the
    daemon's default configuration, and with it the node's, has only just arrived.
    """
    try:
        left = layout.configured.read_text()
        write_atomic(layout.configured, "", 0o600)
    except FileNotFoundError:
        left = ""
    if left:
        found = prepare(layout, config, image, os.urandom, system.addresses(), _running(system))
        if left == _digest(layout, found):
            return found
    return configure(layout, config, image, system)[0]


def _digest(layout: Layout, found: ConfiguredMachine) -> str:
    wanted = plan(found.config, found.image, list(found.facts.values()), layout, found.blocks)
    return hashlib.sha256(repr(wanted).encode()).hexdigest()


def _running(system: System) -> Callable[[str], bool]:
    return lambda unit: system.units(unit)[unit].active


def put(layout: Layout, found: ConfiguredMachine, system: System, phases: Phases = SILENT) -> apply.Changes:
    """Apply what was prepared, and record which nodes may not run."""
    with phases.phase("plan"):
        wanted = plan(found.config, found.image, list(found.facts.values()), layout, found.blocks)
    with phases.phase("apply"):
        changes = apply.apply(wanted, system)
    if not blocks.remember(layout, found.blocks) and layout.applied.exists():
        found.notices.append(f"{layout.blocks} was rewritten; each node keeps the ports its config.toml names")
    for name in found.facts:
        layout.node(name).failure.unlink(missing_ok=True)
    for name, error in found.failures.items():
        mark = layout.node(name).failure
        if mark.is_dir():
            node_files.set_aside(mark)
        write_atomic(mark, f"{error}\n")
    return changes


def prepare(
    layout: Layout,
    config: NodeConfig,
    image: ImageFacts,
    random: Random,
    addresses: tuple[str, ...],
    runs: Callable[[str], bool] = lambda _: False,
) -> ConfiguredMachine:
    """Settle identity, membership and keys of every node; a failure affects that node alone."""
    hosted = tuple(entry.name for entry in config.nodes if image.roles[entry.role].kind is RoleKind.HOSTED)
    numbers = blocks.assign(blocks.known(layout), [entry.name for entry in config.nodes])
    found = ConfiguredMachine(config, image, hosted=hosted, blocks=numbers)
    binding = machine.read(layout).binding
    reached = reachable.reachable(layout, addresses)
    preparation = _Preparation(config, image, binding, random, reached, runs, found.notices)
    for entry in config.nodes:
        if image.roles[entry.role].kind is not RoleKind.NODE:
            continue
        try:
            with node_files.contained(layout.node(entry.name)):
                membership, facts = preparation.prepare(layout.node(entry.name), entry, numbers[entry.name])
            found.memberships[entry.name], found.facts[entry.name] = membership, facts
        except GoldnodeError as error:
            found.failures[entry.name] = error
    for name, refusal in shared_keys(layout, found.facts).items():
        del found.facts[name], found.memberships[name]
        found.failures[name] = refusal
    return found


def shared_keys(layout: Layout, facts: Mapping[str, NodeFacts]) -> dict[str, SafetyError]:
    """Nodes of this machine that share a consensus key: none of them may run."""
    owners: dict[str, list[str]] = {}
    for name in facts:
        key = keys.read_key(layout.node(name))
        if key:
            owners.setdefault(key.address, []).append(name)
    return {
        name: SafetyError(
            f"{' and '.join(names)} have the same consensus key {address}: both would sign",
            hint="take all but one out of node.yaml, then: goldnode apply FILE",
        )
        for address, names in owners.items()
        if len(names) > 1
        for name in names
    }


def warnings(found: ConfiguredMachine) -> tuple[str, ...]:
    """Warnings about what is allowed: keys that would be lost with their machine."""
    made = [name for name, facts in found.facts.items()
            if facts.role.consensus_key and facts.entry.consensus_key is ConsensusKey.GENERATE]  # fmt: skip
    if found.config.data != "root":
        return ()
    return tuple(
        f"{name}: its consensus key was made on this machine's root disk (data: root), and is gone with the machine; "
        "for money at stake, keep it on a volume (data:)"
        for name in made
    )


@dataclass(frozen=True, slots=True)
class _Preparation:
    """What the preparation of all nodes shares."""

    config: NodeConfig
    image: ImageFacts
    binding: str
    random: Random
    reached: reachable.Reachable
    runs: Callable[[str], bool]
    notices: list[str]

    def prepare(self, node: NodeLayout, entry: NodeEntry, index: int) -> tuple[Membership, NodeFacts]:
        """Settle one node's identity, membership and keys."""
        own = self._identity(node, entry)
        membership = cluster.enter(node.member, own.key, entry.join, entry.role)
        members = cluster.members(membership)
        role = self.image.roles[entry.role]
        now = membership.clock()
        seen = self._consensus_key(node, entry, members, now) if role.consensus_key else 0
        private, public, replaced = mesh_key(node, self.config.mesh, self.random)
        self.notices.extend(f"{node.name}: {each}" for each in replaced)
        announced = self.reached.or_named(entry.addresses) if role.announces else None
        facts = NodeFacts(
            entry=entry,
            role=role,
            layout=node,
            ports=Ports.of(index),
            node_id=own.key.node_id,
            mesh_private=private,
            mesh_public=public,
            fingerprint=membership.fingerprint,
            addresses=announced.addresses if announced else (),
            announced=str(announced or ""),
            members=members,
            seen_height=seen,
            trust=catch_up.trust_of(node),
            kept=self._kept(node, entry, own.key.node_id),
        )
        # A setting that the role decides, or an invalid peer: this node's fault, not its siblings'.
        config_files(facts, self.image)
        return membership, facts

    def _kept(self, node: NodeLayout, entry: NodeEntry, node_id: str) -> bool:
        """Whether this node has kept signing leases; whether it may is said, and decided when its etcd starts."""
        if not entry.serve_lease:
            return False
        try:
            record = lease_server.read(node)
            lease_server.decide(node_id, entry.serve_lease, record, data=lease_server.has_data(node))
        except SafetyError as error:
            self.notices.append(f"{node.name}: keeps no signing lease: {error.message}")
            return False
        return record is not None and record.formed

    def _identity(self, node: NodeLayout, entry: NodeEntry) -> identity.NodeIdentity:
        invited, fenced = entry.join not in ("", cluster.JOINED), fences(entry.lease)
        try:
            own = identity.read(node, fenced=fenced)
        except SafetyError as error:
            if not invited:
                raise
            moved = identity.renew(node, self.binding)
            self.notices.append(f"{node.name}: {error}; set aside: {', '.join(map(str, moved))}")
            own = None
        if own and own.binding != self.binding and invited and not node.handover.exists():
            old = identity.set_aside(node)
            if not self.image.roles[entry.role].consensus_key:
                takeover.bring_chain(old, node)
        # After a damaged file was set aside, whole: what is in its place then is this node's own.
        node_files.check_places(node)
        return identity.ensure(node, self.binding, lambda: self.random(32), fenced=fenced)

    def _consensus_key(self, node: NodeLayout, entry: NodeEntry, members: tuple[Member, ...], now: float) -> int:
        """Settle the key; returns the last height at which the cluster saw it sign."""
        if entry.lease:
            signer_home.enter(node, lambda: self.runs(node.unit))
        else:
            signer_home.leave(node)

        def seen(address: str, height: int) -> Judgement:
            # With a lease the state's age does no harm: signing begins above everything ever granted (R7, R8).
            # Another machine that has this key may give it up: the agent checks for that in every round.
            judged = cluster.judge(members, address, height, now)
            return Judgement() if entry.lease else replace(judged, rival=None)

        evidence = keys.gather(node, entry.consensus_key, seen)
        keys.settle(node, evidence, lambda: self.random(32))
        if entry.lease and node.consensus_key.exists():
            # Before its daemon first starts, while it is still known whether the key is new.
            signer_home.record(node, self.random)
        return evidence.seen_height


def mesh_key(node: NodeLayout, kind: MeshKind, random: Random) -> tuple[str, str, tuple[str, ...]]:
    """The mesh's key, made on first use, and remade if its file is damaged: only peers need to learn the new one.

    Returns:
        The private key, the public one, and what was replaced, for people.
    """
    path, mesh = node.mesh_key(kind), wireguard if kind is MeshKind.WIREGUARD else vpncloud
    replaced: tuple[str, ...] = ()
    try:
        private = node_files.read_text(path, ours=True)
        if private is not None:
            return private, mesh.public(private), ()
    except (SafetyError, ValueError) as error:
        kept = node_files.set_aside(path)
        replaced = (f"{error}; a new mesh key was made, with a new mesh address, and the old file is {kept}",)
    seed = random(32)
    private = wireguard.clamp(seed) if kind is MeshKind.WIREGUARD else vpncloud.private(seed)
    write_atomic(path, private, 0o600)
    return private, mesh.public(private), replaced
