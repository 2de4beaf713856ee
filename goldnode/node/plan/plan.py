"""The plan: everything a machine should be, computed from values, before anything is touched.

``plan`` is pure.  ``apply`` can apply its result any number of times; the second time changes
nothing.  The same function plans for a machine with one node and for one with thirty.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from goldnode.config.choices import ConsensusKey
from goldnode.config.daemon import Family
from goldnode.config.node_config import NodeConfig, OutgoingRule
from goldnode.config.role import Audience, CatchUpFrom, Role, RoleKind
from goldnode.node.keys.stores.store import store_members
from goldnode.node.layout import Layout
from goldnode.node.plan import firewall, lease_store, log_shipping
from goldnode.node.plan.inputs import ImageFacts, NodeFacts
from goldnode.node.plan.mesh import MeshPlan, mesh_plan, signer_ends
from goldnode.node.plan.node_plan import arguments, config_files
from goldnode.node.plan.peers import mesh_address
from goldnode.node.plan.ports import BASE, BLOCK, METRICS

AGENT = "goldnode-agent.service"
FETCH = "goldnode-fetch.service"
SSH = "ssh.service"
#: What installs Debian's security upgrades, if the image has it; and the unit that runs it.
UPGRADER = "/usr/bin/unattended-upgrade"
UPGRADE_TIMERS = ("apt-daily.timer", "apt-daily-upgrade.timer")
UPGRADE_DAILY = 'APT::Periodic::Update-Package-Lists "1";\nAPT::Periodic::Unattended-Upgrade "1";\n'


@dataclass(frozen=True, slots=True)
class FilePlan:
    """A file as it should be.

    Attributes:
        path: Its path.
        text: Its content.
        mode: Its permissions.
        group: The file's group; its user is root.
    """

    path: Path
    text: str
    mode: int = 0o644
    group: str = "root"


@dataclass(frozen=True, slots=True)
class FolderPlan:
    """A folder as it should be; with ``tree``, its content has the same owner.

    A volume from another machine carries that machine's user IDs.
    """

    path: Path
    mode: int
    user: str
    group: str
    tree: bool = False


@dataclass(frozen=True, slots=True)
class Ownership:
    """A file that we do not write, but whose owner we set if it exists."""

    path: Path
    user: str
    group: str


@dataclass(frozen=True, slots=True)
class LinkPlan:
    """A symbolic link as it should be."""

    path: Path
    target: Path


@dataclass(frozen=True, slots=True)
class Plan:
    """A machine as it should be.

    Attributes:
        folders: Folders, in the order in which they are made.
        files: Text files.
        links: The genesis, where each daemon looks for it.
        ownerships: Owners of keys and the like.
        meshes: One end of a mesh per node.
        ruleset: The firewall's file, one of ``files``.
        units: Units that should be running; started without waiting.
        reads: The folder that a unit reads when it starts and never again.
    """

    folders: tuple[FolderPlan, ...] = ()
    files: tuple[FilePlan, ...] = ()
    links: tuple[LinkPlan, ...] = ()
    ownerships: tuple[Ownership, ...] = ()
    meshes: tuple[MeshPlan, ...] = ()
    ruleset: Path | None = None
    units: tuple[str, ...] = ()
    reads: Mapping[str, Path] = field(default_factory=dict)


def plan(
    config: NodeConfig,
    image: ImageFacts,
    nodes: Sequence[NodeFacts],
    layout: Layout,
    blocks: Mapping[str, int] = MappingProxyType({}),
) -> Plan:
    """Plan the machine.

    Args:
        config: node.yaml.
        image: What the bake put on the disk.
        nodes: What is known about each node that may run; refused nodes are absent.
        layout: The machine's paths.
        blocks: Its nodes, each with its block of ports; asked for nodes of a JVM.
    """
    rules = _ruleset(config, image, nodes, _hosted_openings(config, image, blocks))
    ruleset = FilePlan(layout.at("/etc/goldnode/nftables.d/goldnode.nft"), rules)
    files = [ruleset, *_machine_files(config, image, nodes, layout)]
    for node in nodes:
        files += [FilePlan(path, text, 0o640, node.layout.user) for path, text in config_files(node, image).items()]
        files.append(FilePlan(node.layout.launch, _launch(node, image)))
        if node.leased:
            files.append(FilePlan(node.layout.lease_settings, _lease(node, image), 0o640, node.layout.user))
        if lease_store.serves(node):
            files.append(FilePlan(node.layout.store_config, lease_store.etcd(node), 0o640, node.layout.store_user))
        for name, text in signer_ends(node).items():
            files.append(FilePlan(layout.at(f"/etc/goldnode/signers/{name}"), text))
    return Plan(
        folders=tuple(folder for node in nodes for folder in _folders(node)),
        files=tuple(files),
        links=tuple(LinkPlan(node.layout.genesis, image.genesis) for node in nodes),
        ownerships=tuple(each for node in nodes for each in _ownerships(node)),
        meshes=tuple(mesh_plan(config.mesh, node) for node in nodes),
        ruleset=ruleset.path,
        units=(*_units(config, image), *(unit for node in nodes for unit in _lease_units(node))),
        reads={log_shipping.UNIT: layout.at(log_shipping.SETTINGS).parent} if config.logs else {},
    )


def _folders(node: NodeFacts) -> Iterator[FolderPlan]:
    """The node's folders, in which its user owns its data and nothing else.

    Root writes keys and configuration, and must never follow a link that a compromised daemon left: so
    the daemon may add to its home, but not replace root's files there (sticky bit).
    """
    user, home = node.layout.user, node.layout.home
    yield FolderPlan(node.layout.base, 0o750, "root", user)
    yield FolderPlan(home, 0o1770, "root", user)
    yield FolderPlan(home / "config", 0o750, "root", user)
    yield FolderPlan(home / "data", 0o700, user, user, tree=True)
    if node.leased:
        signer = node.layout.signer_user
        yield FolderPlan(node.layout.signer, 0o700, signer, signer, tree=True)
        yield FolderPlan(node.layout.control_socket.parent, 0o700, signer, signer)
        # The daemon makes a socket here, and the signer's user is in its group.
        yield FolderPlan(node.layout.daemon_socket.parent, 0o750, user, user)
    if node.entry.serve_lease:
        yield FolderPlan(node.layout.store, 0o700, node.layout.store_user, node.layout.store_user, tree=True)


def _users(node: NodeFacts) -> tuple[str, ...]:
    signer = (node.layout.signer_user,) if node.leased else ()
    return (node.layout.user, *signer, *((node.layout.store_user,) if node.entry.serve_lease else ()))


def _lease_units(node: NodeFacts) -> tuple[str, ...]:
    store = (node.layout.store_unit,) if lease_store.serves(node) else ()
    return (node.layout.signer_unit, node.layout.lease_unit) if node.leased else store


def _lease(node: NodeFacts, image: ImageFacts) -> str:
    """The settings for ``goldnode lease keep NAME``, without secrets."""
    document = {
        "store": node.entry.lease,
        "automatic": node.entry.takeover,
        "chain_id": image.network.chain_id,
        "block_time": image.network.block_time,
        "rpc": node.ports.rpc,
        "source": node.mesh_address,
        "endpoints": lease_store.endpoints(node, store_members(node.entry.lease)),
    }
    return json.dumps(document, indent=2) + "\n"


def _ownerships(node: NodeFacts) -> Iterator[Ownership]:
    user = node.layout.user
    yield Ownership(node.layout.node_key, "root", user)
    if node.leased:
        for path in (node.layout.consensus_key, node.layout.signing_state):
            yield Ownership(path, node.layout.signer_user, node.layout.signer_user)
        return
    yield Ownership(node.layout.consensus_key, "root", user)
    yield Ownership(node.layout.signing_state, user, user)


def _machine_files(
    config: NodeConfig, image: ImageFacts, nodes: Sequence[NodeFacts], layout: Layout
) -> Iterator[FilePlan]:
    users = "".join(f'u {user} - "goldnode {node.entry.name}" - -\n' for node in nodes for user in _users(node))
    yield FilePlan(layout.at("/etc/sysusers.d/goldnode-nodes.conf"), users)
    yield FilePlan(layout.at("/etc/goldnode/authorized_keys"), "".join(f"{key}\n" for key in config.ssh_keys), 0o600)
    if nodes and image.network.daemon.family is Family.COSMOS_SDK:
        # wasmvm compiles contracts to machine code in memory.
        path = "/run/systemd/system/goldnode-node@.service.d/10-network.conf"
        yield FilePlan(layout.at(path), "[Service]\nMemoryDenyWriteExecute=no\n")
    if config.logs:
        if config.logs.ca:
            yield FilePlan(layout.at(log_shipping.CA), config.logs.ca)
        trusted = log_shipping.CA if config.logs.ca else log_shipping.USUAL_CA
        yield FilePlan(layout.at(log_shipping.SETTINGS), log_shipping.settings(config.logs, trusted))
    if config.unattended_upgrades:
        yield FilePlan(layout.at("/etc/apt/apt.conf.d/20auto-upgrades"), UPGRADE_DAILY)
    if image.network.sysctls:
        lines = "".join(f"{key} = {value}\n" for key, value in sorted(image.network.sysctls.items()))
        yield FilePlan(layout.at("/etc/sysctl.d/70-goldnode-network.conf"), lines)


def _launch(node: NodeFacts, image: ImageFacts) -> str:
    """The launch file for ``goldnode run NAME``, without secrets."""
    document = {
        "argv": arguments(node, image),
        "signs": node.role.consensus_key and node.entry.consensus_key is not ConsensusKey.REMOTE_SIGNER,
        "leased": node.leased,
        "consensus_key": node.entry.consensus_key.value,
        "seen_height": node.seen_height,
        "node_id": node.node_id,
        "ladder": image.ladder,
    }
    return json.dumps(document, indent=2) + "\n"


def _units(config: NodeConfig, image: ImageFacts) -> Iterator[str]:
    if config.ssh_keys:
        yield SSH
    services = [config.role] if config.role in image.roles else []
    services += ["rendezvous"] if config.serve_rendezvous and config.role != "rendezvous" else []
    yield from (image.roles[name].unit for name in services if image.roles[name].kind is RoleKind.SERVICE)
    if image.deferred:
        yield FETCH
    yield from UPGRADE_TIMERS if config.unattended_upgrades else ()
    if config.logs:
        yield log_shipping.UNIT
    roles = [image.roles[entry.role] for entry in config.nodes]
    yield from sorted({role.unit for role in roles if role.kind is RoleKind.HOSTED})
    if has_agent(config, image):
        yield AGENT


def has_agent(config: NodeConfig, image: ImageFacts) -> bool:
    """Whether there is anything to look after; even if every node is refused there is an agent, which says why."""
    roles = (image.roles[entry.role] for entry in config.nodes)
    return any(role.kind in (RoleKind.NODE, RoleKind.HOSTED) for role in roles)


def _hosted_openings(config: NodeConfig, image: ImageFacts, blocks: Mapping[str, int]) -> Iterator[firewall.Opening]:
    """The ports of nodes of a JVM, for those that node.yaml names: their peers on other machines, their users."""
    for entry in config.nodes:
        if entry.ports_from:
            for name, offset in image.network.ports.items():
                number = BASE + BLOCK * blocks[entry.name] + offset
                yield firewall.Opening(number, "tcp", entry.ports_from, f"{entry.name} {name}")


def _ruleset(
    config: NodeConfig, image: ImageFacts, nodes: Sequence[NodeFacts], hosted: Iterable[firewall.Opening]
) -> str:
    base = image.roles["common"]
    machine: dict[Audience, Sequence[str]] = {
        Audience.SSH: (config.ssh_from or ("0.0.0.0/0", "::/0")) if config.ssh_keys else (),
        Audience.METRICS: sorted({source for node in nodes for source in node.entry.metrics}),
    }
    openings = [*_openings(base, {"metrics": METRICS}, machine, "machine", ""), *hosted]
    for name in {config.role, *(["rendezvous"] if config.serve_rendezvous else [])} & image.roles.keys():
        if image.roles[name].kind is RoleKind.SERVICE:
            openings += _openings(image.roles[name], {}, machine, name, "")
    private = []
    for node in nodes:
        ports = node.ports
        numbers = {"p2p": ports.p2p, "rpc": ports.rpc, "signer": ports.signer, "mesh": node.mesh_port(config.mesh),
                   "lease": ports.lease, "raft": ports.raft}  # fmt: skip
        openings += _openings(node.role, numbers, _sources(node), node.entry.name, node.interface)
        closed = (ports.rpc, ports.grpc, ports.api, ports.prometheus, ports.signer)
        private.append(firewall.Private(node.layout.user, closed, ports.rpc, _guests(node, nodes)))
        if node.entry.serve_lease:
            private.append(firewall.Private(node.layout.store_user, (ports.lease, ports.raft)))
    strict = [node for node in nodes if config.outgoing is OutgoingRule.STRICT and not node.role.announces]
    confined = [firewall.Confined(node.layout.user, node.interface) for node in strict]
    return firewall.render(openings, private, public=any(node.role.announces for node in nodes), confined=confined)


def _guests(node: NodeFacts, nodes: Sequence[NodeFacts]) -> tuple[str, ...]:
    """Users on this machine whose nodes catch up from this node."""
    if not any(port.to is Audience.VALIDATORS for port in node.role.ports):
        return ()
    return tuple(
        sorted(
            other.layout.user
            for other in nodes
            if other.role.catch_up is CatchUpFrom.SENTRIES and other.fingerprint == node.fingerprint
        )
    )


def _openings(
    role: Role, numbers: Mapping[str, int], sources: dict[Audience, Sequence[str]], owner: str, interface: str
) -> Iterator[firewall.Opening]:
    for port in role.ports:
        number = numbers.get(port.name) or int(port.name)
        found = firewall.opening(port, number, firewall.audience(port.to, sources), owner, interface)
        if found:
            yield found


def _sources(node: NodeFacts) -> dict[Audience, Sequence[str]]:
    mesh = {member: mesh_address(node.fingerprint, member.mesh_key) for member in node.links}
    return {
        Audience.SENTRIES: [address for member, address in mesh.items() if member.role == "sentry"],
        Audience.VALIDATORS: [address for member, address in mesh.items() if member.role == "validator"],
        Audience.MEMBERS: list(mesh.values()),
        Audience.SIGNER: [mesh_address(node.fingerprint, key) for key in node.entry.signer_keys],
        Audience.SIGNER_MACHINE: node.entry.signer_from,
        Audience.METRICS: node.entry.metrics,
        **{Audience(name): addresses for name, addresses in lease_store.openings(node)},
    }
