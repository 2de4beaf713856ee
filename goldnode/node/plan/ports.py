"""Which ports the n-th node of a machine has: one block of 100 each, the first as CometBFT's defaults.

A node that is alone has block 0, so its ports are those that every guide names.
"""

from __future__ import annotations

from dataclasses import dataclass

#: First port of block 0.
BASE = 26600
BLOCK = 100
#: First UDP port of each mesh.
WIREGUARD = 51820
VPNCLOUD = 3210
#: Where the agent serves metrics of all nodes of the machine.
METRICS = 9600


@dataclass(frozen=True, slots=True)
class Ports:
    """The ports of one node (docs/operations.md lists them).

    Attributes:
        index: Which node of the machine, from 0.
        p2p: Peers.
        rpc: CometBFT's RPC, loopback only.
        signer: A remote signer dials this one, mesh only.
        prometheus: The daemon's own metrics, loopback only.
        grpc: The application's gRPC, loopback only.
        api: The application's REST API, loopback only.
        wireguard: Mesh, UDP.
        vpncloud: Mesh, UDP, the other kind.
    """

    index: int
    p2p: int
    rpc: int
    signer: int
    prometheus: int
    grpc: int
    api: int
    wireguard: int
    vpncloud: int

    @staticmethod
    def rpc_beside(p2p: int) -> int:
        """The RPC port of the node, on whatever machine, that has this one for peers."""
        return p2p + 1

    @classmethod
    def of(cls, index: int) -> Ports:
        """The ports of the node that has this block (``blocks``)."""
        base = BASE + BLOCK * index
        return cls(
            index, base + 56, base + 57, base + 59, base + 60, base + 90, base + 17, WIREGUARD + index, VPNCLOUD + index
        )
