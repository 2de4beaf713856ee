"""The repository holds: docs/image-hygiene.md lists the rules as they are."""

import goldnode.image.rules  # noqa: F401 - fills the list
from goldnode import paths
from goldnode.image.digest import HEADER
from goldnode.image.rule import RULES

TABLE = ("| rule | promise | otherwise | checked too by |", "|---|---|---|---|")


def markdown() -> str:
    """The rules as a table: one row per rule, in the order of their names."""
    rows = (f"| `{it.id}` | {it.promise} | {it.why} | {it.source} |" for it in sorted(RULES, key=lambda it: it.id))
    return "\n".join([*TABLE, *rows]) + "\n"


def test_the_documented_rules_are_the_rules() -> None:
    """Who reads the document knows what is checked; on red, paste `markdown()` into it."""
    assert markdown() in (paths.REPOSITORY / "docs" / "image-hygiene.md").read_text()


def test_the_documented_example_has_the_documented_header() -> None:
    """The version of the digest's text is the one in the document."""
    assert f"the line `{HEADER}`" in (paths.REPOSITORY / "docs" / "image-hygiene.md").read_text()
