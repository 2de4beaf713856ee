"""Reads chain-registry's JSON, which anybody may have written: size is bounded, and types are never assumed.

A registry is edited by hundreds of people through pull requests.  So a file is read only up to a
size, a key that stands twice is refused (two readers would see two chains), and a value is taken
out by functions that give an empty one where the type is not what the registry's schema says.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

from goldnode.errors import InputError

#: Largest chain.json or versions.json read, in bytes; the largest real one has 34 KiB.
MAX_BYTES = 1 << 20
#: Longest piece of foreign text shown in a remark.
SHOWN = 80


def load(path: Path) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        InputError: It cannot be read, is too large or too deep, names a key twice, or is not an object.
    """
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            raise InputError(f"{path} is larger than {MAX_BYTES >> 20} MiB, which no chain's data is")
        content = json.loads(data.decode("utf-8"), object_pairs_hook=_object, parse_constant=_constant)
    except RecursionError as error:
        raise InputError(f"{path} is nested too deeply") from error
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise InputError(
            f"{path} cannot be read: {printable(str(why), 120)}",
            hint="git clone the chain-registry, then name its folder",
        ) from error
    if not isinstance(content, dict):
        raise InputError(f"{path} is not a JSON object")
    return content


def mapping(value: Any, *path: str) -> Mapping[str, Any]:
    """The mapping at ``path`` inside ``value``; empty if there is none."""
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else {}


def entries(value: Any) -> list[Mapping[str, Any]]:
    """The mappings in a list; other entries are skipped."""
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


def text(value: Any) -> str:
    """The value stripped of space if it is a string, else an empty string."""
    return value.strip() if isinstance(value, str) else ""


def whole(value: Any) -> int | None:
    """The value if it is an integer in the range of block heights."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 63 else None


def printable(foreign: str, most: int = SHOWN) -> str:
    """Foreign text as one bounded line that neither a terminal nor a YAML reader can misinterpret."""
    line = "".join(mark if mark.isprintable() else "\N{REPLACEMENT CHARACTER}" for mark in foreign[: most + 1])
    return line if len(line) <= most else f"{line[: most - 1]}…"


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {printable(twice)!r} appears twice in one object")
    return content


def _constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
