"""Takes a snapshot of a fleet's machine with its memory, and lets the machine go on from there: only tests do that."""

from __future__ import annotations

from typing import Any

from goldnode.fleet.fleet import Fleet
from goldnode.vm import monitor

#: Seconds for a gigabyte of memory to reach a disk, or to come from there.
TIMEOUT = 300


def take(fleet: Fleet, name: str) -> None:
    """Keep a machine's memory and disks as they are now, in its disks; it runs on."""
    _order(fleet, name, "savevm")


def restore(fleet: Fleet, name: str) -> None:
    """Let a machine run on from what was kept, as if nothing had happened since."""
    _order(fleet, name, "loadvm")


def _order(fleet: Fleet, name: str, order: str) -> None:
    words: dict[str, Any] = {"command-line": f"{order} before"}
    said = monitor.tell(fleet.at(fleet.state.vm(name)), "human-monitor-command", timeout=TIMEOUT, **words)
    assert said == "", said
