"""Which block of ports a node has, kept: a sibling that leaves must not move those who stay.

New nodes take the lowest free block in the order of node.yaml, so a node that is alone has block 0.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence

from goldnode.config.node_config import MAX_NODES
from goldnode.files import write_json
from goldnode.node.layout import Layout


def assign(before: Mapping[str, int], names: Sequence[str]) -> dict[str, int]:
    """Block of each node, by name.

    Args:
        before: Blocks given so far; those of nodes that are gone are free again.
        names: The machine's nodes, at most MAX_NODES.
    """
    kept = {name: before[name] for name in names if name in before}
    free = (number for number in range(MAX_NODES) if number not in kept.values())
    taken = {name: next(free) for name in names if name not in kept}
    return {name: (kept | taken)[name] for name in names}


def known(layout: Layout) -> dict[str, int]:
    """Blocks given so far."""
    path = layout.state / "blocks.json"
    found: dict[str, int] = json.loads(path.read_text()) if path.exists() else {}
    return found


def settle(layout: Layout, names: Iterable[str]) -> dict[str, int]:
    """Give every node of this machine its block, and remember it."""
    before, wanted = known(layout), list(names)
    blocks = assign(before, wanted)
    if blocks != before:
        write_json(layout.state / "blocks.json", blocks)
    return blocks
