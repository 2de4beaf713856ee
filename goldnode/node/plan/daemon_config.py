"""The daemon's TOML files: its own defaults, with keys set and everything else kept.

The bake ships what the daemon itself writes as defaults.  Keys are set in the parsed document, so
unknown keys, order and comments are kept, and a key keeps the spelling that the daemon uses:
CometBFT writes ``max_num_inbound_peers``, the SDK ``minimum-gas-prices``, and some files mix both.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import tomlkit
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import AbstractTable

from goldnode.errors import InputError

Settings = Mapping[str, Mapping[str, Any]]


def render(file: str, defaults: str, settings: Mapping[str, Any]) -> str:
    """A config file with keys set.

    Args:
        file: Its name, for errors.
        defaults: The daemon's own file.
        settings: Dotted keys and values, as `p2p.pex`.

    Raises:
        InputError: The defaults are not TOML, or a key names a table.
    """
    return _rendered(_Rendering(file, defaults, repr([*settings.items()]), settings))


@dataclass(frozen=True, slots=True)
class _Rendering:
    """Everything a config file is made from; settings are compared as text, so that 1 differs from true."""

    file: str
    defaults: str
    text: str
    settings: Mapping[str, Any] = field(compare=False)


@lru_cache(maxsize=64)
def _rendered(job: _Rendering) -> str:
    """Cached, because every boot renders it twice, to prepare a node and to plan, and parsing is most of both."""
    try:
        document = tomlkit.parse(job.defaults)
    except TOMLKitError as error:
        raise InputError(f"{job.file}, as the daemon wrote it, is not valid TOML: {error}") from error
    for key, value in job.settings.items():
        _put(job.file, document, key, value)
    return tomlkit.dumps(document)


def merge(*layers: Settings) -> dict[str, dict[str, Any]]:
    """Settings per file, later layers first; both spellings of a key are one key."""
    merged: dict[str, dict[str, Any]] = {}
    for layer in layers:
        for file, settings in layer.items():
            target = merged.setdefault(file, {})
            for key, value in flatten(settings):
                for same in [name for name in target if plain(name) == plain(key)]:
                    del target[same]
                target[key] = value
    return merged


def flatten(settings: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Nested tables as dotted keys; keys that are already dotted stay as they are."""
    for key, value in settings.items():
        if isinstance(value, Mapping):
            yield from flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def plain(key: str) -> str:
    """A key in the spelling used for comparison."""
    return key.replace("-", "_")


def fill(settings: Settings, values: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Fill the braces in a role's settings with a node's values.

    A setting that names a value which this node lacks (None) is left out.
    """
    filled: dict[str, dict[str, Any]] = {}
    for file, entries in settings.items():
        target = filled.setdefault(file, {})
        for key, value in entries.items():
            missing = isinstance(value, str) and any(
                f"{{{name}}}" in value for name, known in values.items() if known is None
            )
            if not missing:
                target[key] = value.format_map(values) if isinstance(value, str) else value
    return filled


def _put(file: str, document: tomlkit.TOMLDocument, key: str, value: Any) -> None:
    *tables, leaf = key.split(".")
    table: Any = document
    for name in tables:
        spelled = _spelling(table, name)
        if spelled not in table:
            table[spelled] = tomlkit.table()
        table = table[spelled]
        if not isinstance(table, AbstractTable):
            raise InputError(f"{file}: cannot set {key}: {name} is not a TOML table")
    spelled = _spelling(table, leaf)
    if isinstance(table.get(spelled), AbstractTable):
        raise InputError(f"{file}: {key} is a table, not a value")
    if table.get(spelled) != value or type(table.get(spelled)) is bool or isinstance(value, bool):
        table[spelled] = value


def _spelling(table: Any, name: str) -> str:
    for candidate in (name, name.replace("-", "_"), name.replace("_", "-")):
        if candidate in table:
            return candidate
    return name
