"""The planner's input: the image, and what is known about each node."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from goldnode.config import role as roles
from goldnode.config.choices import MeshKind
from goldnode.config.daemon import Family
from goldnode.config.network import Network
from goldnode.config.node_entry import CONFIG_FILES, NodeEntry
from goldnode.config.role import Role, Start
from goldnode.errors import ImageError
from goldnode.node.layout import Layout, NodeLayout
from goldnode.node.plan import ladders
from goldnode.node.plan.catch_up import Trust
from goldnode.node.plan.peers import Member, mesh_address
from goldnode.node.plan.ports import Ports
from goldnode.node.plan.upgrade import Ladder


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """What the bake put on the disk.

    Attributes:
        network: The network document.
        roles: Every role folder's role.yaml, by name.
        defaults: The daemon's own config files, by name; only those that exist.
        daemon: Path of the program.
        genesis: Path of the genesis file; on a private network it comes with user-data.
        deferred: Whether something is still to be fetched.
        library: The folder of all these.
        debian: Suite, date and, where known, snapshot of its Debian packages; empty where a cloud brought its own.
    """

    network: Network
    roles: Mapping[str, Role]
    defaults: Mapping[str, str]
    daemon: Path
    genesis: Path
    deferred: bool = False
    library: Path = Path("/usr/lib/goldnode")
    debian: Mapping[str, str] = field(default_factory=dict)

    @property
    def ladder(self) -> dict[str, Any] | None:
        """The versions of its daemon, for the preflight; None for a daemon whose chain has no upgrades."""
        daemon = self.network.daemon
        if daemon.family is not Family.COSMOS_SDK:
            return None
        return Ladder(self.library, daemon.name, daemon.version, self.network.upgrades).document()


@dataclass(frozen=True, slots=True)
class NodeFacts:
    """What is known about one node when its part of the plan is made.

    Attributes:
        entry: Its entry in node.yaml.
        role: Its role.
        layout: Its paths.
        ports: Its block of ports.
        node_id: Its ID.
        mesh_private: Its mesh's private key.
        mesh_public: The public half.
        fingerprint: Its cluster root's fingerprint.
        addresses: Where others can dial it, if its role announces addresses; else empty.
        announced: These and who named them, in words; empty for a role that announces none.
        members: The other members of its cluster.
        seen_height: The last height that the cluster saw its consensus key sign; 0 for none.
        trust: What its state sync trusts; None if it needs none.
        kept: Whether it has kept signing leases before.
    """

    entry: NodeEntry
    role: Role
    layout: NodeLayout
    ports: Ports
    node_id: str
    mesh_private: str
    mesh_public: str
    fingerprint: str
    addresses: tuple[str, ...] = ()
    announced: str = ""
    members: tuple[Member, ...] = ()
    seen_height: int = 0
    trust: Trust | None = None
    kept: bool = False

    @property
    def leased(self) -> bool:
        """Whether it signs by a signing lease."""
        return bool(self.entry.lease) and self.role.consensus_key

    @property
    def interface(self) -> str:
        """Its mesh interface."""
        return interface(self.ports.index)

    @property
    def mesh_address(self) -> str:
        """Its address on the mesh."""
        return mesh_address(self.fingerprint, self.mesh_public)

    @property
    def links(self) -> tuple[Member, ...]:
        """The members its mesh admits.

        A node that waits for its sentries admits only those that have loaded it as a private peer: any other sentry
        would reveal its ID to its peers.
        """
        meshed = [member for member in self.members if member.mesh_key]
        if self.role.start is Start.WHEN_SENTRIES_READY:
            return tuple(member for member in meshed if self.node_id in member.loaded)
        return tuple(meshed)

    def mesh_port(self, kind: MeshKind) -> int:
        """Its mesh's UDP port."""
        return self.ports.wireguard if kind is MeshKind.WIREGUARD else self.ports.vpncloud


def interface(block: int) -> str:
    """The mesh interface of the node with this block; names have at most 15 characters, so it is numbered."""
    return f"gnmesh{block}"


def read_image(layout: Layout) -> ImageFacts:
    """Read what the bake put on the disk.

    Raises:
        ImageError: Something is missing that every image has.
    """
    library = layout.library
    try:
        network = Network.from_document(json.loads((library / "network.json").read_text()))
        network = replace(network, upgrades=ladders.joined(network.upgrades, layout))
        found = sorted((library / "roles").glob("*/role.yaml"))
        known = {path.parent.name: roles.parse(path.read_text(), str(path)) for path in found}
        defaults = {
            name: (library / "defaults" / name).read_text()
            for name in CONFIG_FILES
            if (library / "defaults" / name).exists()
        }
        facts = library / "image.json"
        debian = json.loads(facts.read_text()).get("debian", {}) if facts.exists() else {}
    except (OSError, ValueError, KeyError) as error:
        raise ImageError(f"this is not a goldnode image, or it is damaged: {error}", hint="bake it again") from error
    baked, given = library / "genesis.json", layout.at("/etc/goldnode/genesis.json")
    return ImageFacts(
        network=network,
        roles=known,
        defaults=defaults,
        daemon=library / "bin" / network.daemon.name,
        genesis=given if network.private else baked,
        deferred=(library / "deferred.json").exists(),
        library=library,
        debian=debian,
    )
