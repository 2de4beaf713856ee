"""Which node a command means."""

from __future__ import annotations

from collections.abc import Sequence

from goldnode.errors import UsageError


def choose(known: Sequence[str], name: str | None) -> str:
    """The named node, or the only one if none is named.

    Raises:
        UsageError: There is no such node; or none is named, and there is not exactly one.
    """
    if name is None and len(known) == 1:
        return known[0]
    if name not in known or name is None:
        raise UsageError(
            f"name one of this machine's nodes: {', '.join(known) or 'it has none'}", hint="goldnode status"
        )
    return name
