"""One node's end of the mesh, of either kind."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from goldnode.config.choices import MeshKind
from goldnode.node.plan.inputs import NodeFacts
from goldnode.node.plan.meshes import vpncloud, wireguard
from goldnode.node.plan.peers import mesh_address, mesh_prefix


@dataclass(frozen=True, slots=True)
class MeshPlan:
    """An interface of the mesh as it should be.

    Attributes:
        kind: What carries it.
        node: The node's name.
        interface: Its name.
        users: The users whose traffic goes through it: two nodes of one cluster may share a machine, and each
            has its own route to the same network.
        address: This node's address.
        table: Number of its routing table.
        path: The configuration file.
        config: What ``wg syncconf`` or ``vpncloud`` reads; secret.
        device: The ``ip`` commands to run whenever the interface has been made, by us or by VPNCloud itself.
    """

    kind: MeshKind
    node: str
    interface: str
    users: tuple[str, ...]
    address: str
    table: int
    path: Path
    config: str
    device: tuple[str, ...]


#: The first routing table; the n-th node has the n-th.
TABLE = 26600
#: The MTU inside: what is left of the usual 1500 bytes, for either kind.
MTU = 1380


def mesh_plan(kind: MeshKind, node: NodeFacts) -> MeshPlan:
    """The mesh interface of a node."""
    table, address, name = TABLE + node.ports.index, node.mesh_address, node.interface
    device = (
        # Without nodad the address becomes ready a moment later, and on a busy machine the route would come too early.
        f"-6 address replace {address}/128 dev {name} nodad",
        f"link set {name} mtu {MTU} up",
        f"-6 route replace {mesh_prefix(node.fingerprint)} dev {name} src {address} table {table}",
    )
    if kind is MeshKind.WIREGUARD:
        links = [wireguard.Link(member, dial=bool(member.addresses)) for member in node.links]
        signers = node.entry.signer_keys
        text = wireguard.config(node.mesh_private, node.ports.wireguard, links, node.fingerprint, signers)
    else:
        text = vpncloud.config(node, device)
    return MeshPlan(
        kind=kind,
        node=node.entry.name,
        interface=name,
        users=(node.layout.user, node.layout.store_user) if node.entry.serve_lease else (node.layout.user,),
        address=address,
        table=table,
        path=node.layout.mesh_config(kind),
        config=text,
        device=device,
    )


def signer_ends(node: NodeFacts) -> dict[str, str]:
    """The ``wg-quick`` file for each machine of the remote signer, by the file's name."""
    name, signers = node.entry.name, node.entry.signer_keys
    if len(signers) == 1:
        return {f"{name}.conf": _signer_end(node, signers[0])}
    return {f"{name}-{number}.conf": _signer_end(node, signer) for number, signer in enumerate(signers, 1)}


def _signer_end(node: NodeFacts, signer: str) -> str:
    """One of them, with its private key and our address left to fill in."""
    name = node.entry.name
    return f"""\
# The remote signer of {name}.  On its machine: /etc/wireguard/goldnode.conf, then wg-quick up goldnode.
# The signer dials tcp://[{node.mesh_address}]:{node.ports.signer}
# A signer of several nodes of one cluster has one such file, with the [Peer] of each.

[Interface]
PrivateKey = THE-SECRET-HALF-OF {signer}
Address = {mesh_address(node.fingerprint, signer)}/128
MTU = {MTU}

[Peer]
PublicKey = {node.mesh_public}
AllowedIPs = {node.mesh_address}/128
Endpoint = ADDRESS-OF-THE-MACHINE-OF-{name}:{node.ports.wireguard}
PersistentKeepalive = {wireguard.KEEPALIVE}
"""
