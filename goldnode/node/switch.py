"""Holds a node's daemon, lets it run again, hands it over: for commands and orders alike."""

from __future__ import annotations

from goldnode.errors import SafetyError
from goldnode.files import write_atomic
from goldnode.node.keys import handover, keys
from goldnode.node.layout import NodeLayout
from goldnode.node.system.system import System


def hold(node: NodeLayout, system: System, why: str, *, over_reboots: bool) -> None:
    """Stop a node until somebody releases it.

    Args:
        node: The node.
        system: The running machine.
        why: Who stopped it, for people.
        over_reboots: Whether it stays stopped after the next boot.
    """
    write_atomic(node.hold if over_reboots else node.paused, f"{why}\n")
    system.stop(node.unit)
    if node.signer.is_dir():
        # Releases the lease; the restarted keeper holds none until it is asked for.
        system.restart(node.lease_unit)
    keys.note_progress(node)


def release(node: NodeLayout) -> None:
    """Let the agent start a node again as soon as its role allows.

    Raises:
        SafetyError: It was handed over.
    """
    if node.handover.exists():
        raise SafetyError(f"{node.name} was handed over", hint=f"goldnode handover --cancel {node.name}")
    node.hold.unlink(missing_ok=True)
    node.paused.unlink(missing_ok=True)


def hand_over(node: NodeLayout, system: System, binding: str) -> handover.HandoverToken:
    """Stop a node for good and mark its volume for one new machine.

    Args:
        node: The node, which belongs to this machine.
        system: The running machine.
        binding: Digest of this machine.
    """
    write_atomic(node.hold, "handed over\n")
    system.stop(node.unit)
    if node.signer.is_dir():
        # Releases the lease: the new machine signs at once, from the next height.
        system.stop(node.lease_unit)
        system.stop(node.signer_unit)
    return handover.offer(node, binding)
