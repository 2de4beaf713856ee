"""How much of the chain a node keeps, by its role; docs/catching-up.md tells what that costs in disk.

Defaults, below everything that a network file or node.yaml says.  CometBFT keeps blocks for as long
as misbehaviour in them can be punished, and as its own snapshots need them, whatever is asked for.
"""

from __future__ import annotations

from typing import Any

from goldnode.config.daemon import Family
from goldnode.config.role import Retention, Role

#: Seconds between two snapshots of a relay, and how many it keeps.
SNAPSHOT_SECONDS, SNAPSHOTS = 3 * 3600, 2
#: Seconds of blocks that every node keeps at least.
BLOCK_SECONDS = 24 * 3600
#: Recent states of a relay, for whoever asks it, and of a validator, which nobody asks.
RELAY_STATES, LEAST_STATES = 1000, 100
#: States are thrown away this many blocks at a time.
PRUNE_EVERY = 10
#: Seconds from block to block where the network file says nothing.
BLOCK_TIME = 6.0


def settings(role: Role, block_time: float | None, family: Family) -> dict[str, dict[str, Any]]:
    """Keys of app.toml; none for a daemon that has no such file.

    Args:
        role: The node's.
        block_time: Seconds from block to block; None when the network file does not say.
        family: The daemon's.
    """
    if family is not Family.COSMOS_SDK:
        return {}
    pace, relay = block_time or BLOCK_TIME, role.retention is Retention.RELAY
    return {
        "app.toml": {
            "pruning": "custom",
            "pruning-keep-recent": str(RELAY_STATES if relay else LEAST_STATES),
            "pruning-interval": str(PRUNE_EVERY),
            "min-retain-blocks": round(BLOCK_SECONDS / pace),
            "state-sync.snapshot-interval": _every(round(SNAPSHOT_SECONDS / pace)) if relay else 0,
            "state-sync.snapshot-keep-recent": SNAPSHOTS,
        }
    }


def _every(blocks: int) -> int:
    """An interval that the pruning interval divides: a state must not be gone before it is in a snapshot."""
    return max(PRUNE_EVERY, blocks - blocks % PRUNE_EVERY)
