"""A volume with consensus keys, read back with ext4's own tools."""

from __future__ import annotations

import json
from pathlib import Path

from goldnode.config.choices import ConsensusKey
from goldnode.fleet.fleet import bring_keys, make_volume, restore_keys
from goldnode.node.keys import key_rules, keys, signing_state
from goldnode.node.keys.cometbft_keys import Key
from goldnode.node.layout import Layout
from goldnode.node.system.volume import LABEL
from goldnode.protocol.key_backup import KeyBackup
from goldnode.run import run

KEYS = {"validator-1": Key(bytes(32)), "two": Key(bytes([1]) * 32)}


def test_a_volume_brings_keys_that_never_signed(tmp_path: Path) -> None:
    """The node's own rules find each key with its state and a record that says never used: it may sign."""
    made = make_volume(tmp_path / "keys.qcow2", lambda layout: bring_keys(layout, KEYS))
    raw, out = tmp_path / "raw", tmp_path / "out"
    out.mkdir()
    run(["qemu-img", "convert", "-O", "raw", made, raw])
    run(["debugfs", "-R", f"rdump / {out}", raw])
    (out / "lost+found").rmdir()
    (tmp_path / "machine" / "var" / "lib" / "goldnode").mkdir(parents=True)
    out.rename(tmp_path / "machine" / "var" / "lib" / "goldnode" / "nodes")
    layout = Layout(tmp_path / "machine")

    assert LABEL == run(["blkid", "-p", "-s", "LABEL", "-o", "value", raw]).stdout.strip()
    for name, key in KEYS.items():
        evidence = keys.gather(layout.node(name), ConsensusKey.EXISTING)
        assert (key.address, False) == (evidence.address, evidence.record and evidence.record.used)
        assert key_rules.Verdict.READY is key_rules.decide(evidence)


def test_files_of_a_volume_are_roots(tmp_path: Path) -> None:
    """Whoever makes the volume, on the machine that mounts it the key is root's alone."""
    made = make_volume(tmp_path / "keys.qcow2", lambda layout: bring_keys(layout, {"one": Key(bytes(32))}))
    raw = tmp_path / "raw"
    run(["qemu-img", "convert", "-O", "raw", made, raw])
    told = run(["debugfs", "-R", "stat /one/home/config/priv_validator_key.json", raw]).stdout

    assert "User:     0   Group:     0" in told
    assert json.loads(run(["debugfs", "-R", "cat /one/consensus.json", raw]).stdout)["used"] is False


def test_a_key_from_a_backup_counts_as_used(tmp_path: Path) -> None:
    """Whatever its backup says of it, a restored key is not new: only its lease may open a height."""
    layout, key = Layout(tmp_path), Key(bytes(32))
    state = signing_state.to_document(signing_state.UNUSED)

    restore_keys(layout, [KeyBackup("c-1", "one", key.address, "etcd://s/l", 0, key.validator_document(), state)])

    evidence = keys.gather(layout.node("one"), ConsensusKey.EXISTING)
    assert (key.address, True) == (evidence.address, evidence.record and evidence.record.used)
    assert key_rules.Verdict.READY is key_rules.decide(evidence)
