"""Decides whom a state sync may trust, and how a node without state reaches the tip; pure.

A state sync takes one block's hash on trust and proves everything else from it.  So that hash must
come from two independent witnesses, and nobody who was asked may contradict it.  Attempts are
bounded: other heights, other pairs of servers, then a person decides.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from goldnode.config.catch_up import RpcServer
from goldnode.config.network_rules import host_of

#: How far below the tip the trusted block is, by attempt: newer snapshots must exist, and the servers must still
#: have the block.
BELOW_TIP = (1000, 2000, 500)
#: Attempts at a state sync; each uses another height, and another pair of servers if there are more than two.
TRIES = len(BELOW_TIP)
#: Up to this many blocks are replayed, if a peer still has all of them: it takes minutes.
REPLAYED = 2000


class Way(StrEnum):
    """How a node without state continues."""

    REPLAY = "replay"
    """Block by block, from the genesis."""
    STATE_SYNC = "state-sync"
    WAIT = "wait"


@dataclass(frozen=True, slots=True)
class Tip:
    """A server's status.

    Attributes:
        server: The server.
        chain_id: The chain it is on.
        height: Its latest block; 0 before the first.
        earliest: The earliest block it has; 0 if it has none.
    """

    server: RpcServer
    chain_id: str
    height: int
    earliest: int = 1


@dataclass(frozen=True, slots=True)
class Header:
    """One block, as a server reports it."""

    server: RpcServer
    chain_id: str
    height: int
    hash: str


@dataclass(frozen=True, slots=True)
class Trust:
    """The values for ``[statesync]`` in config.toml.

    Attributes:
        height: The trusted block.
        hash: Its hash, upper-case hex.
        servers: URLs that the daemon verifies with: two witnesses.
        period: As ``168h``.
        tip: The chain's height at the time of the decision.
    """

    height: int
    hash: str
    servers: tuple[str, ...]
    period: str
    tip: int = 0

    def settings(self) -> dict[str, object]:
        """The keys of config.toml."""
        return {
            "statesync.enable": True,
            "statesync.rpc_servers": ",".join(self.servers),
            "statesync.trust_height": self.height,
            "statesync.trust_hash": self.hash,
            "statesync.trust_period": self.period,
        }


@dataclass(frozen=True, slots=True)
class Distrust:
    """Why nobody is trusted, in words to follow "state sync:"."""

    reason: str


def independent(one: RpcServer, other: RpcServer) -> bool:
    """Whether two servers are independent: on different hosts, and not known to have the same provider."""
    same_provider = one.provider and one.provider.casefold() == other.provider.casefold()
    return host_of(one.url) != host_of(other.url) and not same_provider


def aim(tips: Iterable[Tip], chain_id: str, attempt: int) -> int | Distrust:
    """Choose the height to ask every server for.

    Two witnesses must have reached it, and still have it: a single server cannot move it by inventing a tip.

    Args:
        tips: The servers' status.
        chain_id: The node's chain.
        attempt: The number of the attempt, from 0.
    """
    answered = list(tips)
    own = sorted((tip for tip in answered if tip.chain_id == chain_id), key=lambda tip: tip.height, reverse=True)
    strangers = [tip for tip in answered if tip.chain_id != chain_id]
    # Of each pair the second is the lower one.
    pairs = [(low, high) for high, low in itertools.combinations(own, 2) if independent(high.server, low.server)]
    reached, kept = max(
        ((low.height, max(low.earliest, high.earliest, 1)) for low, high in pairs if low.height), default=(0, 0)
    )
    if reached:
        # Their oldest block may be gone by the time the daemon asks for it.
        return max((kept + reached) // 2, reached - BELOW_TIP[attempt % TRIES])
    said = [f"{host_of(tip.server.url)} is on {tip.chain_id or 'no chain'}, not {chain_id}" for tip in strangers]
    said += [f"{host_of(tip.server.url)} has no block yet" for tip in own if not tip.height]
    answering = len([tip for tip in own if tip.height])
    more = f": {'; '.join(said)}" if said else ""
    return Distrust(f"{answering} of two independent servers answer for {chain_id}{more}")


def decide(
    headers: Sequence[Header], chain_id: str, height: int, period: str, *, attempt: int, tip: int
) -> Trust | Distrust:
    """Trust what two independent witnesses report, if nobody contradicts.

    Args:
        headers: The block at ``height``, from every server that has it.
        chain_id: The node's chain.
        height: The requested height.
        period: How long the chain's validators can be held to what they signed.
        attempt: The number of the attempt, from 0; each uses another pair.
        tip: The chain's height.
    """
    valid = [each for each in headers if each.chain_id == chain_id and each.height == height and each.hash]
    hashes = sorted({each.hash.upper() for each in valid})
    if len(hashes) > 1:
        camps = [
            f"{', '.join(sorted({host_of(e.server.url) for e in valid if e.hash.upper() == found}))} say {found[:12]}…"
            for found in hashes
        ]
        return Distrust(f"the servers contradict each other about block {height}: {'; '.join(camps)}")
    pairs = [pair for pair in itertools.combinations(valid, 2) if independent(pair[0].server, pair[1].server)]
    if not pairs:
        return Distrust(f"no two independent servers have block {height}")
    pair = pairs[attempt % len(pairs)]
    return Trust(height, hashes[0], tuple(each.server.url for each in pair), period, tip)


def way_of_a_validator(tips: Iterable[Tip], chain_id: str, sentries: int) -> Way:
    """How a validator without state continues, depending on what its sentries have.

    A young chain, or one that has not begun, is replayed: its first block may need this validator.

    Args:
        tips: Its sentries' status; those that did not answer are absent.
        chain_id: The node's chain.
        sentries: The number of its sentries.
    """
    own = [tip for tip in tips if tip.chain_id == chain_id]
    begun = [tip for tip in own if tip.height]
    if not begun:
        return Way.REPLAY if own and len(own) == sentries else Way.WAIT
    if all(tip.earliest > 1 for tip in begun) or max(tip.height for tip in begun) > REPLAYED:
        return Way.STATE_SYNC
    return Way.REPLAY


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast a node's latest blocks follow each other, and how fast one that is behind approaches the tip.

    Attributes:
        seen: Our own time, the latest block's time, and its height, in seconds, from the last few minutes.
    """

    seen: tuple[tuple[float, float, int], ...] = field(default=())

    def noting(self, now: float, block_time: float, height: int, window: float = 120.0) -> Pace:
        """This, with one more observation; those older than the window go, and those ahead of a clock set back."""
        return Pace((*(each for each in self.seen if 0 <= now - each[0] < window), (now, block_time, height)))

    @property
    def interval(self) -> float:
        """Seconds from block to block at present, whatever is usual; 0 while unknown."""
        if not self.seen:
            return 0.0
        (_, since, low), (_, until, high) = self.seen[0], self.seen[-1]
        return max(0.0, (until - since) / (high - low)) if high > low else 0.0

    def seconds_left(self) -> float | None:
        """Seconds until the tip; None while unknown."""
        if len(self.seen) < 2:  # noqa: PLR2004 - a speed needs two points
            return None
        (t0, b0, _), (t1, b1, _) = self.seen[0], self.seen[-1]
        gain = ((b1 - b0) / (t1 - t0) if t1 > t0 else 0.0) - 1.0
        return (t1 - b1) / gain if gain > 0 else None


@dataclass(frozen=True, slots=True)
class Reached:
    """A node's progress on the way to the tip, in numbers.

    Attributes:
        way: ``asking``, ``state-sync``, ``snapshot``, ``blocks`` or ``given-up``; empty at the tip.
        part: The fraction of the snapshot that has arrived, 0 to 1.
        behind: Blocks behind the tip, by the age of the latest.
    """

    way: str = ""
    part: float = 0.0
    behind: int = 0


def progress(age: float, block_time: float, pace: Pace) -> str:
    """How far behind a node is, for people: ``catching up: about 3,400 blocks behind, 21 min``.

    The age of the latest block is known; blocks are what the network's usual block time makes of it.
    """
    left = pace.seconds_left()
    said = f"catching up: about {age / block_time:,.0f} blocks behind"
    if left is None:
        return said
    return f"{said}, {left / 60:.0f} min" if left >= 90 else f"{said}, {left:.0f} s"  # noqa: PLR2004 - reads better
