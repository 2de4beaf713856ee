"""Recovers a lost signing state safely: the chain itself shows what can have been signed.

A validator signs at most one height above the chain's last block.  So when its signing state is lost
(a power cut that left the file empty, a damaged disk) the node first follows the chain *muted*: its state
has a height that no chain reaches, and CometBFT signs nothing at or below the height in its state.  Once
the chain has advanced by some blocks without it, everything that this machine can have signed is in the past,
and the state is set to the chain's height at that time.

The operator is told what this assumes: that no copy of the key signs elsewhere, and that the chain continues
without this validator.  If it does not (a third of the power, a single validator) the recovery waits, and says so.
"""

from __future__ import annotations

import os
from dataclasses import asdict, replace

from goldnode.errors import SafetyError
from goldnode.files import write_json
from goldnode.node import node_files
from goldnode.node.keys import keys, signing_state
from goldnode.node.keys.key_rules import KeyRecord, Recovery
from goldnode.node.keys.signing_state import MUTED, SigningState
from goldnode.node.layout import NodeLayout


def begin(node: NodeLayout, *, seen_height: int = 0, elsewhere: bool = False) -> Recovery:
    """Mute a stopped node, so that it may follow the chain until everything it can have signed is in the past.

    Args:
        node: The node that lost its signing state or record; the caller has made sure that its daemon does not run.
        seen_height: The greatest height that the cluster recorded for this key.
        elsewhere: Whether another machine may have signed since; then even a readable state counts as lost.

    Raises:
        SafetyError: There is no key, it was exported, or nothing is lost.
    """
    key = keys.read_key(node)
    if key is None:
        raise SafetyError(
            f"{node.name} has no consensus key ({node.consensus_key})", hint=f"goldnode key import ARCHIVE {node.name}"
        )
    if os.path.lexists(node.handover):
        raise SafetyError(f"{node.name} was handed over", hint=f"goldnode handover --cancel {node.name}")
    record, state, before = _record(node), _state(node), _before(node)
    if record and record.exported:
        raise SafetyError(f"the key {key.address} was exported", hint=f"goldnode key import ARCHIVE {node.name}")
    if record and record.address != key.address:
        raise SafetyError(
            f"the key in {node.consensus_key} is {key.address}, and this node's is {record.address}",
            hint="put the right key back",
        )
    whole = record is not None and state is not None and state >= record.state and state.height >= seen_height
    if whole and state != MUTED and not elsewhere:
        raise SafetyError(f"{node.name} has its key, its signing state and its record: nothing is lost",
                          hint="goldnode status")  # fmt: skip
    heights = [record.height if record else 0, before.known if before else 0, seen_height]
    if state and state != MUTED:
        heights.append(state.height)
    begun = Recovery(max(heights))
    _write(node, begun)
    if record is None:
        if os.path.lexists(node.key_record):
            node_files.set_aside(node.key_record)
        record = KeyRecord(key.address)
    keys.write_record(node, replace(record, used=True, height=max(record.height, begun.known)))
    if state != MUTED:
        if os.path.lexists(node.signing_state):
            node_files.set_aside(node.signing_state)
        write_json(node.signing_state, signing_state.to_document(MUTED), 0o600)
    return begun


def observe(node: NodeLayout, recovery: Recovery, height: int, *, signed: bool) -> Recovery:
    """Update the recovery with the chain's height, seen at its tip.

    Args:
        node: The node.
        recovery: Its recovery so far.
        height: The chain's height.
        signed: Whether the last blocks carry this key's signature.  This machine is muted, so another one made it,
        now or just before it ended: counting starts over.

    Returns:
        The updated recovery; ``done`` is set once the chain is past everything that can have been signed.
    """
    now = recovery if recovery.first and not (signed and not recovery.done) else replace(recovery, first=height)
    if not now.done and height >= now.target:
        now = replace(now, done=height)
    if now != recovery:
        _write(node, now)
    return now


def finish(node: NodeLayout, recovery: Recovery) -> None:
    """Let a stopped node sign again, above the height that the chain has reached.

    After each step the node is either muted or may sign: killed between any two, it continues from there.
    """
    record = keys.read_record(node)
    if record is None:
        raise SafetyError(f"{node.key_record} is gone", hint=f"goldnode key recover {node.name}")
    keys.write_record(node, record.reached(recovery.state))
    write_json(node.signing_state, signing_state.to_document(recovery.state), 0o600)
    node.recovery.unlink()


def explain(recovery: Recovery, *, signed: bool) -> str:
    """What it is waiting for, for people."""
    if signed:
        return (
            f"recovering its signing state: the last blocks, up to {recovery.first}, carry its key's signature, "
            "and not from here; switch the machine that has the key off for good"
        )
    if not recovery.first:
        return "recovering its signing state: follows the chain to its tip, and signs nothing"
    return f"recovering its signing state: signs nothing until the chain has passed height {recovery.target}"


def _write(node: NodeLayout, recovery: Recovery) -> None:
    write_json(node.recovery, {"version": 1, **asdict(recovery)}, 0o644)


def _record(node: NodeLayout) -> KeyRecord | None:
    try:
        return keys.read_record(node)
    except SafetyError:
        return None


def _state(node: NodeLayout) -> SigningState | None:
    try:
        return keys.read_state(node)
    except SafetyError:
        return None


def _before(node: NodeLayout) -> Recovery | None:
    try:
        return keys.read_recovery(node)
    except SafetyError:
        return None
