"""The ports of a machine's n-th node: one block of 100 each, the first with CometBFT's defaults.

A single node has block 0, so its ports are those in every guide.
"""

from __future__ import annotations

from dataclasses import dataclass

#: First port of block 0.
BASE = 26600
BLOCK = 100
#: First UDP port of each mesh.
WIREGUARD = 51820
VPNCLOUD = 3210
#: The port of the agent's metrics for all nodes of the machine.
METRICS = 9600


@dataclass(frozen=True, slots=True)
class Ports:
    """The ports of one node (docs/operations.md lists them).

    Attributes:
        index: The node's number on the machine, from 0.
        p2p: For peers.
        rpc: CometBFT's RPC, loopback only.
        signer: For a remote signer, mesh only.
        lease: For clients of the etcd that keeps leases, mesh only.
        raft: For the other members of that etcd, mesh only.
        prometheus: The daemon's own metrics, loopback only.
        grpc: The application's gRPC, loopback only.
        api: The application's REST API, loopback only.
        wireguard: WireGuard's UDP port.
        vpncloud: VPNCloud's UDP port.
    """

    index: int
    p2p: int
    rpc: int
    signer: int
    lease: int
    raft: int
    prometheus: int
    grpc: int
    api: int
    wireguard: int
    vpncloud: int

    @staticmethod
    def rpc_beside(p2p: int) -> int:
        """The RPC port of the node, on any machine, that has this p2p port."""
        return p2p + 1

    @staticmethod
    def lease_beside(p2p: int) -> int:
        """The port for clients of the etcd of the node, on any machine, that has this p2p port; raft's is the next."""
        return p2p + 5

    @classmethod
    def of(cls, index: int) -> Ports:
        """The ports of the node with this block (``blocks``)."""
        base = BASE + BLOCK * index
        return cls(
            index,
            base + 56,
            base + 57,
            base + 59,
            base + 61,
            base + 62,
            base + 60,
            base + 90,
            base + 17,
            WIREGUARD + index,
            VPNCLOUD + index,
        )
