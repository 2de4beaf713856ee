"""A systemd unit as the agent asks about it: does it run, and how often did it end by itself.

All units of a machine are asked for in one command: two for each node every two seconds were half
of what the agent of a machine with three nodes cost.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from goldnode.errors import HostError

#: What ``systemctl show`` is asked for.
PROPERTIES = "ActiveState,NRestarts"


@dataclass(frozen=True, slots=True)
class Unit:
    """What systemd says of a unit.

    Attributes:
        active: It runs, or is about to.
        restarts: How often it was started again after it had ended by itself.
    """

    active: bool
    restarts: int


def parse_units(said: str, names: Sequence[str]) -> dict[str, Unit]:
    """Read what ``systemctl show`` says: a paragraph for each unit, in the order that they were asked for.

    Raises:
        HostError: There are more or fewer paragraphs than names: whether a node runs is then not known.
    """
    paragraphs = [dict(line.split("=", 1) for line in each.splitlines()) for each in said.split("\n\n") if each.strip()]
    if len(paragraphs) != len(names):
        raise HostError(f"systemd told of {len(paragraphs)} units and was asked for {len(names)}: {', '.join(names)}",
                        hint=f"systemctl status {' '.join(names)}")  # fmt: skip
    return {name: _unit(found) for name, found in zip(names, paragraphs, strict=True)}


def _unit(found: dict[str, str]) -> Unit:
    restarts = found.get("NRestarts", "")
    active = found.get("ActiveState") in ("active", "activating", "reloading")
    return Unit(active, int(restarts) if restarts.isdigit() else 0)
