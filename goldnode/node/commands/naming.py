"""Which node a command means."""

from __future__ import annotations

from collections.abc import Sequence

from goldnode.errors import UsageError


def choose(known: Sequence[str], name: str | None) -> str:
    """The named node; the only one when none is named.

    Raises:
        UsageError: There is none, no such, or more than one.
    """
    if name is None and len(known) == 1:
        return known[0]
    if name not in known or name is None:
        raise UsageError(
            f"name one of this machine's nodes: {', '.join(known) or 'it has none'}", hint="goldnode status"
        )
    return name
