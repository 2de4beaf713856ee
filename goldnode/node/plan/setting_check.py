"""Checks that the keys of ``config:`` exist in the daemon's configuration, with values that it accepts.

A daemon silently ignores a misspelt key, and fails at every start over a value of the wrong type.
Its own default file helps: it has every key, with an example of each value.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any

from goldnode.config.node_entry import NodeEntry
from goldnode.errors import Fault
from goldnode.forms import is_host, is_port
from goldnode.node.plan.daemon_config import flatten, plain

#: Go's time.ParseDuration, without a sign: no daemon uses negative durations.
DURATION = re.compile(r"(?:[0-9]+(?:\.[0-9]*)?(?:ns|us|µs|ms|s|m|h))+|0")
_SCHEME = re.compile(r"[a-z]+://")
KINDS = {bool: "true or false", int: "an integer", float: "a number", str: "a text", list: "a list"}


def check(entry: NodeEntry, defaults: Mapping[str, str]) -> Iterator[Fault]:
    """List what is wrong with a node's ``config:``.

    Args:
        entry: The node.
        defaults: The daemon's own files; without any, as before a deferred fetch, nothing is checked.
    """
    for file, settings in entry.config.items():
        if not defaults:
            return
        if file not in defaults:
            yield _fault(entry, file, "", "", "this network's daemon has no such file", f"use {', '.join(defaults)}")
            continue
        known = {plain(key): value for key, value in flatten(tomllib.loads(defaults[file]))}
        for key, value in flatten(settings):
            if plain(key) not in known:
                close = difflib.get_close_matches(plain(key), known, 1)
                fix = f"did you mean {close[0]}?" if close else f"the daemon's {file} on this image has all keys"
                yield _fault(entry, file, key, value, "the daemon has no such key", fix)
            elif reason := _wrong(file, key, value, known[plain(key)]):
                yield _fault(entry, file, key, value, reason, f"the daemon's own value is {known[plain(key)]!r}")


def _wrong(file: str, key: str, value: Any, default: Any) -> str:
    """Why the daemon would not accept a value in place of its own; empty if it would."""
    wanted = type(default)
    number = wanted is float and isinstance(value, int) and not isinstance(value, bool)
    if wanted in KINDS and type(value) is not wanted and not number:
        return f"must be {KINDS[wanted]}"
    if isinstance(value, int) and value < 0 <= default and file == "config.toml":
        return "must not be negative"
    if isinstance(default, str) and default and DURATION.fullmatch(default) and default != "0":
        return "" if DURATION.fullmatch(value) else "must be a duration, as 5s or 1m30s, without spaces"
    listens = plain(key).endswith(("laddr", "listen_addr", ".address"))
    if isinstance(default, str) and listens and not _is_listen(value):
        return "must be an address with a port from 1 to 65535, as tcp://127.0.0.1:26657"
    return ""


def _is_listen(value: str) -> bool:
    """Whether a daemon can listen on this, or dial it: nothing, a socket in a file, or a host and a port."""
    if not value or re.fullmatch("unix://.+", value):
        return True
    host, colon, port = _SCHEME.sub("", value, count=1).rpartition(":")
    return bool(colon) and is_port(port, 0) and (not host or is_host(host))


def _fault(entry: NodeEntry, file: str, key: str, value: Any, reason: str, fix: str) -> Fault:
    path = f"{entry.name}: config.{file}" + (f".{key}" if key else "")
    return Fault("node.yaml", 0, path, str(value)[:24], reason, fix)
