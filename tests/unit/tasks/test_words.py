"""Commands as people type them."""

from __future__ import annotations

import pytest

from goldnode.tasks.words import join


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("network check", "network.check"),
        ("network check a b.yaml --json", "network.check --name a --name b.yaml --json"),
        ("network check --name a b", "network.check --name a --name b"),
        ("network show a --json", "network.show a --json"),
        ("network", "--list network"),
        ("networks --json", "networks --json"),
        ("--debug network lock a", "--debug network.lock a"),
        ("", ""),
    ],
)
def test_words_become_what_invoke_knows(typed: str, expected: str) -> None:
    """Two words are one command, and a list of names is an option that is repeated."""
    assert join(typed.split()) == expected.split()
