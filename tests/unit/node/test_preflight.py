"""The last gate before a daemon, and what it remembers."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from goldnode.errors import GoldnodeError, HostError, InputError, SafetyError
from goldnode.node import continuation, preflight
from goldnode.node.keys import keys
from goldnode.node.keys.key_rules import KeyRecord
from goldnode.node.keys.signing_state import MUTED, SigningState, to_document
from goldnode.node.layout import NodeLayout
from tests.support.node_lab import Cluster, Tree

PLENTY = 1 << 40


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """A configured validator whose daemon may start."""
    made = Tree(tmp_path / "machine")
    program = made.write("/usr/lib/goldnode/bin/cometbft", "#!/bin/true\n")
    program.chmod(0o755)
    made.node_yaml("validator", Cluster().invite("validator"), "val-1")
    made.configure()
    keys.mark_used(made.layout.node("val-1"))
    return made


@pytest.fixture
def node(tree: Tree) -> NodeLayout:
    """Its paths."""
    return tree.layout.node("val-1")


def _pass(node: NodeLayout, free: int = PLENTY) -> None:
    preflight.check(node, preflight.read(node), lambda _: free)


def test_a_ready_validator_passes(node: NodeLayout) -> None:
    """Key, state and record agree: the gate opens."""
    _pass(node)


def _lose_state(node: NodeLayout) -> None:
    node.signing_state.unlink()


def _lose_key(node: NodeLayout) -> None:
    node.consensus_key.rename(node.base / "away")


def _lose_identity(node: NodeLayout) -> None:
    node.node_key.rename(node.base / "away")


def _roll_back(node: NodeLayout) -> None:
    node.signing_state.write_text(json.dumps(to_document(SigningState(5, 0, 3))))
    keys.note_progress(node)
    node.signing_state.write_text(json.dumps(to_document(SigningState(4, 0, 3))))


def _refuse(node: NodeLayout) -> None:
    node.failure.write_text("because\n")


def _never_clear(node: NodeLayout) -> None:
    record = keys.read_record(node)
    assert record
    keys.write_record(node, type(record)(record.address))


@pytest.mark.parametrize("act", [_lose_state, _lose_key, _lose_identity, _roll_back, _refuse, _never_clear])
def test_doubt_closes_the_gate(node: NodeLayout, act: object) -> None:
    """Whoever starts the daemon, nothing that could make it sign twice or start over gets through."""
    act(node)  # type: ignore[operator]

    with pytest.raises(SafetyError):
        _pass(node)


def test_a_full_disk_closes_the_gate(node: NodeLayout) -> None:
    """A daemon that runs out of disk corrupts its database: it does not start."""
    with pytest.raises(HostError, match="MiB are free"):
        _pass(node, free=preflight.FREE_BYTES - 1)


def test_a_missing_program_closes_the_gate(tree: Tree, node: NodeLayout) -> None:
    """A deferred daemon that was not fetched yet is no crash loop."""
    (tree.layout.library / "bin" / "cometbft").unlink()

    with pytest.raises(HostError, match="does not exist yet"):
        _pass(node)


def test_a_daemon_never_makes_its_own_configuration(node: NodeLayout) -> None:
    """Without config.toml the daemon would write one with peer exchange on: it does not start."""
    (node.home / "config" / "config.toml").unlink()

    with pytest.raises(HostError, match="no configuration yet"):
        _pass(node)


def test_an_unknown_node_is_refused(tree: Tree) -> None:
    """A unit of a node that this boot did not configure starts nothing."""
    with pytest.raises(HostError, match="is not a node of this machine"):
        preflight.read(tree.layout.node("other"))


def test_the_daemon_takes_the_place(node: NodeLayout, monkeypatch: pytest.MonkeyPatch) -> None:
    """Past the gate the process becomes the daemon, and what it read as private is written down."""
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": PLENTY}))
    became: list[list[str]] = []
    config = node.home / "config" / "config.toml"
    ids = ",".join(["a" * 40, "b" * 40])
    text = config.read_text().replace('private_peer_ids = ""', f'private_peer_ids = "{ids}"')
    config.write_text(text.replace('unconditional_peer_ids = ""', f'unconditional_peer_ids = "{"b" * 40}"'))

    preflight.become(node, lambda _, argv: became.append(argv))

    assert ["node", "--home", str(node.home), "--proxy_app=kvstore"] == became[0][1:]
    assert frozenset({"b" * 40}) == preflight.loaded(node)


def _signed(node: NodeLayout, height: int) -> None:
    node.signing_state.write_text(json.dumps(to_document(SigningState(height, 0, 3))))


def _words(node: NodeLayout, now: float) -> list[str]:
    """What is added to the daemon's command line."""
    became: list[list[str]] = []
    preflight.become(node, lambda _, argv: became.append(argv), lambda: now)
    return became[0][5:]


@pytest.fixture
def restarted(node: NodeLayout, monkeypatch: pytest.MonkeyPatch) -> NodeLayout:
    """A validator that started, signed height 9, and is about to be restarted, 1000 s after power-on."""
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": PLENTY}))
    assert [] == _words(node, 900.0)
    _signed(node, 9)
    return node


def _grant(node: NodeLayout, height: int = 9) -> bool:
    return continuation.grant(node, passed=preflight.passed(node), height=height, now=1000.0)


def test_a_daemon_that_just_signed_goes_on_once(restarted: NodeLayout) -> None:
    """It does not look back for its own signatures; the daemon after it, for whatever reason it starts, does."""
    assert _grant(restarted)

    assert [list(continuation.WORDS), []] == [_words(restarted, 1005.0), _words(restarted, 1006.0)]


@pytest.mark.parametrize("state", [0, 8, 11])
def test_who_did_not_sign_the_last_block_here_looks_back(restarted: NodeLayout, state: int) -> None:
    """Whoever signed it: this machine's state does not say that it was this one."""
    _signed(restarted, state)

    assert not _grant(restarted)
    assert [] == _words(restarted, 1005.0)


def test_a_key_that_is_kept_from_signing_looks_back(restarted: NodeLayout) -> None:
    """A muted state is above every block, and says of none that it was signed."""
    _signed(restarted, MUTED.height)

    assert not _grant(restarted)


def _turn_back(node: NodeLayout) -> None:
    _signed(node, 8)
    # Not only the state: the whole disk.
    keys.write_record(node, replace(keys.read_record(node) or KeyRecord(""), height=8))


def _damage(node: NodeLayout) -> None:
    node.continuation.write_text('{"passed": [], "height": "9", "until": "soon"}')


def _cut(node: NodeLayout) -> None:
    node.continuation.write_text('{"passed": 1')


def _start(node: NodeLayout) -> None:
    _words(node, 1004.0)


@pytest.mark.parametrize("act", [_turn_back, _damage, _cut, _start])
def test_in_doubt_it_looks_back(restarted: NodeLayout, act: Callable[[NodeLayout], None]) -> None:
    """A state of before, a file that is no word of the agent's, a daemon that was started between."""
    assert _grant(restarted)

    act(restarted)

    assert [] == _words(restarted, 1005.0)


@pytest.mark.parametrize("change", [{"leased": True}, {"signs": False}])
def test_it_is_for_a_daemon_that_has_the_key(
    restarted: NodeLayout, monkeypatch: pytest.MonkeyPatch, change: dict[str, bool]
) -> None:
    """Where a signer has it, or nobody, the daemon's start says nothing of signatures."""
    monkeypatch.setattr("os.umask", lambda _: 0)
    assert _grant(restarted)

    restarted.launch.write_text(json.dumps(json.loads(restarted.launch.read_text()) | change))

    assert [] == _words(restarted, 1005.0)


@pytest.mark.parametrize("now", [999.0, 1000.0 + continuation.SECONDS + 1])
def test_it_counts_for_a_minute(restarted: NodeLayout, now: float) -> None:
    """A daemon that took longer was away for longer; one that seems to start before is of another power-on."""
    assert _grant(restarted)

    assert [] == _words(restarted, now)


def test_nothing_is_loaded_before_the_first_start(node: NodeLayout) -> None:
    """A sentry that never ran holds nobody, whatever its file says."""
    assert frozenset() == preflight.loaded(node)


def test_a_broken_config_is_said(node: NodeLayout) -> None:
    """A config.toml that is no TOML is named, not half read."""
    (node.home / "config" / "config.toml").write_text("[")

    with pytest.raises(InputError, match="is not valid TOML"):
        preflight.private_peers(node)


def test_errors_have_hints(node: NodeLayout) -> None:
    """Whatever closes the gate says what to type."""
    _lose_state(node)

    with pytest.raises(GoldnodeError) as caught:
        _pass(node)

    assert caught.value.hint
