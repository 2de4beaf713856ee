"""The documents quote messages as the program says them: whoever searches for a sentence finds it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from goldnode.paths import REPOSITORY

DOCUMENTS = ("troubleshooting.md", "operations.md")
#: What differs each time: braces, an ellipsis, a number, or a word in capitals.
DIFFERS = re.compile(r"\{[^}]*\}|…|\b\d+\b|\b[A-Z]+\b")
#: Shorter pieces between two of those say nothing.
SHORTEST = 7


def said() -> list[str]:
    """Every text of the program, with NUL where a value goes in."""
    texts = []
    for file in (REPOSITORY / "goldnode").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                texts.append(node.value)
            elif isinstance(node, ast.JoinedStr):
                texts.append("".join(str(it.value) if isinstance(it, ast.Constant) else "\0" for it in node.values))
    return texts


def quoted(document: Path) -> Iterator[str]:
    """The pieces of every message in a table whose first column is headed `says`."""
    inside = False
    for line in document.read_text().splitlines():
        cell = line.split("|")[1].strip() if line.startswith("|") else ""
        inside = cell == "says" or (inside and bool(cell))
        if inside and cell != "says":
            for message in cell.split(";"):
                yield from (piece for it in DIFFERS.split(message) if len(piece := it.strip(" `:,")) >= SHORTEST)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_quoted_messages_are_the_programs_own(name: str) -> None:
    """Every quoted piece of a message stands in the program."""
    texts = said()
    pieces = list(quoted(REPOSITORY / "docs" / name))

    assert len(pieces) > 10
    assert [] == [piece for piece in pieces if not any(piece in text for text in texts)]
