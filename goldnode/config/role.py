"""role.yaml: what a role is, as data.

A role is a folder: ``role.yaml`` (this module), ``rootfs/`` (files at their final path) and a
README.  It says what the role needs, which ports it opens and to whom, what it sets in the
daemon's configuration, which members stand in its peer lists, and when it may start or restart.
Adding a role adds a folder.  What a sentry is to a validator, and that only a validator has a
consensus key, is the program's own knowledge.

Settings may hold a few words in braces, which the planner fills for one node:
``{name}``, ``{p2p}``, ``{rpc}``, ``{prometheus}``, ``{grpc}``, ``{api}``, ``{signer}`` (ports),
``{mesh_address}``, ``{external_address}``, ``{minimum_gas_prices}``, ``{chain_id}``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from goldnode.config.document import Reader
from goldnode.config.node_entry import CONFIG_FILES
from goldnode.forms import ROLE

VERSION = 1


class RoleKind(StrEnum):
    """What turning a role on means."""

    NODE = "node"
    """A node of the network: one instance of ``goldnode-node@.service``."""
    SERVICE = "service"
    """One fixed unit and no node."""
    HOSTED = "hosted"
    """A node inside one fixed unit, which hosts all nodes of the machine that have this role."""
    GROUP = "group"
    """Several nodes, each with a role of its own."""
    BASE = "base"
    """Never given to a machine; its ports and settings belong to every node."""


class Audience(StrEnum):
    """To whom a port is open."""

    WORLD = "world"
    SENTRIES = "sentries"
    """Mesh addresses of the sentries of this cluster."""
    VALIDATORS = "validators"
    """Mesh addresses of the validators of this cluster."""
    MEMBERS = "members"
    """Mesh addresses of all members of this cluster."""
    SIGNER = "signer"
    """The mesh address of this node's remote signer."""
    SIGNER_MACHINE = "signer-machine"
    """Where that signer raises its tunnel from."""
    LEASE_HOLDERS = "lease-holders"
    """Mesh addresses of the validators of this cluster, where this sentry keeps their leases."""
    LEASE_SERVERS = "lease-servers"
    """Mesh addresses of the other sentries that keep them."""
    METRICS = "metrics"
    """Whom node.yaml names under ``metrics:``."""
    SSH = "ssh"
    """The world, if node.yaml gives a key; else nobody."""


class Start(StrEnum):
    """When the agent may start the daemon."""

    AT_ONCE = "at-once"
    WHEN_SENTRIES_READY = "when-sentries-ready"
    """Once enough sentries hold this node as a private peer, and key and signing state agree."""


class CatchUpFrom(StrEnum):
    """Whom a node without state asks for the way to the tip."""

    NETWORK = "network"
    """Public servers and snapshots, as network file or node.yaml name them."""
    SENTRIES = "sentries"
    """The sentries of its cluster, over the mesh, and nobody else."""


class Retention(StrEnum):
    """How much of the chain a node keeps."""

    RELAY = "relay"
    """Enough for others to catch up from it: recent state, and snapshots."""
    LEAST = "least"
    """The least that is safe."""


class Restart(StrEnum):
    """When the agent may restart the daemon after a change of the roster."""

    NEVER = "never"
    NEW_PRIVATE_PEER = "new-private-peer"
    """When a private or unconditional peer appears that was not known at the daemon's start."""


#: Whom a peer list may name: the members with a role, or the network file's public peers.
GROUPS = ("validator", "sentry", "network")


@dataclass(frozen=True, slots=True)
class Port:
    """A port the role listens on.

    Attributes:
        name: `p2p`, `mesh`, … as in ``goldnode.node.plan.ports``, or a number for a fixed port.
        protocol: `tcp` or `udp`.
        to: Who may reach it.
    """

    name: str
    protocol: str
    to: Audience


@dataclass(frozen=True, slots=True)
class PeerRules:
    """Which groups stand in which of the daemon's peer lists.

    Attributes:
        persistent: Dialled, and dialled again.
        private: Never told to others by peer exchange.
        unconditional: Kept beyond the limits on the number of peers.
        seeds: Asked for addresses, then left.
        mesh: Dialled over the mesh only, whatever address they announce.
    """

    persistent: tuple[str, ...] = ()
    private: tuple[str, ...] = ()
    unconditional: tuple[str, ...] = ()
    seeds: tuple[str, ...] = ()
    mesh: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Role:
    """A role, parsed.

    Attributes:
        name: The folder's name.
        summary: One sentence for people.
        kind: What turning it on means.
        unit: For a service or a hosted node, the unit to start; empty otherwise.
        ports: What it opens, and to whom.
        settings: Per file of the daemon's home, dotted keys and values (see the module); node.yaml cannot change them.
        defaults: The same, where node.yaml may say something else.
        peers: Which members stand in its peer lists.
        consensus_key: Whether it signs.
        announces: Whether its record names addresses that others may dial.
        start: When the daemon may start.
        restart: When the agent may restart it.
        catch_up: Whom it asks while it has no state.
        retention: How much of the chain it keeps.
    """

    name: str
    summary: str
    kind: RoleKind
    unit: str = ""
    ports: tuple[Port, ...] = ()
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    defaults: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    peers: PeerRules = PeerRules()
    consensus_key: bool = False
    announces: bool = False
    start: Start = Start.AT_ONCE
    restart: Restart = Restart.NEVER
    catch_up: CatchUpFrom = CatchUpFrom.NETWORK
    retention: Retention = Retention.LEAST


def parse(text: str, file: str = "role.yaml") -> Role:
    """Read a role.yaml.

    Raises:
        InputError: Anything is wrong; it carries every fault.
    """
    reader = Reader.parse(file, text)
    if reader.take("version") != VERSION:
        reader.fault("version", f"must be {VERSION}")
    kind = RoleKind(reader.choice("kind", [kind.value for kind in RoleKind], RoleKind.NODE))
    role = Role(
        name=reader.text("name", ROLE, "the name of the role's folder"),
        summary=reader.text("summary", re.compile(r"[^\n]{1,160}"), "one sentence"),
        kind=kind,
        unit=reader.text(
            "unit",
            re.compile(r"goldnode-[a-z-]+\.service"),
            "a unit",
            None if kind in (RoleKind.SERVICE, RoleKind.HOSTED) else "",
        ),
        ports=tuple(_port(each) for each in reader.sections("ports")),
        settings=_settings(reader.section("settings")),
        defaults=_settings(reader.section("defaults")),
        peers=_peers(reader.section("peers")),
        consensus_key=reader.flag("consensus_key", default=False),
        announces=reader.flag("announces", default=False),
        start=Start(reader.choice("start", [rule.value for rule in Start], Start.AT_ONCE)),
        restart=Restart(reader.choice("restart", [rule.value for rule in Restart], Restart.NEVER)),
        catch_up=CatchUpFrom(reader.choice("catch_up", [rule.value for rule in CatchUpFrom], CatchUpFrom.NETWORK)),
        retention=Retention(reader.choice("retention", [rule.value for rule in Retention], Retention.LEAST)),
    )
    reader.finish()
    return role


def _port(reader: Reader) -> Port:
    name = reader.text("port", re.compile(r"[a-z0-9]+"), "the port's name, as p2p, or a number")
    protocol = reader.choice("protocol", ["tcp", "udp"], "tcp")
    to = Audience(reader.choice("to", [audience.value for audience in Audience]))
    reader.close()
    return Port(name, protocol, to)


def _peers(reader: Reader) -> PeerRules:
    pattern = re.compile("|".join(GROUPS))
    meaning = f"any of {', '.join(GROUPS)}"
    rules = PeerRules(*(reader.texts(key, pattern, meaning) for key in PeerRules.__slots__))
    reader.close()
    return rules


def _settings(reader: Reader) -> Mapping[str, Mapping[str, Any]]:
    files = {name: dict(reader.section(name).items()) for name in CONFIG_FILES if name in reader}
    reader.close()
    return files
