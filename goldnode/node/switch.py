"""Holding a node's daemon, and letting it run again: what a person types and what an order says do the same."""

from __future__ import annotations

from goldnode.errors import SafetyError
from goldnode.files import write_atomic
from goldnode.node.keys import keys
from goldnode.node.layout import NodeLayout
from goldnode.node.system.system import System


def hold(node: NodeLayout, system: System, why: str, *, over_reboots: bool) -> None:
    """Stop a node until somebody lets it run again.

    Args:
        node: The node.
        system: The running machine.
        why: Who stopped it, for people.
        over_reboots: Also after the next boot.
    """
    write_atomic(node.hold if over_reboots else node.paused, f"{why}\n")
    system.stop(node.unit)
    if node.signer.is_dir():
        # Releases the lease; what is restarted holds none until it is asked for.
        system.restart(node.lease_unit)
    keys.note_progress(node)


def release(node: NodeLayout) -> None:
    """Let the agent start a node again when its role allows.

    Raises:
        SafetyError: It was handed over.
    """
    if node.handover.exists():
        raise SafetyError(f"{node.name} was handed over", hint=f"goldnode handover --cancel {node.name}")
    node.hold.unlink(missing_ok=True)
    node.paused.unlink(missing_ok=True)
