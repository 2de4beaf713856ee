"""How near a validator is to being jailed, as the chain itself counts it (Cosmos SDK, x/slashing and x/staking).

Read from the modules' stores by the consensus address: unlike their queries that needs no bech32 prefix, which a
node does not know.  The keys have been these since SDK 0.43.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from goldnode.errors import HostError
from goldnode.node.observe.protobuf import number, part

#: Keys of x/slashing's signing infos, and of x/staking's validators: by consensus address, and by operator.
_SIGNING_INFO, _BY_CONSENSUS, _VALIDATOR = b"\x01", b"\x22", b"\x21"
_PARAMS = "/cosmos.slashing.v1beta1.Query/Params"
#: BOND_STATUS_BONDED.
_BONDED = 3
#: A decimal of the SDK is an integer with so many places.
_ONE = 10**18

#: Asks the application: a path and its data; the value it answers, empty for none.
Query = Callable[[str, bytes], bytes]


@dataclass(frozen=True, slots=True)
class SlashingState:
    """What the chain has against a validator.

    Attributes:
        bonded: It is in the validator set, so its signature is expected.
        jailed: It may not sign until it is unjailed.
        tombstoned: It signed twice and never signs again.
        jailed_until: Unix seconds before which it cannot be unjailed; 0 when it was never jailed.
        missed: Blocks of the window that it did not sign.
        window: Blocks that the chain looks back.
        allowed: Missed blocks of the window at which it is not yet jailed.
        operator: Its operator's address, 20 bytes in hex.
        moniker: What it calls itself on the chain.
        tokens: What is staked with it.
    """

    bonded: bool
    jailed: bool
    tombstoned: bool
    jailed_until: int
    missed: int
    window: int
    allowed: int
    operator: str
    moniker: str
    tokens: int

    @property
    def left(self) -> int:
        """Blocks that it may still miss before it is jailed, if it signs none; 0 once it is."""
        return 0 if self.jailed else max(0, self.allowed - self.missed + 1)


def read(query: Query, address: str) -> SlashingState | None:
    """Ask the chain about a validator.

    Args:
        query: Asks the application of a node that follows the chain.
        address: Consensus address, 40 hex digits.

    Returns:
        None where the chain knows no such validator, or counts nothing.

    Raises:
        HostError: The daemon does not answer, or not as such chains do.
    """
    consensus = bytes.fromhex(address)
    try:
        operator = query("/store/staking/key", _BY_CONSENSUS + _sized(consensus))
        if not operator:
            return None
        validator = query("/store/staking/key", _VALIDATOR + _sized(operator))
        info = query("/store/slashing/key", _SIGNING_INFO + _sized(consensus))
        window, allowed = _limits(query(_PARAMS, b""))
        return SlashingState(
            bonded=number(validator, 4) == _BONDED,
            jailed=bool(number(validator, 3)),
            tombstoned=bool(number(info, 5)),
            jailed_until=max(0, number(part(info, 4), 1)),
            missed=number(info, 6),
            window=window,
            allowed=allowed,
            operator=operator.hex(),
            moniker=part(part(validator, 7), 1).decode(errors="replace"),
            tokens=int(part(validator, 5) or b"0"),
        )
    except ValueError as error:
        raise HostError(f"the chain says strange things of validator {address}: {error}") from error


def _limits(params: bytes) -> tuple[int, int]:
    """Blocks of the window, and how many of them may be missed."""
    found = part(params, 1)
    window, least = number(found, 1), int(part(found, 2) or b"0")
    # The SDK rounds half to even (LegacyDec.RoundInt64); a window times a share is seldom that close.
    return window, window - round(window * least / _ONE)


def _sized(data: bytes) -> bytes:
    return bytes([len(data)]) + data
