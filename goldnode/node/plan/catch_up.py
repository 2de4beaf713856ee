"""Whom a state sync may trust, and how a node without state reaches the tip: pure decisions.

A state sync takes one block's hash on trust and proves everything else from it.  So that hash must
come from two witnesses who do not depend on each other, and nobody who was asked may contradict it.
What is tried is bounded: other heights, other pairs of servers, then a person decides.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from goldnode.config.catch_up import RpcServer
from goldnode.config.network_rules import host_of

#: How far below the tip the trusted block lies, try by try: snapshots newer than it must exist, and the servers must
#: still have it.
BELOW_TIP = (1000, 2000, 500)
#: Tries of a state sync; each takes another height, and another pair of servers where there are more than two.
TRIES = len(BELOW_TIP)
#: Blocks that are replayed rather than skipped, where a peer still has all of them: minutes.
REPLAYED = 2000


class Way(StrEnum):
    """How a node without state goes on."""

    REPLAY = "replay"
    """Block by block, from the genesis."""
    STATE_SYNC = "state-sync"
    WAIT = "wait"


@dataclass(frozen=True, slots=True)
class Tip:
    """What a server says of itself.

    Attributes:
        server: Who says it.
        chain_id: The chain it is on.
        height: Its latest block; 0 before the first.
        earliest: Its earliest block; 0 while it has none.
    """

    server: RpcServer
    chain_id: str
    height: int
    earliest: int = 1


@dataclass(frozen=True, slots=True)
class Header:
    """One block, as a server tells of it."""

    server: RpcServer
    chain_id: str
    height: int
    hash: str


@dataclass(frozen=True, slots=True)
class Trust:
    """What config.toml gets under ``[statesync]``.

    Attributes:
        height: The trusted block.
        hash: Its hash, upper-case hex.
        servers: URLs that the daemon verifies with: two witnesses.
        period: As ``168h``.
        tip: The chain's height when that was decided.
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
    """Why nobody is trusted, in words that follow "state sync:"."""

    reason: str


def independent(one: RpcServer, other: RpcServer) -> bool:
    """Whether two servers are two witnesses: other hosts, and not known to be one provider's."""
    same_provider = one.provider and one.provider.casefold() == other.provider.casefold()
    return host_of(one.url) != host_of(other.url) and not same_provider


def aim(tips: Iterable[Tip], chain_id: str, attempt: int) -> int | Distrust:
    """The height to ask every server for.

    Two witnesses must have reached it, and still have it: a single server that invents a tip moves nothing.

    Args:
        tips: What the servers said.
        chain_id: The chain that the node is for.
        attempt: Which try, from 0.
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
        # The oldest block they have may be gone by the time that the daemon asks for it.
        return max((kept + reached) // 2, reached - BELOW_TIP[attempt % TRIES])
    said = [f"{host_of(tip.server.url)} is on {tip.chain_id or 'no chain'}, not {chain_id}" for tip in strangers]
    said += [f"{host_of(tip.server.url)} has no block yet" for tip in own if not tip.height]
    answering = len([tip for tip in own if tip.height])
    more = f": {'; '.join(said)}" if said else ""
    return Distrust(f"{answering} of two independent servers answer for {chain_id}{more}")


def decide(
    headers: Sequence[Header], chain_id: str, height: int, period: str, *, attempt: int, tip: int
) -> Trust | Distrust:
    """The trust that two independent witnesses give, when nobody contradicts.

    Args:
        headers: The block at ``height``, from everybody who has it.
        chain_id: The chain that the node is for.
        height: What was asked for.
        period: How long the chain's validators can be held to what they signed.
        attempt: Which try, from 0: another pair each time.
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
    """How a validator without state goes on, by what its sentries have.

    A chain that is young, or has not begun, is replayed: its first block may need this validator.

    Args:
        tips: What its sentries said; whoever did not answer is absent.
        chain_id: The chain that it is for.
        sentries: How many sentries it has.
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
    """How fast a node that is behind comes nearer to the tip.

    Attributes:
        seen: Pairs of our own seconds and the latest block's time, the last few minutes.
    """

    seen: tuple[tuple[float, float], ...] = field(default=())

    def noting(self, now: float, block_time: float, window: float = 120.0) -> Pace:
        """With one look more."""
        return Pace((*(each for each in self.seen if now - each[0] < window), (now, block_time)))

    def seconds_left(self) -> float | None:
        """Until the tip; None while nobody knows."""
        if len(self.seen) < 2:  # noqa: PLR2004 - a speed needs two points
            return None
        (t0, b0), (t1, b1) = self.seen[0], self.seen[-1]
        gain = ((b1 - b0) / (t1 - t0) if t1 > t0 else 0.0) - 1.0
        return (t1 - b1) / gain if gain > 0 else None


@dataclass(frozen=True, slots=True)
class Reached:
    """How far a node is on its way to the tip, in numbers.

    Attributes:
        way: ``asking``, ``state-sync``, ``snapshot``, ``blocks`` or ``given-up``; empty at the tip.
        part: How much of the snapshot is here, 0 to 1.
        behind: Blocks behind the tip, by the age of the latest.
    """

    way: str = ""
    part: float = 0.0
    behind: int = 0


def progress(age: float, block_time: float, pace: Pace) -> str:
    """How far behind a node is, for people: ``catching up: 3,400 blocks behind, 21 min``."""
    left = pace.seconds_left()
    said = f"catching up: {age / block_time:,.0f} blocks behind"
    if left is None:
        return said
    return f"{said}, {left / 60:.0f} min" if left >= 90 else f"{said}, {left:.0f} s"  # noqa: PLR2004 - reads better
