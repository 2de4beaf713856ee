"""What other machines say they did with a validator's key, judged: who counts, and what follows.

Only a record whose writer proved that it holds the key says anything about it
(``protocol.facts.Consensus``); any member could otherwise keep a validator from ever starting.
What is far above every height that the chain can have reached is told, and stops nobody.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

#: Blocks above our own height that no chain makes while a validator is away: years, at a block a second.
FAR = 100_000_000
#: Seconds after its last record that a member may still be running: two of its hourly records.
ALIVE = 2 * 3600.0


@dataclass(frozen=True, slots=True)
class Claim:
    """What a member that holds a consensus key says of it.

    Attributes:
        node_id: Who says so.
        name: Its name for people.
        address: The key's address, upper-case hex.
        height: The last height it signed.
        said_at: When it said so, unix seconds.
    """

    node_id: str
    name: str
    address: str
    height: int
    said_at: float = 0.0

    def __str__(self) -> str:
        return f"{self.name} ({self.node_id})"


@dataclass(frozen=True, slots=True)
class Judgement:
    """What follows from the claims on one key.

    Attributes:
        height: The greatest height that counts; 0 for none.
        by: Who said that; empty for nobody.
        rival: A machine that has the key too, and was there lately; None for none.
        absurd: Claims that cannot be true.
    """

    height: int = 0
    by: str = ""
    rival: Claim | None = None
    absurd: tuple[Claim, ...] = ()


def judge(claims: Iterable[Claim], address: str, own_height: int, now: float) -> Judgement:
    """Judge what others say of a key.

    Args:
        claims: By members that proved that they hold the key they speak of.
        address: The key.
        own_height: The last height we know of: signed here, or seen on the chain.
        now: Unix seconds.
    """
    mine = sorted((claim for claim in claims if claim.address == address), key=lambda claim: claim.node_id)
    counted = [claim for claim in mine if claim.height <= own_height + FAR]
    last = max(counted, key=lambda claim: claim.height, default=None)
    return Judgement(
        height=last.height if last else 0,
        by=str(last) if last else "",
        rival=next((claim for claim in mine if now - claim.said_at < ALIVE), None),
        absurd=tuple(claim for claim in mine if claim not in counted),
    )
