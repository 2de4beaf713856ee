"""What systemd says of units, read."""

from __future__ import annotations

import pytest

from goldnode.errors import HostError
from goldnode.node.system.unit import Unit, parse_units

#: As systemd 257 says it: a running daemon, one that waits for its next start, and one that nobody started.
SAID = "NRestarts=0\nActiveState=active\n\nNRestarts=20\nActiveState=activating\n\nNRestarts=0\nActiveState=inactive\n"


def test_each_unit_has_its_own_paragraph() -> None:
    """Several units are told apart by their order; one that is about to run again counts as running."""
    assert {"a": Unit(True, 0), "b": Unit(True, 20), "c": Unit(False, 0)} == parse_units(SAID, ["a", "b", "c"])


def test_a_unit_without_restarts_has_none() -> None:
    """Units that are no services have no such property."""
    assert {"a.target": Unit(True, 0)} == parse_units("ActiveState=active\n", ["a.target"])


def test_an_answer_about_other_units_is_no_answer() -> None:
    """Fewer paragraphs than units are never taken for "it does not run"."""
    with pytest.raises(HostError, match="reported 3 units instead of 2"):
        parse_units(SAID, ["a", "b"])
    with pytest.raises(HostError, match="reported 0 units"):
        parse_units("", ["a"])
