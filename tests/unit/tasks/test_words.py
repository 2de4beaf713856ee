"""Commands as people type them."""

from __future__ import annotations

import pytest

from goldnode.tasks.words import Typed, join, read


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("network check", "network.check"),
        ("network check a b.yaml --json", "network.check --name a --name b.yaml --json"),
        ("network check --name a b", "network.check --name a --name b"),
        ("network show a --json", "network.show a --json"),
        ("network", "--list network"),
        ("networks --json", "networks --json"),
        ("", ""),
    ],
)
def test_words_become_what_invoke_knows(typed: str, expected: str) -> None:
    """Two words are one command, and a list of names is an option that is repeated."""
    assert join(typed.split()) == expected.split()


@pytest.mark.parametrize("flag", ["--help", "-h", "--debug", "-d"])
@pytest.mark.parametrize("place", range(4))
def test_help_and_debug_count_wherever_they_stand(flag: str, place: int) -> None:
    """What follows a command is not its first argument when it asks for help, or for tracebacks."""
    words = ["image", "check", "a.qcow2"]
    words.insert(place, flag)

    assert Typed(["image.check", "a.qcow2"], help=flag in ("--help", "-h"), debug=flag in ("--debug", "-d")) == read(
        words
    )


def test_what_stands_behind_two_dashes_is_left_alone() -> None:
    """The shell hands over what was typed so far behind `--`, to be completed."""
    assert Typed(["--complete", "--", "network", "--help", ""]) == read(["--complete", "--", "network", "--help", ""])
