"""The nodes inside the machine's JVM, as the agent reports them: the JVM host runs them, we only ask."""

from __future__ import annotations

from collections.abc import Sequence

from goldnode.config.daemon import JvmMode
from goldnode.config.network import Network
from goldnode.errors import GoldnodeError, HostError
from goldnode.node.agent.health import Health, NodeState
from goldnode.node.agent.supervisor import NodeReport
from goldnode.node.jvm.jvm_host import HostedStatus, JvmHost

_STATES = {
    "stopped": NodeState.STOPPED,
    "stopping": NodeState.STOPPED,
    "starting": NodeState.STARTING,
    "running": NodeState.STARTING,
    "waiting": NodeState.CRASHING,
    "stuck": NodeState.STUCK,
}


def inside(network: Network, name: str) -> str:
    """The JVM host's name for a node: a program that hosts all nodes by itself is one node there."""
    jvm = network.daemon.jvm
    return network.daemon.name if jvm and jvm.mode is JvmMode.NATIVE else name


def reports(network: Network, names: Sequence[str], host: JvmHost) -> list[NodeReport]:
    """One report per node; while the host does not answer, all of them are starting."""
    if not names:
        return []
    try:
        seen = {status.name: status for status in host.status()}
    except HostError as error:
        return [report(name, Health(NodeState.STARTING, healthy=False), error.message) for name in names]
    return [_report(name, seen.get(inside(network, name))) for name in names]


def _report(name: str, status: HostedStatus | None) -> NodeReport:
    if status is None:
        return report(name, Health(NodeState.STOPPED, healthy=False), f"not in the JVM: goldnode start {name}")
    if status.inside and name not in status.inside:
        return report(name, Health(NodeState.STOPPED, healthy=False),
                      f"{status.name} was started without it: goldnode restart {name}, which restarts every node "
                      f"of {status.name}")  # fmt: skip
    ready = status.inside.get(name, status.ready)
    state = NodeState.RUNNING if ready else _STATES[status.state]
    reason = status.reason or ("" if ready or not status.inside else f"{name} accepts no connections yet")
    health = Health(state, healthy=ready, height=max(0, status.height), peers=max(0, status.peers))
    return report(name, health, reason, restarts=status.restarts)


def report(name: str, health: Health, reason: str, *, role: str = "hosted", restarts: int = 0) -> NodeReport:
    """The report of a node without a cluster."""
    return NodeReport(name, role, "", health, reason, False, (), "", 0, (), None, restarts=restarts)


def refused(name: str, role: str, error: GoldnodeError) -> NodeReport:
    """The report of a node that may not run."""
    return report(name, Health(NodeState.REFUSED, healthy=False), error.message, role=role)
