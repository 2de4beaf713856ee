"""Moves a node to a new machine or image, with its volume: by one token, consumed once.

``goldnode handover`` stops the daemon for good, waits until everything is on disk, and leaves a
token beside the node.  A machine that finds the token with a binding other than the one that wrote it
takes the node over, and turns the token into a receipt.  While the token is there, the old machine
refuses to start the node.

The token is on the volume, so it protects that volume: a second machine that gets the *same* volume
finds the receipt.  But a copy of the volume that was made while the token was on it has its own token,
and both machines would start.  If both reach the rendezvous, they are noticed (one identity, one key) and
held; nothing on the volume itself can reveal it.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from goldnode.errors import SafetyError
from goldnode.files import write_json
from goldnode.node import node_files
from goldnode.node.keys import keys
from goldnode.node.layout import NodeLayout


@dataclass(frozen=True, slots=True)
class HandoverToken:
    """A node that is being moved.

    Attributes:
        source: Binding of the old machine.
        state: What its key signed last, as `height/round/step`; empty without a key.
    """

    source: str
    state: str


def offer(node: NodeLayout, binding: str) -> HandoverToken:
    """Leave the token; the caller has stopped the daemon with --hold.

    Raises:
        SafetyError: The node was not stopped with --hold, or it was handed over already.
    """
    if not node.hold.exists():
        raise SafetyError(f"{node.name} may still run", hint=f"goldnode stop --hold {node.name}")
    if node.handover.exists():
        raise SafetyError(f"{node.name} was handed over already", hint="goldnode handover --cancel NAME")
    if keys.read_recovery(node):
        raise SafetyError(f"{node.name} is recovering its signing state", hint="goldnode status: wait until it signs")
    record = keys.note_progress(node)
    token = HandoverToken(binding, str(record.state) if record else "")
    os.sync()
    write_json(node.handover, {"version": 1, "from": token.source, "state": token.state})
    return token


def read(node: NodeLayout) -> HandoverToken | None:
    """The token; None if the node is not being moved.

    Raises:
        SafetyError: It cannot be read.
    """
    hint = f"goldnode handover {node.name} on the machine it leaves"
    document = node_files.read_object(node.handover, hint=hint, ours=True)
    if document is None:
        return None
    source, state = document.get("from"), document.get("state")
    if not isinstance(source, str) or not isinstance(state, str):
        raise node_files.unusable(node.handover, "it does not name the old machine and the signing state", hint)
    return HandoverToken(source, state)


def consume(node: NodeLayout, binding: str) -> bool:
    """Take the node over, if a token of another machine allows it.

    Args:
        node: The node.
        binding: The new machine's binding.

    Returns:
        Whether it is ours now; then the hold is lifted.

    Raises:
        SafetyError: The signing state differs from the one that was handed over.
    """
    token = read(node)
    if token is None or token.source == binding:
        return False
    state = keys.read_state(node) if token.state else None
    if token.state and str(state) != token.state:
        raise SafetyError(
            f"{node.name} was handed over at {token.state}, but its signing state says {state}",
            hint="use the volume itself, not a snapshot of it",
        )
    # A rename succeeds once; a second machine finds no token.
    receipt = node.handover.with_name(f"handover-{token.source[:8]}-{binding[:8]}.json")
    try:
        node.handover.rename(receipt)
    except FileNotFoundError:
        return False
    node.hold.unlink(missing_ok=True)
    return True


def cancel(node: NodeLayout, binding: str) -> None:
    """Cancel the handover on the machine that began it.

    Raises:
        SafetyError: There is no token, or it is from another machine.
    """
    token = read(node)
    if token is None:
        raise SafetyError(f"{node.name} is not being handed over, or another machine took it", hint="goldnode status")
    if token.source != binding:
        raise SafetyError(f"{node.name} was handed over by another machine; only that one can cancel it")
    node.handover.unlink()
