"""The ledger: steps are done once, also across crashes."""

from __future__ import annotations

from pathlib import Path

import pytest

from goldnode.errors import PublishError
from goldnode.publish.ledger import Facts, Ledger

RELEASE = "a" * 64


class Counter:
    """An action that counts how often it is done."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self) -> Facts:
        """Do it."""
        self.times += 1
        return {"id": self.times}


def test_a_step_is_done_once_across_runs(tmp_path: Path) -> None:
    """A second run gets the first run's result and does nothing."""
    act = Counter()

    first = Ledger(tmp_path / "l.jsonl", RELEASE).once("image", act)
    second = Ledger(tmp_path / "l.jsonl", RELEASE).once("image", act)

    assert {"id": 1} == first == second
    assert act.times == 1


def test_what_is_found_is_not_done(tmp_path: Path) -> None:
    """A result that the place already has is adopted."""
    act = Counter()

    held = Ledger(tmp_path / "l.jsonl", RELEASE).once("image", act, find=lambda: {"id": 9})

    assert {"id": 9} == held
    assert act.times == 0


@pytest.mark.parametrize("torn", [1, 5, 20])
def test_a_torn_last_line_is_dropped(tmp_path: Path, torn: int) -> None:
    """A crash in the middle of a write costs that record and nothing else."""
    path = tmp_path / "l.jsonl"
    ledger = Ledger(path, RELEASE)
    ledger.once("one", Counter())
    whole = path.read_bytes()
    ledger.once("two", Counter())
    path.write_bytes(whole + path.read_bytes()[len(whole) :][:torn])

    again = Ledger(path, RELEASE)

    assert {"id": 1} == again.result("one")
    assert again.result("two") is None
    assert path.read_bytes().endswith(b"\n")
    assert path.read_bytes().startswith(whole)


def test_announced_before_it_is_done(tmp_path: Path) -> None:
    """The step's name is in the file when its action runs."""
    path = tmp_path / "l.jsonl"
    ledger = Ledger(path, RELEASE)
    seen: list[str] = []

    def act() -> Facts:
        seen.append(path.read_text())
        return {}

    ledger.once("image", act)

    assert '{"begin":"image"}' in seen[0]


def test_marks_add_up_and_are_forgotten_together(tmp_path: Path) -> None:
    """Parts of a step survive a restart, until the step is forgotten."""
    ledger = Ledger(tmp_path / "l.jsonl", RELEASE)
    ledger.mark("blocks", [3, 1])
    ledger.mark("blocks", [2])

    again = Ledger(tmp_path / "l.jsonl", RELEASE)

    assert frozenset({1, 2, 3}) == again.marked("blocks")
    again.forget("blocks")
    assert frozenset() == Ledger(tmp_path / "l.jsonl", RELEASE).marked("blocks")


def test_another_release_is_refused(tmp_path: Path) -> None:
    """A ledger is about one release only."""
    Ledger(tmp_path / "l.jsonl", RELEASE)

    with pytest.raises(PublishError, match="belongs to another release"):
        Ledger(tmp_path / "l.jsonl", "b" * 64)


@pytest.mark.parametrize("text", ["[]\n", "{}\n", "nonsense\n", '{"ledger":1,"release":"' + RELEASE + '"}\n[1]\n'])
def test_damage_is_refused(tmp_path: Path, text: str) -> None:
    """A file that is no ledger is named, not overwritten."""
    path = tmp_path / "l.jsonl"
    path.write_text(text)

    with pytest.raises(PublishError, match="is damaged at byte"):
        Ledger(path, RELEASE)

    assert text == path.read_text()
