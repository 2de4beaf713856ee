"""Which settings an order may change, and the resulting node.yaml; pure.

Only what can be reverted: nothing here deletes a key, opens a login, changes a role or moves a port.  ``prove``
afterwards checks the whole node.yaml, and refuses what the daemon would not accept.
"""

from __future__ import annotations

import copy
import ipaddress
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from goldnode.config.node_config import MULTI_NODE
from goldnode.errors import ExchangeError
from goldnode.forms import is_peer
from goldnode.node.plan.daemon_config import plain
from goldnode.protocol.order import OrderCode, forbid

_PRICE = r"[0-9]{1,18}(?:\.[0-9]{1,18})?[a-zA-Z][a-zA-Z0-9/:._-]{1,127}"
_PRICES = re.compile(rf"{_PRICE}(?:,{_PRICE}){{0,7}}")
_KEEP = re.compile(r"keep:([0-9]{3,7})")
#: States that are thrown away at a time.
_PRUNE_EVERY = "10"
_MOST = 16


@dataclass(frozen=True, slots=True)
class Setting:
    """A setting that an order may change.

    Attributes:
        meaning: Its form, for people.
        write: Puts a value into a node's entry; raises ValueError if its form is wrong.
        clear: Removes it again, so that the image's own value applies.
    """

    meaning: str
    write: Callable[[dict[str, Any], str], None]
    clear: Callable[[dict[str, Any]], None]


def changed(text: str, name: str, given: Mapping[str, str], removed: Iterable[str]) -> str:
    """The node.yaml that an order asks for.

    Args:
        text: The one in force.
        name: The node.
        given: Settings and their values.
        removed: Settings to remove.

    Raises:
        ExchangeError: `bad-arguments`; a setting is unknown, or its value is malformed.
    """
    document: dict[str, Any] = yaml.safe_load(text)
    entry = _entry(document, name)
    for key in [*given, *removed]:
        if key not in SETTINGS:
            raise _bad(f"there is no setting {key!r} that an order may change; there are {', '.join(SETTINGS)}")
    for key in removed:
        SETTINGS[key].clear(entry)
    for key, value in given.items():
        try:
            SETTINGS[key].write(entry, value)
        except ValueError as error:
            raise _bad(f"{key}={value}: expected {SETTINGS[key].meaning}") from error
    return yaml.safe_dump(document, sort_keys=False)


def _entry(document: dict[str, Any], name: str) -> dict[str, Any]:
    """A node's own entry, with inherited values written out, so that its siblings keep theirs."""
    if document["role"] != MULTI_NODE:
        return document
    entry: dict[str, Any] = next(each for each in document["nodes"] if each["name"] == name)
    for key in ("config", "peers", "metrics"):
        if key in document and key not in entry:
            entry[key] = copy.deepcopy(document[key])
    return entry


def _bad(message: str) -> ExchangeError:
    return forbid(message, OrderCode.BAD_ARGUMENTS, "./invoke node set --help")


def _put(entry: dict[str, Any], key: str, value: object) -> None:
    _take(entry, key)
    entry.setdefault("config", {}).setdefault("app.toml", {})[key] = value


def _take(entry: dict[str, Any], *keys: str) -> None:
    config = entry.get("config") or {}
    settings = config.get("app.toml") or {}
    for known in [known for known in settings if plain(known) in {plain(key) for key in keys}]:
        del settings[known]
    if "app.toml" in config and not settings:
        del config["app.toml"]
    if "config" in entry and not config:
        del entry["config"]


def _gas_prices(entry: dict[str, Any], value: str) -> None:
    if not _PRICES.fullmatch(value):
        raise ValueError(value)
    _put(entry, "minimum-gas-prices", value)


def _pruning(entry: dict[str, Any], value: str) -> None:
    kept = _KEEP.fullmatch(value)
    if not kept and value not in ("default", "nothing"):
        raise ValueError(value)
    _clear_pruning(entry)
    _put(entry, "pruning", "custom" if kept else value)
    if kept:
        _put(entry, "pruning-keep-recent", kept[1])
        _put(entry, "pruning-interval", _PRUNE_EVERY)


def _clear_pruning(entry: dict[str, Any]) -> None:
    _take(entry, "pruning", "pruning-keep-recent", "pruning-interval")


def _peers(entry: dict[str, Any], value: str) -> None:
    peers = value.split(",")
    if len(peers) > _MOST or not all(is_peer(peer, numeric=True) for peer in peers):
        raise ValueError(value)
    entry["peers"] = peers


def _metrics(entry: dict[str, Any], value: str) -> None:
    sources = value.split(",")
    if len(sources) > _MOST:
        raise ValueError(value)
    entry["metrics"] = [str(ipaddress.ip_network(source)) for source in sources]


SETTINGS = {
    "gas-prices": Setting(
        "amounts with their denominations, as 0.025uosmo",
        _gas_prices,
        lambda entry: _take(entry, "minimum-gas-prices"),
    ),
    "pruning": Setting("default, nothing, or keep:N with 100 states at least", _pruning, _clear_pruning),
    "peers": Setting(
        "peers, as ID@203.0.113.5:26656, separated by commas, no names", _peers, lambda entry: _drop(entry, "peers")
    ),
    "metrics": Setting(
        "networks that may read port 9600, as 10.0.0.0/8", _metrics, lambda entry: _drop(entry, "metrics")
    ),
}


def _drop(entry: dict[str, Any], key: str) -> None:
    entry.pop(key, None)
