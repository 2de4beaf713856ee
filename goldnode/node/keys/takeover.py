"""Starts a new machine on the volume of a dead sentry: a new node with the old one's chain.

Node key, membership and mesh key belong to the old machine, which may come back; they are set
aside, unchanged.  The chain is nobody's identity, and takes hours or days to fetch.
"""

from __future__ import annotations

import stat
from pathlib import Path

from goldnode.node.layout import NodeLayout


def bring_chain(old: Path, node: NodeLayout) -> bool:
    """Move the chain out of a node's folder that was set aside; returns whether there was one.

    Args:
        old: The folder as it was set aside (``identity.set_aside``).
        node: The node to move the chain to; it has no data yet.
    """
    source, target = old / "home" / "data", node.home / "data"
    try:
        # A daemon could replace its folder by a link, which root would then follow.
        chain = stat.S_ISDIR(source.lstat().st_mode)
    except OSError:
        return False
    if not chain:
        return False
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
    source.rename(target)
    print(f"goldnode: {node.name}: continues with the chain found on the volume; the old identity is in {old}")
    return True
