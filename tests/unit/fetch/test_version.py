"""What counts as the pinned version."""

from __future__ import annotations

import pytest

from goldnode.fetch.version import agrees


@pytest.mark.parametrize("answer", ["0.61.14", "v0.61.14\n", "\nwarning: no config\n0.61.14\n"])
def test_the_version_may_wear_a_v_and_stand_among_warnings(answer: str) -> None:
    """Daemons answer on stdout or stderr, with or without a leading v."""
    assert agrees(answer, "0.61.14")


@pytest.mark.parametrize("answer", ["", "0.61.1", "0.61.140", "0.61.14-dirty", "wasmd 0.61.14"])
def test_another_version_is_another_version(answer: str) -> None:
    """Nothing but the pin counts, not even what begins like it."""
    assert not agrees(answer, "0.61.14")
