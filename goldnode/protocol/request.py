"""A request to a room, signed by the room's key: only those who know K can write there.

The signature covers everything the server acts on: method, target, time, conditions and body, and
the server's own name once the client has heard it (docs/rendezvous-protocol.md, section 4).  The
client signs, the server verifies; neither keeps anything.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from goldnode.protocol import limits
from goldnode.protocol.codes import Code
from goldnode.protocol.wire import (
    HASH_TEXT,
    SIGNATURE,
    Purpose,
    from_base64,
    hash_of,
    holds,
    public_of,
    refuse,
    sign,
    to_base64,
)

#: Header names in lower case, as ASGI gives them; HTTP ignores case.
ROOM_KEY = "goldnode-room-key"
TIME = "goldnode-time"
PROOF = "goldnode-signature"
#: In a request: the server it is for.  In every answer: the server's name, which is its generation.
SERVER = "goldnode-server"
IF_MATCH = "if-match"
IF_NONE_MATCH = "if-none-match"

SERVER_TEXT = re.compile(r"[0-9a-f]{32}")
_TIME_TEXT = re.compile(r"0|[1-9][0-9]{0,15}")


def sign_request(
    key: Ed25519PrivateKey,
    method: str,
    target: str,
    *,
    body: bytes,
    now_ms: int,
    conditions: Mapping[str, str] | None = None,
    server: str = "",
) -> dict[str, str]:
    """The headers that authenticate a request to a room.

    Args:
        key: The room's key.
        method: As sent, upper case.
        target: Path and query as sent, from `/v1` on.
        body: The exact body; empty for none.
        now_ms: Unix milliseconds.
        conditions: `if-match` or `if-none-match` with its value.
        server: The name the server last answered with; empty while none has been heard.

    Returns:
        The signed headers and the conditions.
    """
    signed = {**(conditions or {}), **({SERVER: server} if server else {})}
    proof = sign(key, Purpose.REQUEST, _lines(method, target, str(now_ms), signed, body))
    return {ROOM_KEY: public_of(key).hex(), TIME: str(now_ms), PROOF: to_base64(proof), **signed}


def verify_request(
    room: str, method: str, target: str, *, headers: Mapping[str, str], body: bytes, now_ms: int, server: str
) -> None:
    """Check, on the server, that a request comes from somebody with the room's key.

    Args:
        room: The room in the path.
        method: As received, upper case.
        target: Path and query as received, from `/v1` on.
        headers: With lower-case names.
        body: The exact body received.
        now_ms: The server's clock, unix milliseconds.
        server: The server's name.

    Raises:
        ExchangeError: `unsigned`, `malformed`, `wrong-room`, `wrong-server`, `clock` or `bad-signature`.
    """
    missing = [name for name in (ROOM_KEY, TIME, PROOF) if name not in headers]
    if missing:
        raise refuse(f"the request lacks {', '.join(missing)}", Code.UNSIGNED)
    if not HASH_TEXT.fullmatch(headers[ROOM_KEY]):
        raise refuse(f"{ROOM_KEY} is not 64 hex digits")
    if not _TIME_TEXT.fullmatch(headers[TIME]):
        raise refuse(f"{TIME} is not unix milliseconds")
    if not SERVER_TEXT.fullmatch(headers.get(SERVER, server)):
        raise refuse(f"{SERVER} is not 32 hex digits")
    proof = from_base64(headers[PROOF], PROOF)
    if len(proof) != SIGNATURE:
        raise refuse(f"{PROOF} is not {SIGNATURE} bytes")
    public = bytes.fromhex(headers[ROOM_KEY])
    if hash_of(public) != room:
        raise refuse("the key in the request does not belong to this room", Code.WRONG_ROOM)
    if SERVER in headers and headers[SERVER] != server:
        raise refuse("the request names another server", Code.WRONG_SERVER)
    window = limits.REQUEST_SKEW if SERVER in headers else limits.CLOCK_SKEW
    if abs(now_ms - int(headers[TIME])) > window * 1000:
        raise refuse(
            f"the request's time is {(int(headers[TIME]) - now_ms) / 1000:+.0f} s off the server's",
            Code.CLOCK,
            "timedatectl set-ntp true",
        )
    if not holds(public, Purpose.REQUEST, _lines(method, target, headers[TIME], headers, body), proof):
        raise refuse("the request's signature is invalid", Code.BAD_SIGNATURE)


def _lines(method: str, target: str, time: str, headers: Mapping[str, str], body: bytes) -> bytes:
    digest = hashlib.sha256(body).hexdigest()
    lines = [method, target, time, headers.get(IF_MATCH, ""), headers.get(IF_NONE_MATCH, ""), digest]
    if SERVER in headers:
        lines.append(headers[SERVER])
    return "\n".join(lines).encode("utf-8", "surrogateescape")
