"""A new machine with the volume of a sentry that is dead: a node of its own, with the old one's chain.

Node key, membership and mesh key belong to the machine that is gone, or that may come back; they
stay aside, whole.  What is nobody's identity is the chain, which takes hours or days to fetch.
"""

from __future__ import annotations

import stat
from pathlib import Path

from goldnode.node.layout import NodeLayout


def bring_chain(old: Path, node: NodeLayout) -> bool:
    """Move the chain out of a node's folder that was set aside; whether there was one.

    Args:
        old: The folder as it was set aside (``identity.set_aside``).
        node: Where its chain goes; it has no data yet.
    """
    source, target = old / "home" / "data", node.home / "data"
    try:
        # A daemon could put a link in the place of its folder, and root would then follow it.
        chain = stat.S_ISDIR(source.lstat().st_mode)
    except OSError:
        return False
    if not chain:
        return False
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
    source.rename(target)
    print(f"goldnode: {node.name}: goes on with the chain that it found on the volume; the old identity is in {old}")
    return True
