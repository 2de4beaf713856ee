"""Pulls the network cable of a fleet's machine: only tests do that."""

from __future__ import annotations

from goldnode.fleet.fleet import Fleet
from goldnode.vm import monitor


def cut(fleet: Fleet, name: str, *, off: bool) -> None:
    """Take a machine's network link down, or bring it up again."""
    monitor.tell(fleet.at(fleet.state.vm(name)), "set_link", name="net0", up=not off)
