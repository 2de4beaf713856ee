"""Moving a consensus key: one file that holds the key and its signing state, never one without the other.

Exporting ends the key's life on this machine: the record says *exported*, and the daemon is
refused until the same key comes back with a state that is not older.  So an archive is for
moving, not for backing up a key that keeps signing: its state would be stale with the next block.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from goldnode.config import node_entry
from goldnode.errors import InputError, SafetyError
from goldnode.files import write_json
from goldnode.node import node_files
from goldnode.node.keys import cometbft_keys, keys, signing_state
from goldnode.node.keys.cometbft_keys import Key
from goldnode.node.keys.key_rules import KeyRecord
from goldnode.node.keys.signing_state import MUTED, UNUSED, SigningState
from goldnode.node.keys.stores.store import same_store
from goldnode.node.layout import NodeLayout
from goldnode.protocol.key_backup import KeyBackup

VERSION = 1
KIND = "goldnode consensus key"


def export(node: NodeLayout, chain_id: str, target: str = "") -> dict[str, Any]:
    """Export the key of a stopped node; from then on it does not sign here.

    Args:
        node: The key's node; the caller has stopped its daemon with --hold.
        chain_id: The chain it signs for.
        target: ID of the only node that may import it; empty for any, once on each.

    Returns:
        The archive: secret.

    Raises:
        SafetyError: There is no key, it was exported already, or its state is missing or older than known.
    """
    key, state, record = keys.read_key(node), keys.read_state(node), keys.read_record(node)
    if not node.hold.exists():
        raise SafetyError(f"{node.name} may still sign", hint=f"goldnode stop --hold {node.name}")
    if key is None or state is None or record is None:
        raise SafetyError(f"{node.name} has no consensus key with a signing state", hint="goldnode key show")
    if record.exported:
        # A second archive would have the first one's state, and the key may have signed elsewhere since.
        raise SafetyError(f"{node.name}'s key was exported already", hint="use that archive, or import it back here")
    if state < record.state:
        raise SafetyError(f"the signing state says {state}, but the key has signed up to {record.state}")
    if state == MUTED or keys.read_recovery(node):
        raise SafetyError(f"{node.name} is recovering its signing state", hint="goldnode status: wait until it signs")
    keys.write_record(node, replace(record.reached(state), exported=True))
    document = {"key": key.validator_document(), "state": signing_state.to_document(state)}
    return {"version": VERSION, "kind": KIND, "chain_id": chain_id, "used": record.used, "for": target, **document}


def copy(node: NodeLayout, chain_id: str, lease: str, time: int) -> KeyBackup:
    """Copy a key that keeps signing here, for a backup; only a signing lease makes that safe.

    Args:
        node: Whose key.
        chain_id: The chain it signs for.
        lease: Where its signing lease is kept.
        time: Unix seconds.

    Raises:
        SafetyError: There is no key, it was exported, or it has no lease.
    """
    key, state, record = keys.read_key(node), keys.read_state(node), keys.read_record(node)
    if not node.signer.is_dir() or not lease:
        raise SafetyError(
            f"{node.name} signs without a lease: nothing would keep a restored copy from signing beside it",
            hint="write lease: into node.yaml; or move the key: goldnode key export FILE",
        )
    if not node_entry.fences(lease):
        raise SafetyError(
            f"{lease} is on this machine's disk: it is gone with it, and fences no copy",
            hint="write lease: etcd://… or s3://… into node.yaml",
        )
    if key is None or state is None or record is None or record.exported:
        raise SafetyError(f"{node.name} has no consensus key with a signing state", hint="goldnode key show")
    document = signing_state.to_document(state)
    return KeyBackup(chain_id, node.name, key.address, lease, time, key.validator_document(), document)


def restored(backup: KeyBackup) -> dict[str, Any]:
    """Turn a backup into an archive, which only a node with that lease can import."""
    document = {"chain_id": backup.chain_id, "used": True, "for": "", "lease": backup.lease}
    return {"version": VERSION, "kind": KIND, **document, "key": backup.key, "state": backup.state}


def parse(text: str, file: str, chain_id: str, node_id: str = "", *, lease: str = "") -> tuple[Key, SigningState, bool]:
    """Read an archive: key, state, and whether the key was ever allowed to sign.

    Args:
        text: Its content.
        file: Its name, for the messages.
        chain_id: The chain of this machine.
        node_id: The node that is to import it.
        lease: Where that node's signing lease is kept; empty without one.

    Raises:
        InputError: It is not an archive, or is for another chain.
        SafetyError: Its key or state cannot be read.
    """
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{file} is not a key archive: {error}", hint="goldnode key export FILE makes one") from error
    if not isinstance(document, dict) or document.get("kind") != KIND or document.get("version") != VERSION:
        raise InputError(f"{file} is not a key archive", hint="goldnode key export FILE makes one")
    if document.get("chain_id") != chain_id:
        raise InputError(f"{file} holds a key for {document.get('chain_id')}, and this machine runs {chain_id}")
    target = document.get("for", "")
    if target and target != node_id:
        raise SafetyError(
            f"{file} was exported for the node {target}, and this one is {node_id or 'none yet'}",
            hint="import it there; it signs on no other",
        )
    if (kept := document.get("lease")) and not (lease and same_store(str(kept), lease)):
        raise SafetyError(
            f"{file} was restored from a backup, whose state is old: only the signing lease {kept} knows what this key "
            f"signed since, and this node has {f'another one, {lease}' if lease else 'none'}",
            hint=f"write lease: {kept} into node.yaml",
        )
    key = cometbft_keys.parse(json.dumps(document.get("key")), file)
    state = signing_state.parse(json.dumps(document.get("state")), file)
    return key, state, bool(document.get("used", True))


def restore(node: NodeLayout, backup: KeyBackup) -> None:
    """Put a key from its backup on a new machine's volume: into its signer's folder, where only its lease lets it sign.

    Raises:
        SafetyError: Its key or state cannot be read, or a key is there already.
    """
    text = json.dumps(restored(backup))
    key, state, used = parse(text, backup.node, backup.chain_id, lease=backup.lease)
    node.signer.mkdir(parents=True, exist_ok=True, mode=0o700)
    bring(node, key, state, used=used)


def bring(node: NodeLayout, key: Key, state: SigningState, *, used: bool, seen_height: int = 0) -> None:
    """Put an imported key and its state in place.

    Args:
        node: The key's new node.
        key: The key.
        state: What it signed last.
        used: Whether it may ever have signed.
        seen_height: The greatest height that the cluster recorded for this key.

    Raises:
        SafetyError: Another key is here, this one was never exported, or the state is older than known.
    """
    if state.height < seen_height:
        raise SafetyError(
            f"the archive says height {state.height}, but the cluster saw this key at {seen_height}",
            hint="export it again where it signed last",
        )
    record = keys.read_record(node)
    here = _whole_key(node, record, key)
    if here is None:
        _check_record(record, key, state)
        _set_aside_damaged_state(node)
        keys.place(node, key, state, used=used or state > UNUSED)
        return
    if record is None or here.address != key.address or record.address != key.address:
        raise SafetyError(f"{node.name} has another consensus key, {here.address}; a key is never overwritten")
    if state < record.state:
        raise SafetyError(f"the archive says {state}, but the key has signed up to {record.state}")
    _set_aside_damaged_state(node)
    before = keys.read_state(node)
    if before is None or before < state:
        write_json(node.signing_state, signing_state.to_document(state), 0o600)
    keys.write_record(node, replace(record.reached(state), used=record.used or used, exported=False))


def _whole_key(node: NodeLayout, record: KeyRecord | None, key: Key) -> Key | None:
    """The key that is here.  A damaged file is set aside, to be replaced by the key that our record names."""
    try:
        return keys.read_key(node)
    except SafetyError:
        if record is None or record.address != key.address:
            raise
        node_files.set_aside(node.consensus_key)
        return None


def _set_aside_damaged_state(node: NodeLayout) -> None:
    """Set aside a damaged state, to be replaced by the key's own: that is not older than our record."""
    try:
        keys.read_state(node)
    except SafetyError:
        node_files.set_aside(node.signing_state)


def bring_unused(node: NodeLayout, key: Key, *, seen_height: int = 0) -> None:
    """Put a key in place that, as a person declares, has never signed.

    Raises:
        SafetyError: It is known to have signed, or another key is here.
    """
    record = keys.read_record(node)
    if seen_height or (record and record.address == key.address and record.used):
        raise SafetyError(
            f"the key {key.address} has signed (a member of the cluster saw height {seen_height})",
            hint="goldnode key import ARCHIVE, exported where it signed last",
        )
    here = keys.read_key(node)
    if here is None:
        _check_record(record, key, UNUSED)
        keys.place(node, key, UNUSED, used=False)
    elif here.address == key.address and record is None:
        _adopt_unused(node, key)
    else:
        raise SafetyError(f"{node.name} has a consensus key, {here.address}; a key is never overwritten")


def _adopt_unused(node: NodeLayout, key: Key) -> None:
    state = keys.read_state(node)
    if state is not None and state > UNUSED:
        raise SafetyError(f"the signing state beside the key says {state}: it has signed", hint="goldnode key show")
    keys.write_record(node, KeyRecord(key.address))


def _check_record(record: KeyRecord | None, key: Key, state: SigningState) -> None:
    """Check that a lost key does not come back with an older state than known, and that no other takes its place."""
    if record is None or not record.used:
        return
    if record.address != key.address:
        raise SafetyError(
            f"this node's key is {record.address}, and the archive holds {key.address}",
            hint="use another machine, or another name, for another key",
        )
    if state < record.state:
        raise SafetyError(
            f"the archive says {state}, but the key has signed up to {record.state}",
            hint="export it again where it signed last",
        )
