"""One node's end of the mesh, whichever kind carries it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from goldnode.node import vpncloud, wireguard
from goldnode.node.inputs import NodeFacts
from goldnode.node.peers import mesh_prefix
from goldnode.node_config import MeshKind


@dataclass(frozen=True, slots=True)
class MeshPlan:
    """An interface of the mesh as it should be.

    Attributes:
        kind: What carries it.
        node: The node's name.
        interface: Its name.
        user: Whose traffic goes through it: two nodes of one cluster may share a machine, and each has
            a way of its own to the same network.
        address: Ours.
        prefix: The cluster's network.
        table: Number of its routing table.
        path: Where the configuration stands.
        config: What ``wg syncconf`` or ``vpncloud`` reads; secret.
    """

    kind: MeshKind
    node: str
    interface: str
    user: str
    address: str
    prefix: str
    table: int
    path: Path
    config: str


#: First routing table; the n-th node has the n-th.
TABLE = 26600


def mesh_plan(kind: MeshKind, node: NodeFacts) -> MeshPlan:
    """The mesh interface of a node."""
    if kind is MeshKind.WIREGUARD:
        links = [wireguard.Link(member, dial=bool(member.addresses)) for member in node.links]
        signer = node.entry.signer_key
        text = wireguard.config(node.mesh_private, node.ports.wireguard, links, node.fingerprint, signer)
    else:
        text = vpncloud.config(node)
    return MeshPlan(
        kind=kind,
        node=node.entry.name,
        interface=node.interface,
        user=node.layout.user,
        address=node.mesh_address,
        prefix=mesh_prefix(node.fingerprint),
        table=TABLE + node.ports.index,
        path=node.layout.mesh_config(kind),
        config=text,
    )
