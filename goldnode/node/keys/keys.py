"""A validator's key and signing state are one object: they appear, move and are refused together.

Three things are checked before a daemon may run: the key, the state, and our own record of the
two (``consensus.json``), which says whether the key was ever allowed to sign and how far it is
known to have signed.  ``key_rules.decide`` judges them; this module reads them and does what is allowed.

The invariants, whatever happens in whatever order (tests/unit/node/keys/test_keys_property.py):
no key file is deleted or overwritten, and no state of height 0 is written where a key may have signed.
The record says *used* durably before the daemon first starts.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

from goldnode.config.choices import ConsensusKey
from goldnode.errors import SafetyError
from goldnode.files import write_json
from goldnode.node import node_files
from goldnode.node.keys import cometbft_keys, signing_state
from goldnode.node.keys.claims import Judgement
from goldnode.node.keys.cometbft_keys import Key
from goldnode.node.keys.key_rules import Evidence, Files, KeyRecord, Recovery, Verdict, decide
from goldnode.node.keys.signing_state import MUTED, UNUSED, SigningState
from goldnode.node.layout import NodeLayout


def gather(
    node: NodeLayout, wanted: ConsensusKey, seen: Callable[[str, int], Judgement] = lambda *_: Judgement()
) -> Evidence:
    """Gather the evidence about a key.

    Args:
        node: Whose key.
        wanted: What node.yaml says.
        seen: Judges what the cluster says about an address, given the last height known here.

    Raises:
        SafetyError: A file exists and cannot be read.
    """
    key = read_key(node)
    record = read_record(node)
    address = key.address if key else None
    known, state, recovery = address or (record.address if record else ""), read_state(node), read_recovery(node)
    judged = seen(known, record.height if record else state.height if state else 0) if known else Judgement()
    return Evidence(
        wanted,
        address,
        state,
        record,
        judged.height,
        seen_by=judged.by or "a member of the cluster",
        rival=str(judged.rival or ""),
        recovering=recovery is not None,
        recovered=recovery.state if recovery else MUTED,
        handing_over=os.path.lexists(node.handover),
        files=Files(node.name, str(node.consensus_key), str(node.signing_state), str(node.key_record)),
    )


def settle(node: NodeLayout, evidence: Evidence, seed: Callable[[], bytes]) -> Verdict:
    """Do what ``decide`` allows, until the key is ready.

    Args:
        node: Whose key.
        evidence: What ``gather`` found.
        seed: Gives 32 random bytes.

    Returns:
        The verdict that was acted on.

    Raises:
        SafetyError: See ``key_rules.decide``.
    """
    verdict = decide(evidence)
    if verdict is Verdict.GENERATE:
        place(node, Key(seed()), UNUSED, used=False)
    elif verdict is Verdict.COMPLETE:
        _write_new(node.signing_state, signing_state.to_document(UNUSED))
    elif verdict is Verdict.ADOPT and evidence.address and evidence.state:
        write_record(node, KeyRecord(evidence.address).reached(evidence.state))
    return verdict


def place(node: NodeLayout, key: Key, state: SigningState, *, used: bool) -> None:
    """Put a new key in place: record, state, key in that order, so that a power cut never leaves a key without a state.

    Raises:
        SafetyError: A key is there already, or a state that is later than this one.
    """
    if os.path.lexists(node.consensus_key):
        raise SafetyError(f"{node.consensus_key} exists; a key is never overwritten", hint="goldnode key show")
    before = read_state(node)
    if before is not None and before > state:
        raise SafetyError(f"{node.signing_state} says {before}, later than {state}", hint="goldnode key show")
    write_record(node, KeyRecord(key.address, used=used).reached(state))
    write_json(node.signing_state, signing_state.to_document(state), 0o600)
    _write_new(node.consensus_key, key.validator_document())


def mark_used(node: NodeLayout) -> None:
    """Record, before the daemon first starts, that from now on the key may have signed."""
    record = read_record(node)
    if record and not record.used:
        write_record(node, replace(record, used=True))


def note_progress(node: NodeLayout) -> KeyRecord | None:
    """Copy the daemon's signing state into the record, so that a rollback is noticed later."""
    record, state = read_record(node), read_state(node)
    if state == MUTED:
        # MUTED is not what the key signed, but keeps it from signing while its state is recovered.
        return record
    if record is None or state is None or state <= record.state:
        return record
    write_record(node, record.reached(state))
    return record.reached(state)


def read_key(node: NodeLayout) -> Key | None:
    """The consensus key; None without a file."""
    text = node_files.read_text(node.consensus_key, hint=f"goldnode key import ARCHIVE {node.name}")
    return None if text is None else cometbft_keys.parse(text, str(node.consensus_key))


def read_state(node: NodeLayout) -> SigningState | None:
    """The signing state; None without a file."""
    text = node_files.read_text(node.signing_state, hint=f"goldnode key recover {node.name}")
    return None if text is None else signing_state.parse(text, str(node.signing_state))


def read_record(node: NodeLayout) -> KeyRecord | None:
    """Our record of the key; None if this node never had one.

    Raises:
        SafetyError: The file cannot be read, so what the key did is unknown.
    """
    hint = f"goldnode key recover {node.name}"
    document = node_files.read_object(node.key_record, hint=hint, ours=True)
    try:
        return None if document is None else KeyRecord.from_document(document)
    except ValueError as error:
        raise node_files.unusable(node.key_record, str(error), hint) from error


def read_recovery(node: NodeLayout) -> Recovery | None:
    """The recovery under way; None if there is none.

    Raises:
        SafetyError: Its file cannot be read.
    """
    hint = f"goldnode key recover {node.name}"
    document = node_files.read_object(node.recovery, hint=hint, ours=True)
    if document is None:
        return None
    numbers = [number for number in map(document.get, Recovery.__slots__) if type(number) is int and number >= 0]
    if len(numbers) != len(Recovery.__slots__):
        raise node_files.unusable(node.recovery, "known, first and done are not numbers", hint)
    return Recovery(*numbers)


def write_record(node: NodeLayout, record: KeyRecord) -> None:
    """Write our record of the key."""
    write_json(node.key_record, asdict(record), 0o644)


def _write_new(path: Path, document: dict[str, object]) -> None:
    """Write a file that must not exist yet, whole or not at all: a link fails where a rename would overwrite."""
    draft = path.with_name(f".{path.name}.new")
    write_json(draft, document, 0o640)
    try:
        os.link(draft, path)
    except FileExistsError as error:
        raise SafetyError(f"{path} exists; it is never overwritten", hint="goldnode key show") from error
    finally:
        draft.unlink()
