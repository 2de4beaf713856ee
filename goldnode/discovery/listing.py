"""A room as a server shows it: the form of the answer is checked here, its content later.

Separate from the client, because a machine that configures itself reads what it knows, and speaks no HTTP.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from goldnode.protocol import limits
from goldnode.protocol.facts import number_of
from goldnode.protocol.wire import HASH_TEXT, from_base64, refuse


@dataclass(frozen=True, slots=True)
class RoomListing:
    """A room as a server shows it; its records and tombstones are still to be checked.

    Attributes:
        cursor: What to pass as ``after`` next time.
        reset: This is everything, not only what is new.
        items: Slot and record bytes.
        deleted: Slot and tombstone bytes.
        policy: Policy bytes, when asked for and new.
        time: The server's clock, unix milliseconds.
    """

    cursor: str
    reset: bool
    items: tuple[tuple[str, bytes], ...]
    deleted: tuple[tuple[str, bytes], ...]
    policy: bytes | None
    time: int


def read_listing(document: Mapping[str, Any]) -> RoomListing:
    """Read what a server answers to a list.

    Raises:
        ExchangeError: `malformed`.
    """
    cursor, reset, policy = document.get("cursor"), document.get("reset"), document.get("policy")
    if not isinstance(cursor, str) or not 0 < len(cursor) <= limits.CURSOR_CHARS or not isinstance(reset, bool):
        raise refuse("a listing has no cursor, or does not say whether it is complete")
    return RoomListing(
        cursor,
        reset,
        items=_pieces(document, "items", "record"),
        deleted=_pieces(document, "gone", "tombstone"),
        policy=None if policy is None else from_base64(policy, "policy"),
        time=number_of(document, "time"),
    )


def _pieces(document: Mapping[str, Any], name: str, field: str) -> tuple[tuple[str, bytes], ...]:
    pieces = document.get(name)
    if not isinstance(pieces, list) or len(pieces) > limits.SLOTS:
        raise refuse(f"{name} is missing or not a list of at most {limits.SLOTS}")
    found = []
    for piece in pieces:
        slot = piece.get("slot") if isinstance(piece, dict) else None
        if not isinstance(slot, str) or not HASH_TEXT.fullmatch(slot):
            raise refuse(f"{name} holds an entry without a slot")
        found.append((slot, from_base64(piece.get(field), field)))
    return tuple(found)
