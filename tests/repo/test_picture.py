"""The picture in ARCHITECTURE.md shows the imports as they are."""

from __future__ import annotations

import re

from goldnode.paths import REPOSITORY
from tests.repo.test_imports import PACKAGE, drawing

SOURCE = REPOSITORY / "docs" / "pictures" / "architecture.dot"
#: `a -> b` and `a -> {b c}`; a name that Graphviz keeps for itself has a _ behind it.
ARROW = re.compile(r"^ *(\w+) -> (?:(\w+)|\{([^}]*)\})", re.MULTILINE)


def drawn() -> set[tuple[str, str]]:
    """The arrows of the picture's source."""
    found = ARROW.findall(SOURCE.read_text())
    return {(one.strip("_"), other.strip("_")) for one, single, many in found for other in (many or single).split()}


def test_every_arrow_is_an_import_and_every_import_an_arrow() -> None:
    """Between the folders of the package; plumbing is below all of them, and tasks above."""
    folders = {room: below for room, below in drawing(PACKAGE).items() if not room.endswith(".py")}
    imports = {(room, other) for room, below in folders.items() for other in below if not other.endswith(".py")}

    assert {arrow for arrow in imports if arrow[0] != "tasks"} == {arrow for arrow in drawn() if arrow[0] != "tasks"}
    assert {arrow for arrow in drawn() if arrow[0] == "tasks"} <= imports
    assert set(folders) == {end for arrow in drawn() for end in arrow}


def test_the_picture_is_drawn_from_its_source() -> None:
    """The SVG has the arrows of its source: whoever changes one draws the other."""
    titles = re.findall(r"<title>(\w+)&#45;&gt;(\w+)</title>", SOURCE.with_suffix(".svg").read_text())

    assert drawn() == {(one.strip("_"), other.strip("_")) for one, other in titles}
