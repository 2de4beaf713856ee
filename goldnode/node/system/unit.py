"""The state of a systemd unit: whether it runs, and how often it ended by itself.

All units of a machine are queried in one command: with two commands for each node every two seconds,
they were half of the agent's cost on a machine with three nodes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from goldnode.errors import HostError

#: The properties requested from ``systemctl show``.
PROPERTIES = "ActiveState,NRestarts"


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit's state, according to systemd.

    Attributes:
        active: Whether it is running, or about to.
        restarts: How often it was restarted after it had ended by itself.
    """

    active: bool
    restarts: int


def parse_units(said: str, names: Sequence[str]) -> dict[str, Unit]:
    """Parse the output of ``systemctl show``: a paragraph for each unit, in the order requested.

    Raises:
        HostError: There are more or fewer paragraphs than names, so whether a node runs is unknown.
    """
    paragraphs = [dict(line.split("=", 1) for line in each.splitlines()) for each in said.split("\n\n") if each.strip()]
    if len(paragraphs) != len(names):
        raise HostError(f"systemd reported {len(paragraphs)} units instead of {len(names)}: {', '.join(names)}",
                        hint=f"systemctl status {' '.join(names)}")  # fmt: skip
    return {name: _unit(found) for name, found in zip(names, paragraphs, strict=True)}


def _unit(found: dict[str, str]) -> Unit:
    restarts = found.get("NRestarts", "")
    active = found.get("ActiveState") in ("active", "activating", "reloading")
    return Unit(active, int(restarts) if restarts.isdigit() else 0)
