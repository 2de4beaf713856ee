"""What a fleet consists of: pure, from a short specification to machines with names and addresses.

One network carries everything, in a namespace of its own: the machines from .11 on, and the external validators
(three validators outside the fleet, and the rendezvous) from .1 on.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from goldnode.config.choices import MeshKind
from goldnode.config.node_config import MAX_NODES, MULTI_NODE
from goldnode.errors import UsageError
from goldnode.vm.accel import Accelerator

#: The fleet's network; it exists in the fleet's namespace only.
NETWORK = "10.77.66"
RENDEZVOUS = f"http://{NETWORK}.1:8700"
#: Where the validators' signing leases are, in a fleet that has them: etcd, outside of the machines.
STORE = f"{NETWORK}.1:2379"
#: The cluster of a node by default.
CLUSTER = "fleet"
#: The number of external validators; each has as much voting power as all hidden ones together.
EXTERNAL = 3
EXTERNAL_P2P = 26656
#: The last part of the first machine's address.
FIRST_NUMBER = 11
MOST_SENTRIES = 16
#: Seconds between blocks, whatever the network file says, in a fleet that its host runs easily.
PACE = 2
#: Seconds more, without KVM, where machines are replaced: a new one boots for minutes, and the chain must not run away.
REPLACED = 4
#: The label that a volume with keys carries; node.yaml names it.
VOLUME = "LABEL=goldnode-data"
#: MiB of a machine's memory: the minimum, and the default; each further node of a machine adds 64.
LEAST_MEMORY, MEMORY = 512, 640


@dataclass(frozen=True, slots=True)
class FleetSpec:
    """The fleet to make.

    Attributes:
        network: Name of a private network.
        sentries: The number of sentries.
        mesh: What carries the private network.
        multi_node: Nodes, all validators, of one further machine; 0 for no such machine.
        memory: MiB of each machine.
        ssh_key: Public key that may log in to the sentries; a validator stays closed.
        open_validators: Whether the key may log in to validators too, as when an operator works on one.
        history: Whether the chain starts first, and has pruned its first blocks before the machines boot.
        lease: Whether validators sign by a lease, and take that of a machine that is gone by themselves.
        monitor: Whether Prometheus, Alertmanager and `./invoke watch` run beside it.
    """

    network: str = "localnet"
    sentries: int = 2
    mesh: MeshKind = MeshKind.WIREGUARD
    multi_node: int = 0
    memory: int = MEMORY
    ssh_key: str = ""
    open_validators: bool = False
    history: bool = False
    lease: bool = False
    monitor: bool = False

    def opens(self, role: str) -> bool:
        """Whether the key may log in to a machine of this role."""
        return bool(self.ssh_key) and (role == "sentry" or self.open_validators)


@dataclass(frozen=True, slots=True)
class Node:
    """One node of a machine, and the cluster it belongs to."""

    name: str
    role: str
    cluster: str = CLUSTER


@dataclass(frozen=True, slots=True)
class VmSpec:
    """A machine of the fleet.

    Attributes:
        name: Its name and its instance id.
        role: The role of its user-data.
        number: The last part of its address.
        nodes: Its nodes.
    """

    name: str
    role: str
    number: int
    nodes: tuple[Node, ...]

    @property
    def address(self) -> str:
        """Its address on the fleet's network."""
        return f"{NETWORK}.{self.number}"

    @property
    def mac(self) -> str:
        """Its network card's address."""
        return f"52:54:00:67:6e:{self.number:02x}"

    @property
    def identity(self) -> str:
        """Its firmware's UUID, the same at every start, because a node's keys are bound to it."""
        return str(uuid.uuid5(uuid.NAMESPACE_DNS, f"{self.name}.{self.number}.fleet.goldnode"))

    @property
    def tap(self) -> str:
        """The bridge's end of its cable."""
        return f"tap{self.number}"

    @property
    def validators(self) -> tuple[str, ...]:
        """Names of its nodes that sign."""
        return tuple(node.name for node in self.nodes if node.role == "validator")

    @property
    def network_config(self) -> str:
        """The network configuration for cloud-init: one fixed address, no gateway."""
        return f"version: 2\nethernets:\n  eth0:\n    addresses: [{self.address}/24]\n"


def vms(spec: FleetSpec) -> tuple[VmSpec, ...]:
    """The machines of a fleet.

    Raises:
        UsageError: There are too many or too few, or too little memory for them.
    """
    if not 1 <= spec.sentries <= MOST_SENTRIES:
        raise UsageError(f"--sentries {spec.sentries}: 1 to {MOST_SENTRIES}")
    if not 0 <= spec.multi_node <= MAX_NODES:
        raise UsageError(f"--multi-node {spec.multi_node}: 0 to {MAX_NODES}")
    if spec.memory < LEAST_MEMORY:
        raise UsageError(f"--memory {spec.memory}: at least {LEAST_MEMORY} MiB")
    plain = [("validator-1", "validator"), *((f"sentry-{n}", "sentry") for n in range(1, spec.sentries + 1))]
    made = [VmSpec(name, role, FIRST_NUMBER + n, (Node(name, role),)) for n, (name, role) in enumerate(plain)]
    if spec.multi_node:
        nodes = tuple(Node(f"multi-1-{n}", "validator") for n in range(1, spec.multi_node + 1))
        made.append(VmSpec("multi-1", MULTI_NODE, FIRST_NUMBER + len(made), nodes))
    return tuple(made)


def successor(vm: VmSpec, taken: tuple[VmSpec, ...]) -> VmSpec:
    """A new machine for the nodes of another: with an unused name, address and firmware UUID."""
    number = max(each.number for each in taken) + 1
    return VmSpec(f"{vm.nodes[0].name}-on-{number}", vm.role, number, vm.nodes)


def pace_of(planned: Sequence[VmSpec], accelerator: Accelerator, *, replaced: bool = False) -> int:
    """Seconds between blocks, such that all nodes keep up with the external validators.

    Without KVM a machine runs one node at the usual pace; each further node slows the chain by a second.

    Args:
        planned: The machines.
        accelerator: What runs them.
        replaced: Whether others will take their places.
    """
    if accelerator is Accelerator.KVM:
        return PACE
    return PACE + max(len(vm.nodes) for vm in planned) - 1 + (REPLACED if replaced else 0)


def timing(pace: int) -> dict[str, str]:
    """Consensus timeouts for a chain of that pace, for the external validators and the fleet alike.

    A validator that waits less than the others gives up on a height before its proposal comes, and votes nil.
    The proportions are CometBFT's own: at 2 s, these are its defaults but for the commit.
    """
    return {
        "consensus.timeout_commit": f"{pace}s",
        "consensus.timeout_propose": f"{1500 * pace}ms",
        "consensus.timeout_prevote": f"{500 * pace}ms",
        "consensus.timeout_precommit": f"{500 * pace}ms",
    }


def extra(vm: VmSpec, spec: FleetSpec, external: tuple[str, ...], pace: int = PACE) -> dict[str, Any]:
    """A machine's keys of node.yaml other than role, name and invite.

    Args:
        vm: The machine.
        spec: The fleet.
        external: The external validators' peers, `id@ip:port`.
        pace: Seconds between blocks.
    """
    more: dict[str, Any] = {"config": {"config.toml": timing(pace)}}
    if spec.mesh is not MeshKind.WIREGUARD:
        more["mesh"] = str(spec.mesh)
    if vm.validators:
        more |= {"data": VOLUME, "min_sentries": min(2, spec.sentries)}
    if vm.role == "validator":
        more["consensus_key"] = "existing"
    if vm.validators and spec.lease:
        more |= {"lease": f"etcd://{STORE}/fleet", "takeover": "automatic"}
    if vm.role == "sentry":
        more["peers"] = list(external)
    if vm.role == MULTI_NODE or spec.lease or spec.monitor:
        # Whoever replaces machines asks each whether it is there; monitoring reads every page.
        more["metrics"] = [f"{NETWORK}.0/24"]
    return more


def own_extra(vm: VmSpec, node: Node, external: tuple[str, ...]) -> dict[str, Any]:
    """A node's keys below ``nodes:`` other than name, role and invite."""
    return {"peers": list(external)} if vm.role == MULTI_NODE and node.role == "sentry" else {}


def powers(hidden: int) -> tuple[int, int]:
    """The voting power of each hidden validator and of each external one.

    The external validators alone must stay above two thirds, so that the chain goes on without the hidden ones:
    with one hidden validator all are equal, with more the external ones grow with them.
    """
    return 10, 10 * max(1, hidden)
