"""Writes a network file in which every value is data: strings quoted, one line each, nothing left to YAML's guesses.

JSON's strings are YAML's double-quoted ones, so a value can neither begin a comment or a key nor
end its line.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any


def dump(document: Mapping[str, Any], indent: int = 0) -> str:
    """A block mapping, indented by ``indent`` spaces."""
    return "".join(f"{' ' * indent}{line}\n" for line in _mapping(document))


def scalar(value: Any) -> str:
    """A scalar on one line: a quoted string, a number, true or false."""
    return json.dumps(value, ensure_ascii=not (isinstance(value, str) and value.isprintable()))


def flow(value: Any) -> str:
    """Any value on one line, in flow style."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {flow(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(flow, value)) + "]"
    return scalar(value)


def entry(value: Any) -> list[str]:
    """One list entry, in block style."""
    if isinstance(value, dict) and value:
        first, *rest = _mapping(value)
        return [f"- {first}", *(f"  {line}" for line in rest)]
    return [f"- {scalar(value)}"]


def item(key: str, value: Any) -> list[str]:
    """One key with its value, in block style."""
    if isinstance(value, dict) and value:
        return [f"{key}:", *(f"  {line}" for line in _mapping(value))]
    if isinstance(value, list) and value:
        return [f"{key}:", *(f"  {line}" for one in value for line in entry(one))]
    return [f"{key}: {scalar(value)}"]


def _mapping(document: Mapping[str, Any]) -> Iterator[str]:
    for key, value in document.items():
        yield from item(key, value)
