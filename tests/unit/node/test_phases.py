"""The boot tells its phases, one line each."""

from __future__ import annotations

import re
import threading
from itertools import count
from pathlib import Path

import pytest

from goldnode.node.phases import Phases, wait_for
from tests.support.node_lab import Cluster, Person, Tree


def test_a_boot_tells_each_phase_with_its_seconds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What `goldnode configure` does stands in the journal in order, a line per phase."""
    person = Person(Tree(tmp_path), capsys)
    person.tree.node_yaml("sentry", Cluster().invite("sentry"), "s-1")
    _, said = person.types("configure")

    assert ["read the image and node.yaml", "identities and keys", "plan", "apply"] == re.findall(
        r"^goldnode: phase ([a-z. ]+): [0-9]+\.[0-9]{2} s$", said, re.MULTILINE
    )


def test_a_phase_that_fails_is_told() -> None:
    """The seconds of the phase that failed are there when somebody asks what took so long."""
    said: list[str] = []
    phases = Phases(said.append, count(step=3).__next__)
    with pytest.raises(ValueError, match="no"), phases.phase("plan"):
        raise ValueError("no")

    assert ["goldnode: phase plan: 3.00 s"] == said


def test_a_program_that_was_loaded_early_waits_for_its_turn(tmp_path: Path) -> None:
    """It goes on once the file is there, and at once where it is not to wait."""
    waiting = threading.Thread(target=wait_for, args=(tmp_path / "turn",), daemon=True)
    waiting.start()
    waiting.join(0.2)
    waited = waiting.is_alive()
    (tmp_path / "turn").touch()
    waiting.join(5)
    wait_for(None)

    assert (True, False) == (waited, waiting.is_alive())
