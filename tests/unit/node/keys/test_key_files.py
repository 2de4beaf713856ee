"""CometBFT's key and state files: known vectors, and nothing guessed."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goldnode.errors import GoldnodeError, InputError, SafetyError
from goldnode.node.keys import archive, cometbft_keys, keys, signing_state
from goldnode.node.keys.cometbft_keys import Key
from goldnode.node.keys.signing_state import UNUSED, SigningState, to_document
from goldnode.node.layout import Layout, NodeLayout
from goldnode.protocol.key_backup import KeyBackup


@pytest.fixture
def node(tmp_path: Path) -> NodeLayout:
    """A node without a key."""
    return Layout(tmp_path).node("val-1")


def test_an_address_is_known_before_the_daemon_runs() -> None:
    """ID and address follow from the public key as CometBFT's documentation has it."""
    public = base64.b64decode("UjxDQgVTlHJOZ7QD3bBJtK0O+VIGC5DWYCSYVxXRtqs=")
    key = Key(b"\1" * 32)

    assert len(public) == len(key.public) == 32
    assert key.address == key.node_id.upper() == key.validator_document()["address"]


@given(st.binary(min_size=32, max_size=32))
def test_keys_survive_their_files(seed: bytes) -> None:
    """What is written is read back, from either file."""
    key = Key(seed)

    assert key == cometbft_keys.parse(json.dumps(key.node_document()), "node_key.json")
    assert key == cometbft_keys.parse(json.dumps(key.validator_document()), "priv_validator_key.json")


def _spoiled(change: str) -> str:
    document = Key(b"\1" * 32).validator_document()
    other = Key(b"\2" * 32)
    match change:
        case "address":
            document["address"] = other.address
        case "pub_key":
            document["pub_key"] = other.validator_document()["pub_key"]
        case "half":
            document["priv_key"]["value"] = base64.b64encode(b"\1" * 32 + other.public).decode()
        case "short":
            document["priv_key"]["value"] = "AAAA"
        case "type":
            document["priv_key"]["type"] = "tendermint/PrivKeySecp256k1"
        case "base64":
            document["priv_key"]["value"] = "*"
    return json.dumps(document)


@pytest.mark.parametrize("change", ["address", "pub_key", "half", "short", "type", "base64"])
def test_a_key_that_contradicts_itself_is_refused(change: str) -> None:
    """Address, public and secret half must be one key's."""
    with pytest.raises(SafetyError, match="not a key of CometBFT"):
        cometbft_keys.parse(_spoiled(change), "key.json")


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"height": 5}', '{"height": "05"}', '{"height": "-1"}', '{"height": "5", "round": -1}',
     '{"height": "5", "step": 4}', '{"height": "5", "step": true}', '{"height": "5"'],
)  # fmt: skip
def test_a_state_that_is_not_clear_is_refused(text: str) -> None:
    """What was signed last is read, never guessed."""
    with pytest.raises(SafetyError, match="does not say what was signed last"):
        signing_state.parse(text, "state.json")


@given(st.integers(0, 2**62), st.integers(0, 9), st.integers(0, 3))
def test_states_survive_their_file(height: int, round_: int, step: int) -> None:
    """What is written is read back; heights are strings, as CometBFT has them."""
    state = SigningState(height, round_, step)

    assert state == signing_state.parse(json.dumps(to_document(state)), "state.json")


def test_a_key_is_never_overwritten(node: NodeLayout) -> None:
    """Placing a key where one is changes nothing and says so."""
    keys.place(node, Key(b"\1" * 32), UNUSED, used=False)

    with pytest.raises(SafetyError, match="never overwritten"):
        keys.place(node, Key(b"\2" * 32), UNUSED, used=False)

    assert Key(b"\1" * 32) == keys.read_key(node)


def test_a_key_travels_with_its_state(node: NodeLayout, tmp_path: Path) -> None:
    """Exported and imported elsewhere, key and state are the same, and the old machine does not sign."""
    keys.place(node, Key(b"\1" * 32), SigningState(7, 0, 3), used=True)
    node.hold.write_text("")
    text = json.dumps(archive.export(node, "chain-1"))
    other = Layout(tmp_path / "other").node("val-1")

    key, state, used = archive.parse(text, "archive", "chain-1")
    archive.bring(other, key, state, used=used)

    assert (Key(b"\1" * 32), SigningState(7, 0, 3)) == (keys.read_key(other), keys.read_state(other))
    record = keys.read_record(node)
    assert record
    assert record.exported


def test_a_running_key_is_not_exported(node: NodeLayout) -> None:
    """Without a hold the key may still sign: no archive."""
    keys.place(node, Key(b"\1" * 32), UNUSED, used=True)

    with pytest.raises(SafetyError, match="may still sign"):
        archive.export(node, "chain-1")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("no json", "not a key archive"),
        ("[]", "not a key archive"),
        ('{"kind": "goldnode consensus key", "version": 2}', "not a key archive"),
        ('{"kind": "goldnode consensus key", "version": 1, "chain_id": "other"}', "for other"),
        ('{"kind": "goldnode consensus key", "version": 1, "chain_id": "chain-1"}', "not a key"),
    ],
)
def test_what_is_no_archive_is_refused(text: str, said: str) -> None:
    """A bare key, another chain's archive, or noise is refused by name."""
    with pytest.raises((InputError, SafetyError), match=said):
        archive.parse(text, "archive", "chain-1")


LEASE = "etcd://10.0.0.1:2379,10.0.0.2:2379/cluster-1?tls=no"


@pytest.mark.parametrize(
    ("lease", "same"),
    [
        (LEASE, True),
        ("etcd://10.0.0.3:2379,10.0.0.2:2379/cluster-1", True),
        ("etcd://10.0.0.1:2379,10.0.0.2:2379/cluster-2", False),
        ("etcd://10.0.0.3:2379/cluster-1", False),
        ("s3://10.0.0.1:2379/cluster-1", False),
        ("file:///cluster-1", False),
        ("", False),
    ],
)
def test_a_key_from_a_backup_is_taken_by_its_own_lease_only(lease: str, *, same: bool) -> None:
    """Two stores know nothing of each other: each would let its machine sign."""
    key = Key(b"\1" * 32)
    document = to_document(SigningState(7, 0, 3))
    backup = KeyBackup("chain-1", "val-1", key.address, LEASE, 0, key.validator_document(), document)
    text = json.dumps(archive.restored(backup))
    if same:
        assert key == archive.parse(text, "archive", "chain-1", lease=lease)[0]
        return
    with pytest.raises(SafetyError, match=r"only the signing lease etcd://.* knows what this key signed since"):
        archive.parse(text, "archive", "chain-1", lease=lease)


def _bring_old(node: NodeLayout) -> None:
    archive.bring(node, Key(b"\1" * 32), SigningState(3), used=True)


def _bring_other(node: NodeLayout) -> None:
    archive.bring(node, Key(b"\2" * 32), SigningState(9), used=True)


def _declare_unused(node: NodeLayout) -> None:
    archive.bring_unused(node, Key(b"\1" * 32))


def _declare_seen(node: NodeLayout) -> None:
    archive.bring_unused(node, Key(b"\3" * 32), seen_height=4)


def _bring_seen(node: NodeLayout) -> None:
    archive.bring(node, Key(b"\1" * 32), SigningState(7), used=True, seen_height=8)


@pytest.mark.parametrize("act", [_bring_old, _bring_other, _declare_unused, _declare_seen, _bring_seen])
@pytest.mark.parametrize("lost", [True, False])
def test_a_used_key_comes_back_only_ahead_of_itself(node: NodeLayout, act: object, lost: bool) -> None:
    """Whether its file is here or lost: no older state, no other key, no oath that it never signed."""
    keys.place(node, Key(b"\1" * 32), SigningState(7), used=True)
    if lost:
        node.consensus_key.rename(node.base / "elsewhere")
    before = keys.read_state(node)

    with pytest.raises(GoldnodeError):
        act(node)  # type: ignore[operator]

    assert before == keys.read_state(node)
