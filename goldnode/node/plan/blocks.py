"""Each node's block of ports, stored so that a sibling's departure never moves the others.

New nodes take the lowest free block in the order of node.yaml, so a single node has block 0.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence

from goldnode.config.node_config import MAX_NODES
from goldnode.discovery.plain_file import read_plain
from goldnode.errors import HostError, SafetyError
from goldnode.files import write_json
from goldnode.node import node_files
from goldnode.node.layout import Layout
from goldnode.node.plan.ports import BASE, BLOCK

_LOOPBACK = re.compile(r"tcp://127\.0\.0\.1:(\d{5})")


def assign(before: Mapping[str, int], names: Sequence[str]) -> dict[str, int]:
    """Assign a block to each node, by name.

    Args:
        before: Blocks assigned so far; those of nodes that are gone are free again.
        names: The machine's nodes, at most MAX_NODES.
    """
    kept = {name: before[name] for name in names if name in before}
    free = (number for number in range(MAX_NODES) if number not in kept.values())
    taken = {name: next(free) for name in names if name not in kept}
    return {name: (kept | taken)[name] for name in names}


def known(layout: Layout) -> dict[str, int]:
    """Blocks assigned so far; if the file is damaged, as the nodes' own configuration shows them."""
    try:
        found = node_files.read_object(layout.blocks)
    except SafetyError:
        return written_down(layout)
    if found is None:
        return written_down(layout)
    valid = {name: number for name, number in found.items() if type(number) is int and 0 <= number < MAX_NODES}
    return valid if len(valid) == len(found) == len(set(valid.values())) else written_down(layout)


def written_down(layout: Layout) -> dict[str, int]:
    """Each node's block according to the RPC port in its config.toml, which only we write."""
    found: dict[str, int] = {}
    for path in sorted(layout.nodes.glob("[!.]*/home/config/config.toml")):
        try:
            rpc = tomllib.loads(read_plain(path).decode())["rpc"]
            match = _LOOPBACK.fullmatch(rpc["laddr"])
        except (OSError, HostError, ValueError, KeyError, TypeError):
            continue
        number = (int(match.group(1)) - BASE) // BLOCK if match else -1
        if 0 <= number < MAX_NODES and number not in found.values():
            found[path.parents[2].name] = number
    return found


def settle(layout: Layout, names: Iterable[str]) -> dict[str, int]:
    """Assign every node of this machine its block, and store it."""
    blocks = assign(known(layout), list(names))
    remember(layout, blocks)
    return blocks


def remember(layout: Layout, blocks: Mapping[str, int]) -> bool:
    """Store the blocks; returns whether they were stored already, undamaged."""
    try:
        before = node_files.read_object(layout.blocks)
    except SafetyError:
        node_files.set_aside(layout.blocks)
        before = None
    if before != blocks:
        write_json(layout.blocks, blocks)
    return before == blocks
