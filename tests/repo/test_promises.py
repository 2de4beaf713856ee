"""docs/double-signing.md: a promise about money has its test, under the name that the page gives."""

from __future__ import annotations

import re

from goldnode.paths import REPOSITORY

NAMED = re.compile(r"`(tests/\S+\.py)::(\w+)`")


def test_every_promise_about_keys_has_its_test() -> None:
    """Each line of the page names a test that is there."""
    lines = [line for line in (REPOSITORY / "docs" / "double-signing.md").read_text().splitlines()
             if line.startswith("| ") and not line.startswith("| what ")]  # fmt: skip
    missing = []
    for line in lines:
        named = NAMED.findall(line)
        missing += [line] if not named else []
        missing += [f"{path}::{name}" for path, name in named
                    if f"def {name}(" not in (REPOSITORY / path).read_text()]  # fmt: skip

    assert len(lines) > 15
    assert [] == missing
