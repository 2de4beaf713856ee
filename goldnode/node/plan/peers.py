"""Makes the daemon's peer lists from the members of a cluster and the rules of a role.

One malformed entry keeps the daemon from starting, so every entry is checked by ``goldnode.forms`` here,
and addresses are numeric: the daemon looks a name up only once, and drops it if it does not resolve.
"""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial

from goldnode.config.role import PeerRules
from goldnode.forms import is_peer
from goldnode.node.keys.claims import Claim


@dataclass(frozen=True, slots=True)
class Member:
    """Another node of the cluster, as its record describes it.

    Attributes:
        node_id: Its node ID.
        role: The role its invite gave it.
        moniker: Its name for people.
        mesh_key: Its mesh public key; empty without a mesh.
        mesh_port: Its mesh's UDP port.
        p2p_port: Its daemon's port.
        addresses: Its public addresses; none for a validator.
        loaded: The validators that it has loaded as private and unconditional peers.
        claim: Its claim about the consensus key that it proves to hold; None without one.
    """

    node_id: str
    role: str
    moniker: str = ""
    mesh_key: str = ""
    mesh_port: int = 0
    p2p_port: int = 0
    addresses: tuple[str, ...] = ()
    loaded: frozenset[str] = frozenset()
    claim: Claim | None = None


@dataclass(frozen=True, slots=True)
class PeerLists:
    """The peer lists in config.toml, each sorted and without duplicates."""

    persistent: tuple[str, ...] = ()
    private: tuple[str, ...] = ()
    unconditional: tuple[str, ...] = ()
    seeds: tuple[str, ...] = ()

    def settings(self) -> dict[str, str]:
        """The keys of config.toml."""
        return {
            "p2p.persistent_peers": ",".join(self.persistent),
            "p2p.private_peer_ids": ",".join(self.private),
            "p2p.unconditional_peer_ids": ",".join(self.unconditional),
            "p2p.seeds": ",".join(self.seeds),
        }


def mesh_address(fingerprint: str, mesh_key: str) -> str:
    """A member's address on the mesh, computed: 64 bits from the cluster, 64 from its key.

    Args:
        fingerprint: The cluster root's fingerprint, hex.
        mesh_key: The member's mesh public key.
    """
    cluster = hashlib.sha256(f"goldnode mesh {fingerprint}".encode()).digest()[:7]
    own = hashlib.sha256(mesh_key.encode()).digest()[:8]
    return str(ipaddress.IPv6Address(b"\xfd" + cluster + own))


def mesh_prefix(fingerprint: str) -> str:
    """The cluster's mesh network."""
    return str(ipaddress.ip_network(f"{mesh_address(fingerprint, '')}/64", strict=False))


def lists(
    rules: PeerRules,
    members: Iterable[Member],
    *,
    fingerprint: str,
    network_peers: Sequence[str] = (),
    network_seeds: Sequence[str] = (),
    own_peers: Sequence[str] = (),
) -> PeerLists:
    """The peer lists of one node.

    Args:
        rules: Its role's rules.
        members: The other members of its cluster.
        fingerprint: The cluster root's fingerprint, for mesh addresses.
        network_peers: The network file's public peers.
        network_seeds: The network file's seeds.
        own_peers: Further peers from node.yaml.
    """
    known = sorted(members, key=lambda member: member.node_id)
    public = [peer for peer in network_peers if is_peer(peer)] if "network" in rules.persistent else []
    dialled = [dial(member, fingerprint, rules) for member in known if member.role in rules.persistent]
    chosen = [*filter(None, dialled), *public, *filter(partial(is_peer, numeric=True), own_peers)]
    return PeerLists(
        persistent=tuple(dict.fromkeys(chosen)),
        private=tuple(member.node_id for member in known if member.role in rules.private),
        unconditional=tuple(member.node_id for member in known if member.role in rules.unconditional),
        seeds=tuple(s for s in network_seeds if is_peer(s)) if "network" in rules.seeds else (),
    )


def dial(member: Member, fingerprint: str, rules: PeerRules) -> str:
    """How to dial a member: by a public address if it has one, else over the mesh; empty if there is no way.

    Members that the rules want on the mesh are dialled only there: a hidden validator never connects
    to a sentry's public port, where others see who connects.
    """
    if not member.p2p_port:
        return ""
    if member.addresses and member.role not in rules.mesh:
        host = member.addresses[0]
    elif member.mesh_key:
        host = mesh_address(fingerprint, member.mesh_key)
    else:
        return ""
    peer = f"{member.node_id}@{f'[{host}]' if ':' in host else host}:{member.p2p_port}"
    return peer if is_peer(peer, numeric=True) else ""
