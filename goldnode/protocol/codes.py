"""The stable codes with which the rendezvous refuses, and the HTTP status of each.

Programs act on the code, people read the sentence beside it.  Codes are never renamed and never
reused (docs/rendezvous-protocol.md, section 10).  Standard library only.
"""

from __future__ import annotations

from enum import StrEnum


class Code(StrEnum):
    """Why a request was refused."""

    MALFORMED = "malformed"
    UNKNOWN_VERSION = "unknown-version"
    UNSIGNED = "unsigned"
    WRONG_ROOM = "wrong-room"
    WRONG_SLOT = "wrong-slot"
    WRONG_ROOT = "wrong-root"
    WRONG_SERVER = "wrong-server"
    REPLAYED = "replayed"
    BAD_SIGNATURE = "bad-signature"
    BAD_SLOT_SIGNATURE = "bad-slot-signature"
    BAD_POLICY_SIGNATURE = "bad-policy-signature"
    NO_ROUTE = "no-route"
    NO_RECORD = "no-record"
    NO_POLICY = "no-policy"
    NO_METHOD = "no-method"
    SLOW = "slow"
    STALE = "stale"
    PRECONDITION = "precondition"
    TOO_LARGE = "too-large"
    CLOCK = "clock"
    TTL = "ttl"
    RATE = "rate"
    ROOM_RATE = "room-rate"
    NEW_ROOMS = "new-rooms"
    UNAVAILABLE = "unavailable"
    ROOM_FULL = "room-full"
    STORE_FULL = "store-full"


STATUS = {
    Code.MALFORMED: 400,
    Code.UNKNOWN_VERSION: 400,
    Code.UNSIGNED: 401,
    Code.WRONG_ROOM: 403,
    Code.WRONG_SLOT: 403,
    Code.WRONG_ROOT: 403,
    Code.WRONG_SERVER: 421,
    Code.REPLAYED: 409,
    Code.BAD_SIGNATURE: 403,
    Code.BAD_SLOT_SIGNATURE: 403,
    Code.BAD_POLICY_SIGNATURE: 403,
    Code.NO_ROUTE: 404,
    Code.NO_RECORD: 404,
    Code.NO_POLICY: 404,
    Code.NO_METHOD: 405,
    Code.SLOW: 408,
    Code.STALE: 409,
    Code.PRECONDITION: 412,
    Code.TOO_LARGE: 413,
    Code.CLOCK: 422,
    Code.TTL: 422,
    Code.RATE: 429,
    Code.ROOM_RATE: 429,
    Code.NEW_ROOMS: 429,
    Code.UNAVAILABLE: 503,
    Code.ROOM_FULL: 507,
    Code.STORE_FULL: 507,
}
