"""The switch from one version to the next, and the way back, on a node's files."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from goldnode.config.network import Upgrade
from goldnode.errors import ArtifactError, HostError, SafetyError
from goldnode.files import sha256_file, write_json
from goldnode.node.keys import keys, signing_state
from goldnode.node.keys.cometbft_keys import Key
from goldnode.node.keys.signing_state import SigningState
from goldnode.node.layout import Layout, NodeLayout
from goldnode.node.plan.upgrade import Binary, Ladder, program
from goldnode.node.versions import rungs, upgrades
from tests.support.node_lab import seed

RUNG = Upgrade("v2", 100, "2.0.0", {}, pre_upgrade_copy=True)


class PowerCutError(BaseException):
    """The machine is off."""


@pytest.fixture
def node(tmp_path: Path) -> NodeLayout:
    """A node that runs 1.0.0 at height 99, with a database and a key that signed."""
    found = Layout(tmp_path).node("n-1")
    data = found.home / "data"
    for name, text in (("application.db/1.ldb", "table"), ("application.db/LOG", "log"), ("upgrade-info.json", "")):
        (data / name).parent.mkdir(parents=True, exist_ok=True)
        (data / name).write_text(text)
    write_json(data / "upgrade-info.json", {"name": "v2", "height": 100})
    write_json(found.started, {"version": "1.0.0", "rung": ""})
    keys.place(found, Key(seed("key")), SigningState(99, 0, 3), used=True)
    upgrades.note_height(found, 99)
    return found


@pytest.fixture
def ladder(tmp_path: Path) -> Ladder:
    """An image with 1.0.0, and 2.0.0 beside it."""
    library = tmp_path / "library"
    return with_version(Ladder(library, "gaiad", "1.0.0", (RUNG,)), "2.0.0")


def with_version(ladder: Ladder, version: str) -> Ladder:
    """The image with a further version on it."""
    goal = program(ladder.library, ladder.name, version)
    draft = ladder.library / "draft"
    (draft / "bin").mkdir(parents=True)
    (draft / "bin" / ladder.name).write_text(version)
    goal.parent.parent.parent.mkdir(parents=True, exist_ok=True)
    rungs.settle(draft, goal)
    return ladder


def sign(node: NodeLayout, state: SigningState) -> None:
    """What the key signed last."""
    write_json(node.signing_state, signing_state.to_document(state))


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_halted_node_switches_and_keeps_a_copy(node: NodeLayout, ladder: Ladder) -> None:
    """The new program is run, the mark is durable, and the copy holds the state but never what was signed."""
    found, words = upgrades.switch(node, ladder)
    kept = upgrades.copy_of(node, "v2")

    assert (program(ladder.library, "gaiad", "2.0.0"), []) == (found, words)
    assert "2.0.0" == upgrades.started(node)
    assert {"application.db/1.ldb", "application.db/LOG", "upgrade-info.json"} == set(contents(kept))
    assert (kept / "application.db/LOG").stat().st_ino != (node.home / "data/application.db/LOG").stat().st_ino


@pytest.mark.parametrize("step", ["verified", "copied", "marked"])
def test_a_power_cut_at_every_step_ends_at_the_same(node: NodeLayout, ladder: Ladder, step: str) -> None:
    """Whatever step was the last before the cut: the next start does the rest, and keys are the same bytes."""
    before = {path: path.read_bytes() for path in (node.consensus_key, node.signing_state, node.key_record)}

    def cut(done: str) -> None:
        if done == step:
            raise PowerCutError

    with pytest.raises(PowerCutError):
        upgrades.switch(node, ladder, cut)
    found, _ = upgrades.switch(node, ladder)

    assert program(ladder.library, "gaiad", "2.0.0") == found
    assert "2.0.0" == upgrades.started(node)
    assert b"log" == contents(upgrades.copy_of(node, "v2"))["application.db/LOG"]
    assert before == {path: path.read_bytes() for path in before}


def test_a_copy_that_was_cut_off_is_made_anew(node: NodeLayout, ladder: Ladder) -> None:
    """Half a copy never gets its name."""
    half = upgrades.copy_of(node, "v2").with_name("before-v2.part")
    (half / "application.db").mkdir(parents=True)
    (half / "application.db" / "1.ldb").write_text("ha")
    upgrades.switch(node, ladder)

    assert b"table" == contents(upgrades.copy_of(node, "v2"))["application.db/1.ldb"]
    assert not half.exists()


def test_a_missing_and_a_wrong_program_are_refused(node: NodeLayout, ladder: Ladder) -> None:
    """Neither is started, and nothing is marked: the node waits, and says for what."""
    path = program(ladder.library, "gaiad", "2.0.0")
    path.write_text("something else")
    assert Binary.WRONG is upgrades.verify(ladder.library, "gaiad", "2.0.0")
    with pytest.raises(ArtifactError, match="not what was verified"):
        upgrades.switch(node, ladder)
    path.unlink()
    assert Binary.MISSING is upgrades.verify(ladder.library, "gaiad", "2.0.0")
    with pytest.raises(HostError, match="is not on this machine"):
        upgrades.switch(node, ladder)

    assert "1.0.0" == upgrades.started(node)


def test_an_unknown_plan_is_said_by_name(node: NodeLayout, ladder: Ladder) -> None:
    """No guess: the operator is told what to fetch."""
    write_json(node.home / "data" / "upgrade-info.json", {"name": "v7", "height": 100})
    with pytest.raises(HostError, match="halted for upgrade v7 at height 100"):
        upgrades.switch(node, ladder)


def test_the_way_back_restores_the_state_and_keeps_what_was_signed(node: NodeLayout, ladder: Ladder) -> None:
    """Before the new version signed, the old one runs on the old state, and skips the upgrade."""
    upgrades.switch(node, ladder)
    (node.home / "data" / "application.db" / "1.ldb").unlink()
    (node.home / "data" / "application.db" / "2.ldb").write_text("migrated")
    signed = node.signing_state.read_bytes()

    assert "1.0.0" == upgrades.roll_back(node, ladder)
    assert (ladder.library / "bin" / "gaiad", ["--unsafe-skip-upgrades", "100"]) == upgrades.switch(node, ladder)
    assert {"1.ldb", "LOG"} == {path.name for path in (node.home / "data" / "application.db").iterdir()}
    assert signed == node.signing_state.read_bytes()


def test_nothing_goes_back_once_it_signed(node: NodeLayout, ladder: Ladder) -> None:
    """The new version signed the first height: going back could sign it twice."""
    upgrades.switch(node, ladder)
    sign(node, SigningState(100, 0, 1))
    with pytest.raises(SafetyError, match="signed height 100"):
        upgrades.roll_back(node, ladder)

    assert "2.0.0" == upgrades.started(node)


def test_what_the_old_version_signed_bars_no_way_back(node: NodeLayout, ladder: Ladder) -> None:
    """It votes for the upgrade's own height before it halts there; one step more is the new version's."""
    sign(node, SigningState(100, 1, 3))
    upgrades.switch(node, ladder)

    assert "1.0.0" == upgrades.roll_back(node, ladder)
    assert ("1.0.0", "2.0.0") == (upgrades.running(node), upgrades.started(node))

    (node.home / "before-v2").mkdir()
    sign(node, SigningState(101, 0, 2))
    with pytest.raises(SafetyError, match="signed height 101"):
        upgrades.roll_back(node, ladder)


def test_a_mark_of_before_says_nothing_of_what_was_signed(node: NodeLayout, ladder: Ladder) -> None:
    """Whoever upgraded with a goldnode that did not note it goes back only from below the height."""
    write_json(node.started, {"version": "2.0.0", "rung": "v2"})
    upgrades.copy_of(node, "v2").mkdir()
    sign(node, SigningState(100, 0, 2))
    with pytest.raises(SafetyError, match="signed height 100"):
        upgrades.roll_back(node, ladder)


def test_a_muted_state_says_nothing_of_the_height(node: NodeLayout, ladder: Ladder) -> None:
    """While a signing state is recovered its number is above all heights: no reason to go up, nor to go back."""
    (node.home / "data" / "upgrade-info.json").unlink()
    upgrades.note_height(node, 50)
    write_json(node.signing_state, signing_state.to_document(signing_state.MUTED))

    assert 50 == upgrades.seen(node).height
    assert ladder.library / "bin" / "gaiad" == upgrades.switch(node, ladder)[0]
    write_json(node.started, {"version": "2.0.0", "rung": "v2"})
    with pytest.raises(SafetyError, match="is unknown"):
        upgrades.roll_back(node, ladder)


def test_a_second_way_back_leads_to_what_ran(node: NodeLayout, ladder: Ladder) -> None:
    """After v2 was skipped, v3 is gone back from to the version that ran, and not without a copy."""
    third = Upgrade("v3", 200, "3.0.0", {}, pre_upgrade_copy=True)
    ladder = with_version(Ladder(ladder.library, "gaiad", "1.0.0", (RUNG, third)), "3.0.0")
    upgrades.switch(node, ladder)
    upgrades.roll_back(node, ladder)
    write_json(node.home / "data" / "upgrade-info.json", {"name": "v3", "height": 200})
    sign(node, SigningState(200, 0, 3))
    upgrades.switch(node, ladder)
    assert ("3.0.0", "3.0.0") == (upgrades.running(node), upgrades.started(node))
    kept = upgrades.copy_of(node, "v3")
    kept.rename(kept.with_name("away"))
    with pytest.raises(HostError, match="no copy"):
        upgrades.roll_back(node, ladder)
    kept.with_name("away").rename(kept)

    assert "1.0.0" == upgrades.roll_back(node, ladder)
    assert "1.0.0" == upgrades.running(node)


@pytest.mark.parametrize("content", [b"", bytes(40), b"{", b"[]", b"\xff"])
@pytest.mark.parametrize("name", ["started", "rollback"])
def test_a_damaged_mark_starts_nothing(node: NodeLayout, ladder: Ladder, name: str, content: bytes) -> None:
    """Nobody knows which version may run on that state: a person decides."""
    path: Path = getattr(node, name)
    path.write_bytes(content)
    with pytest.raises(SafetyError, match="cannot be used"):
        upgrades.switch(node, ladder)


def test_nobody_waits_for_what_the_daemon_left(node: NodeLayout) -> None:
    """Its folder is its own: a FIFO, a link or a deep document under the name of its halt is no halt."""
    path = node.home / "data" / "upgrade-info.json"
    for make in (os.mkfifo, lambda name: name.symlink_to("/dev/zero"), lambda name: name.write_text("[" * 100_000)):
        path.unlink()
        make(path)

        assert upgrades.halt(node) is None


def test_a_rollback_cut_off_is_finished_by_the_same_command(node: NodeLayout, ladder: Ladder) -> None:
    """The mark comes first: the newer version cannot start on half a state."""
    upgrades.switch(node, ladder)
    kept = upgrades.copy_of(node, "v2")
    write_json(node.rollback, {"version": "1.0.0", "skip": "100", "rung": "v2"})
    (node.home / "data" / "upgrade-info.json").unlink()
    (kept / "upgrade-info.json").replace(node.home / "data" / "upgrade-info.json")

    assert "1.0.0" == upgrades.roll_back(node, ladder)
    assert not kept.exists()
    assert "table" == (node.home / "data" / "application.db" / "1.ldb").read_text()


def test_without_an_upgrade_there_is_no_way_back(node: NodeLayout, ladder: Ladder) -> None:
    """A node that runs the image's own version is told so."""
    with pytest.raises(HostError, match="has not passed an upgrade"):
        upgrades.roll_back(node, ladder)


def test_a_version_gets_its_name_with_its_hash(ladder: Ladder) -> None:
    """What verified.json says is the program's own hash."""
    path = program(ladder.library, "gaiad", "2.0.0")

    assert {"sha256": sha256_file(path)} == json.loads((path.parent.parent / "verified.json").read_text())
