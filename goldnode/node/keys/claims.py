"""Judges what other machines claim about a validator's key: whose claim counts, and what follows.

A record counts only if its writer proves that it holds the key (``protocol.facts.Consensus``); otherwise
any member could keep a validator from ever starting.  A claim far above every height that the chain can
have reached is reported, and stops nobody.
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
    """What a member that holds a consensus key claims about it.

    Attributes:
        node_id: The member's node ID.
        name: Its name for people.
        address: The key's address, upper-case hex.
        height: The last height it signed.
        said_at: The time of the claim, unix seconds.
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
    """The conclusion from the claims about one key.

    Attributes:
        height: The greatest height that counts; 0 for none.
        by: The name of the member that claims it; empty for none.
        rival: A machine that has the key too, and was seen recently; None for none.
        absurd: Claims that cannot be true.
    """

    height: int = 0
    by: str = ""
    rival: Claim | None = None
    absurd: tuple[Claim, ...] = ()


def judge(claims: Iterable[Claim], address: str, own_height: int, now: float) -> Judgement:
    """Judge the claims about a key.

    Args:
        claims: Claims of members that have proved that they hold the key.
        address: The key's address.
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
