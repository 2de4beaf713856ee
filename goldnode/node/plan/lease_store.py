"""The etcd that keeps a cluster's signing leases on three of its sentries, over the mesh.

The three are named by their node IDs, which exist only once the machines do: so no program that replaces machines can
ever form a second store for one lease, and a validator finds the very members whose IDs are in its ``lease:``.  Two of
the three are a majority, any two majorities share a member, and a member has one data folder in its life
(``keys.lease_server``): that is why there is one store for three IDs (ADR 395).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence

from goldnode.node.plan.inputs import NodeFacts
from goldnode.node.plan.peers import Member, mesh_address
from goldnode.node.plan.ports import Ports


def servers(node: NodeFacts) -> tuple[Member, ...]:
    """The other sentries that keep leases with this one, as far as they are known."""
    if node.node_id not in node.entry.serve_lease:
        return ()
    return _known(node, node.entry.serve_lease)


def serves(node: NodeFacts) -> bool:
    """Whether this node keeps leases now: it did before, or exactly the named sentries are known."""
    named = node.entry.serve_lease
    return node.node_id in named and (node.kept or len(servers(node)) == len(named) - 1)


def etcd(node: NodeFacts) -> str:
    """What etcd reads.  How the cluster is formed counts at its very first start only."""
    own, members = node.mesh_address, {node.node_id: _url(node.mesh_address, node.ports.raft)}
    for member in servers(node):
        members[member.node_id] = _url(
            mesh_address(node.fingerprint, member.mesh_key), Ports.lease_beside(member.p2p_port) + 1
        )
    client, peer = _url(own, node.ports.lease), members[node.node_id]
    document = {
        "name": node.node_id,
        "data-dir": str(node.layout.store / "data"),
        "listen-client-urls": client,
        "advertise-client-urls": client,
        "listen-peer-urls": peer,
        "initial-advertise-peer-urls": peer,
        "initial-cluster": ",".join(f"{name}={url}" for name, url in sorted(members.items())),
        "initial-cluster-state": "new",
        "initial-cluster-token": token(node.entry.serve_lease),
        "strict-reconfig-check": True,
        "pre-vote": True,
        # What validators ask; with a file of settings etcd 3.4 has it off, unlike with options.
        "enable-grpc-gateway": True,
        "auto-compaction-mode": "periodic",
        "auto-compaction-retention": "1h",
    }
    # JSON is YAML.
    return json.dumps(document, indent=2) + "\n"


def token(named: Sequence[str]) -> str:
    """The cluster's token: of the very nodes that form it."""
    return hashlib.sha256(",".join(sorted(named)).encode()).hexdigest()


def endpoints(node: NodeFacts, named: Sequence[str]) -> dict[str, str]:
    """Where a validator reaches the sentries that keep its lease, by node ID; those that it knows."""
    found = {}
    for member in _known(node, named):
        port = Ports.lease_beside(member.p2p_port)
        found[member.node_id] = f"[{mesh_address(node.fingerprint, member.mesh_key)}]:{port}"
    return found


def openings(node: NodeFacts) -> Iterator[tuple[str, list[str]]]:
    """Mesh addresses that may reach it, by audience's name: validators its clients' port, sentries its members'."""
    if serves(node):
        validators = [member for member in node.links if member.role == "validator"]
        yield "lease-holders", [mesh_address(node.fingerprint, member.mesh_key) for member in validators]
        yield "lease-servers", [mesh_address(node.fingerprint, member.mesh_key) for member in servers(node)]


def _known(node: NodeFacts, named: Sequence[str]) -> tuple[Member, ...]:
    links = (member for member in node.links if member.role == "sentry" and member.p2p_port)
    return tuple(sorted((each for each in links if each.node_id in named), key=lambda each: each.node_id))


def _url(address: str, port: int) -> str:
    return f"http://[{address}]:{port}"
