"""A refusal on the wire: `application/problem+json`, a stable code, and what to do.

The codes and their status are the protocol's (goldnode/protocol/codes.py); the sentences here are for the
person who reads a log.  Every refusal carries the server's time, so that any of them reveals
a wrong clock.
"""

from __future__ import annotations

import json
import math

from goldnode.errors import ExchangeError
from goldnode.protocol import limits
from goldnode.protocol.codes import STATUS, Code
from goldnode.rendezvous.reply import Reply

#: What went wrong, in a few words, and what to do about it.
SENTENCES = {
    Code.MALFORMED: ("The request is not as the protocol wants it", "compare it with docs/rendezvous-protocol.md"),
    Code.UNKNOWN_VERSION: ("This version of the protocol is not spoken here", "ask GET /v1/caps for those that are"),
    Code.UNSIGNED: ("The request carries no signature of the room", "join with an invite: ./invoke cluster invite"),
    Code.WRONG_ROOM: ("The key is not this room's", "check that all nodes were invited to the same cluster"),
    Code.WRONG_SLOT: ("The key is not this slot's", "a node can only write its own slot"),
    Code.WRONG_ROOT: ("The policy is another root's", "check which cluster's policy is being sent"),
    Code.WRONG_SERVER: ("The request is signed for another server, or for this one before its restart", "sign again"),
    Code.REPLAYED: ("This very request was answered a while ago", "sign it again, with the time of now"),
    Code.BAD_SIGNATURE: ("The request's signature is invalid", "check that nothing between us changes requests"),
    Code.BAD_SLOT_SIGNATURE: ("The slot's signature is invalid", "send the bytes exactly as they were signed"),
    Code.BAD_POLICY_SIGNATURE: ("The root's signature is invalid", "send the bytes exactly as they were signed"),
    Code.NO_ROUTE: ("There is nothing at this path", "check the endpoint's URL, as http://203.0.113.10:8700"),
    Code.NO_RECORD: ("There is no record to keep alive", "put the record again"),
    Code.NO_POLICY: ("No policy of this root is here", "put it again"),
    Code.NO_METHOD: ("The path does not know this method", "see the Allow header"),
    Code.SLOW: ("The request's body did not arrive in time", "send it again over a better connection"),
    Code.STALE: ("The stored structure is as new or newer", "use a greater number than the one in `seq`"),
    Code.PRECONDITION: ("The slot is not as If-Match or If-None-Match wants it", "read the room and decide again"),
    Code.TOO_LARGE: ("The body is too large", f"send at most {limits.BODY_BYTES} bytes"),
    Code.CLOCK: ("The request's time is too far from the server's", "timedatectl set-ntp true"),
    Code.TTL: ("The ttl is out of range", f"ask for {limits.TTL_MIN} to {limits.TTL_MAX} seconds"),
    Code.RATE: ("Too many requests from this address", "wait as Retry-After says"),
    Code.ROOM_RATE: ("Too many requests from this address to this room", "wait as Retry-After says"),
    Code.NEW_ROOMS: ("Too many new rooms from this address", "wait as Retry-After says, or raise --new-rooms"),
    Code.UNAVAILABLE: ("The server cannot keep anything right now", "try again, or another endpoint"),
    Code.ROOM_FULL: ("The room has no free slot", "wait until departed members are forgotten"),
    Code.STORE_FULL: ("The server is nearly full and accepts nobody new", "use another endpoint"),
}
#: Seconds to stay away when the server is short of something itself.
UNAVAILABLE_SECONDS = 2.0


class RefusalError(ExchangeError):
    """A refusal that the server itself decides.

    Args:
        detail: One sentence about this request.
        code: The protocol's code.
        retry: Seconds after which it may succeed; 0 if waiting does not help.
        seq: The number in the slot, where that helps.
        allow: The methods the path accepts.
    """

    def __init__(self, detail: str, code: Code, *, retry: float = 0.0, seq: int | None = None, allow: str = "") -> None:
        super().__init__(detail, code=code)
        self.retry, self.seq, self.allow = retry, seq, allow


def unavailable(detail: str) -> RefusalError:
    """The error for a server that is short of something, or about to stop."""
    return RefusalError(detail, Code.UNAVAILABLE, retry=UNAVAILABLE_SECONDS)


def problem(error: ExchangeError, now_ms: int) -> Reply:
    """The answer that says what was refused, and why.

    Args:
        error: A ``RefusalError``, or what the protocol's own checks raised.
        now_ms: The server's clock, unix milliseconds.
    """
    code = Code(error.code)
    title, fix = SENTENCES[code]
    document: dict[str, object] = {
        "type": f"urn:goldnode:{code}", "title": title, "status": STATUS[code], "code": code,
        "detail": error.message, "fix": error.hint or fix, "time": now_ms,
    }  # fmt: skip
    headers: list[tuple[bytes, bytes]] = []
    if isinstance(error, RefusalError):
        if error.seq is not None:
            document["seq"] = error.seq
        if error.retry:
            headers.append((b"retry-after", b"%d" % math.ceil(error.retry)))
        if error.allow:
            headers.append((b"allow", error.allow.encode()))
    if code in (Code.TOO_LARGE, Code.SLOW):
        headers.append((b"connection", b"close"))  # the rest of the body is still to come
    return Reply(STATUS[code], json.dumps(document).encode(), b"application/problem+json", tuple(headers))
