"""How much of the chain a node keeps, by its role; docs/catching-up.md has the cost in disk space.

These are defaults; a network file or node.yaml overrides them.  CometBFT keeps blocks for as long
as misbehaviour in them can be punished, and as its snapshots need them, whatever the settings say.
"""

from __future__ import annotations

from typing import Any

from goldnode.config.daemon import Family
from goldnode.config.role import Retention, Role

#: Seconds between a relay's snapshots, and how many it keeps.
SNAPSHOT_SECONDS, SNAPSHOTS = 3 * 3600, 2
#: The minimum of blocks that every node keeps, in seconds.
BLOCK_SECONDS = 24 * 3600
#: Recent states kept by a relay, for queries, and by a validator, which nobody queries.
RELAY_STATES, LEAST_STATES = 1000, 100
#: States are pruned this many blocks at a time.
PRUNE_EVERY = 10
#: Seconds between blocks, unless the network file says.
BLOCK_TIME = 6.0


def settings(role: Role, block_time: float | None, family: Family) -> dict[str, dict[str, Any]]:
    """Keys of app.toml; none for a daemon without such a file.

    Args:
        role: The node's role.
        block_time: Seconds between blocks; None if the network file does not say.
        family: The daemon's family.
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
    """A snapshot interval, as a multiple of the pruning interval: a state is pruned only once it is in a snapshot."""
    return max(PRUNE_EVERY, blocks - blocks % PRUNE_EVERY)
