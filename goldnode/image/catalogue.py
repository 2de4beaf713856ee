"""The rules as a table for people: docs/image-hygiene.md holds it, and a test holds it true."""

from __future__ import annotations

from collections.abc import Iterable

from goldnode.image.rule import Rule

HEADER = ("| rule | promise | otherwise | checked too by |", "|---|---|---|---|")


def markdown(rules: Iterable[Rule]) -> str:
    """One row per rule, in the order of their names."""
    rows = (
        f"| `{rule.id}` | {rule.promise} | {rule.why} | {rule.source} |" for rule in sorted(rules, key=lambda r: r.id)
    )
    return "\n".join([*HEADER, *rows]) + "\n"
