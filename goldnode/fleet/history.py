"""A chain with history, for a fleet that must catch up: pruned early blocks, snapshots of recent state.

The external validators first run alone, prune their blocks, take snapshots, and serve RPC on the fleet's
network, as the public servers of a real chain do.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from goldnode.errors import HostError
from goldnode.files import write_atomic
from goldnode.fleet.external_validators import ExternalValidator
from goldnode.fleet.plan import timing
from goldnode.fleet.rpc import ExternalRpc
from goldnode.node.plan import daemon_config

#: Blocks that there are before anybody of the fleet comes, and how many of them the external validators keep: whoever
#: trusts the middle one has as many seconds to ask for it as the chain needs to make half of them.
BLOCKS, KEPT = 400, 300
#: Blocks from snapshot to snapshot, and how many are kept: one is there for as long as a slow machine fetches it.
EVERY, SNAPSHOTS = 20, 5
#: How the chain makes its history: as quickly as three validators on one machine can. Every fourth block is to be
#: proposed by a hidden validator, which is not there yet, and whose vote is waited for: at the usual timeouts that
#: takes four seconds each.
QUICK = {
    "consensus.timeout_commit": "100ms",
    "consensus.timeout_propose": "500ms",
    "consensus.timeout_prevote": "200ms",
    "consensus.timeout_precommit": "200ms",
    "consensus.peer_gossip_sleep_duration": "20ms",
}
RPC_PORT = 26657
LOOK = 0.5


def shorten(document: dict[str, Any]) -> None:
    """Allow early pruning: a chain keeps blocks for as long as evidence may refer to them."""
    document["consensus"]["params"]["evidence"]["max_age_num_blocks"] = str(KEPT)


def settings(who: ExternalValidator, socket: str, kept: int = KEPT) -> dict[str, dict[str, Any]]:
    """Additional settings of an external validator.

    Args:
        who: The validator.
        socket: Where it always answers.
        kept: How many blocks it keeps; 0 for all.
    """
    return {
        "config.toml": {**serving(who, socket)["config.toml"], **QUICK},
        "app.toml": {
            "pruning": "custom",
            "pruning-keep-recent": str(KEPT),
            "pruning-interval": str(EVERY),
            "min-retain-blocks": kept,
            "state-sync.snapshot-interval": EVERY,
            "state-sync.snapshot-keep-recent": SNAPSHOTS,
        },
    }


def serving(who: ExternalValidator, socket: str) -> dict[str, dict[str, Any]]:
    """The setting that makes it answer on the fleet's network, as public servers do."""
    return {"config.toml": {"rpc.laddr": f"unix://{socket},tcp://{who.address}:{RPC_PORT}"}}


def slow_down(config: Path, pace: int) -> None:
    """Make a stopped external validator produce blocks at the fleet's pace from its next start on.

    Args:
        config: Its config.toml.
        pace: Seconds between two blocks.
    """
    usual = {**timing(pace), "consensus.peer_gossip_sleep_duration": f"{250 * pace}ms"}
    write_atomic(config, daemon_config.render(config.name, config.read_text(), usual))


def of_a_sentry(addresses: Sequence[str]) -> dict[str, Any]:
    """Additional keys of a sentry's node.yaml: whom to trust, and to take snapshots as often as they do.

    Args:
        addresses: Where the external validators are.
    """
    return {
        "catch_up": {"state_sync": {"servers": [_url(address) for address in addresses]}},
        "config": {"app.toml": {"state-sync.snapshot-interval": EVERY}},
    }


def wait(
    rpc: ExternalRpc, timeout: float, note: Callable[[str], None], blocks: int = BLOCKS, *, pruned: bool = True
) -> None:
    """Wait until the chain has a history, and has pruned its first blocks.

    Args:
        rpc: The external validator to ask.
        timeout: Seconds to wait.
        note: Receives progress.
        blocks: The number of blocks that make a history.
        pruned: Whether its first blocks must be gone.

    Raises:
        HostError: It takes too long.
    """
    end, said = time.monotonic() + timeout, "nothing"
    while time.monotonic() < end:
        try:
            sync = rpc.ask("status")["sync_info"]
            height, earliest = int(sync["latest_block_height"]), int(sync["earliest_block_height"])
            said = f"height {height}, earliest {earliest}"
            note(said)
            if height >= blocks and (earliest > 1 or not pruned):
                return
        except HostError as error:
            said = error.message
        time.sleep(LOOK)
    raise HostError(f"the external validators made no history within {timeout:.0f} s: {said}")


def _url(address: str) -> str:
    return f"http://{address}:{RPC_PORT}"
