"""Health: is the node at the tip, is it connected to the peers it needs, and does it sign?

``/health`` always answers and ``catching_up`` lies; so what counts is the age of the last block, the
wanted peers by ID, and for a validator its own signature in the last commits.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from goldnode.errors import HostError
from goldnode.node.agent.rpc import Rpc, Status

#: Commits of the chain searched for the node's own signature.
COMMITS = 3
#: The tip is no older than this many block times, or this many seconds if that is more.
AGE_BLOCKS = 6.0
AGE_LEAST = 8.0
#: Where blocks come slower than usual, the tip may be that many of their present times old, up to these seconds.
AGE_SLOW = 60.0
#: Seconds between blocks, unless the network file says.
BLOCK_TIME = 6.0


class NodeState(StrEnum):
    """A node's state in one word."""

    SIGNING = "signing"
    FOLLOWING = "following"
    """At the tip, and it need not sign."""
    NOT_SIGNING = "not signing"
    """In the validator set, and its signature is not in the last commits."""
    NOT_IN_SET = "not in the validator set"
    SYNCING = "syncing"
    STALLED = "stalled"
    """No new block, and the daemon does not say that it is syncing."""
    STARTING = "starting"
    STOPPED = "stopped"
    CRASHING = "crash loop"
    """Ends by itself again and again, and is restarted each time."""
    REFUSED = "refused"
    """It may not run at all, until a person has looked."""
    RUNNING = "running"
    """In the JVM, and accepts connections."""
    STUCK = "stuck"
    """In the JVM, and survived its stop."""


@dataclass(frozen=True, slots=True)
class Health:
    """A node's health, as observed.

    Attributes:
        state: In one word.
        healthy: Whether nobody needs to act.
        height: Its latest block; 0 while unknown.
        age: Seconds since that block; -1 while unknown.
        ahead: Seconds that this block is ahead of this machine's clock; 0 if it is not.
        peers: The number of its peers.
        missing: IDs of wanted peers that are not connected.
        node_id: The ID that answered; empty if nobody did.
        address: Its validator key's address; empty while unknown.
    """

    state: NodeState
    healthy: bool
    height: int = 0
    age: float = -1.0
    ahead: float = 0.0
    peers: int = 0
    missing: tuple[str, ...] = ()
    node_id: str = ""
    address: str = ""


def probe(
    rpc: Rpc, *, now: float, signs: bool, wanted: Iterable[str], block_time: float | None, interval: float = 0.0
) -> Health:
    """Query a daemon, and assess its health.

    Args:
        rpc: Its RPC.
        now: Unix seconds.
        signs: Whether its role signs.
        wanted: IDs that should be among its peers.
        block_time: Seconds between blocks; None if the network file does not say.
        interval: Seconds between blocks at present, if that is known (``Pace``).
    """
    try:
        status, present = rpc.status(), rpc.peers()
        signed = _signed(rpc, status) if signs else False
    except HostError:
        return Health(NodeState.STARTING, healthy=False)
    missing = tuple(sorted(set(wanted) - present))
    age = max(0.0, now - status.block_time)
    fresh = age <= max(AGE_LEAST, AGE_BLOCKS * (block_time or BLOCK_TIME), min(AGE_SLOW, AGE_BLOCKS * interval))
    state = judge(status, fresh=fresh, signs=signs, signed=signed)
    good = state in (NodeState.SIGNING, NodeState.FOLLOWING) and not missing
    return Health(
        state,
        healthy=good,
        height=status.height,
        age=age,
        ahead=max(0.0, status.block_time - now),
        peers=len(present),
        missing=missing,
        node_id=status.node_id,
        address=status.address,
    )


def judge(status: Status, *, fresh: bool, signs: bool, signed: bool) -> NodeState:
    """One word for the observations; a tip is fresh or too old."""
    if not fresh:
        return NodeState.SYNCING if status.catching_up or not status.height else NodeState.STALLED
    if status.catching_up:
        return NodeState.SYNCING
    if not signs:
        return NodeState.FOLLOWING
    if not status.power:
        return NodeState.NOT_IN_SET
    return NodeState.SIGNING if signed else NodeState.NOT_SIGNING


def _signed(rpc: Rpc, status: Status) -> bool:
    """Whether the node's signature is in one of the last commits that a block carries.

    The newest block's commit is only what this daemon has seen itself, including its own vote, whether or not
    anybody received it: a validator whose votes come too late would seem to sign.
    """
    newest = status.height - 1
    last = range(newest, max(0, newest - COMMITS), -1)
    return any(status.address in rpc.signed(height) for height in last)
