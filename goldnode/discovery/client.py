"""HTTP to one rendezvous: requests out, checked answers in, nothing remembered.

One connection per request.  What the server calls itself goes into the
next signature, so that whoever captures a request can use it nowhere else.  The server is not
trusted: answers have a size limit and a deadline however slowly they drip, redirects and proxies
are not followed, and whatever is inside still has to hold (`goldnode/discovery/member.py`).  https
certificates are verified; plain http is fine, because everything is sealed and signed.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from goldnode.discovery.http_call import HttpAnswer, HttpServer, call
from goldnode.discovery.listing import RoomListing, read_listing
from goldnode.errors import ExchangeError, InputError
from goldnode.forms import is_endpoint
from goldnode.protocol import limits
from goldnode.protocol.codes import Code
from goldnode.protocol.request import SERVER, SERVER_TEXT, sign_request
from goldnode.protocol.wire import from_base64, hash_of, parse_json, public_of, refuse, write_body

_ACCEPTED = (200, 201)
#: Seconds for an answer that is not waited for, and on top of a long-poll's wait.
TIMEOUT = 15.0
_RETRY_MAX = 3600
_JSON = "application/json"


class RefusedError(ExchangeError):
    """The server answered, and the answer is no.

    Args:
        status: The HTTP status.
        retry_after: Seconds the server asks us to stay away; 0 for none.
        time: The server's clock, unix milliseconds; 0 when it did not say.
    """

    def __init__(
        self, message: str, *, code: str, hint: str = "", status: int = 0, retry_after: int = 0, time: int = 0
    ) -> None:
        super().__init__(message, code=code, hint=hint)
        self.status, self.retry_after, self.time = status, retry_after, time


class Endpoint:
    """One rendezvous.

    Args:
        url: `http://203.0.113.10:8700`, a path in front of `/v1` allowed.

    Raises:
        InputError: That is no such URL.
    """

    def __init__(self, url: str) -> None:
        if not is_endpoint(url):
            raise InputError(f"{url!r} is not a rendezvous URL", hint="write it as http://203.0.113.10:8700")
        self.url = url.rstrip("/")
        parts = urlsplit(self.url)
        self._server, self._prefix = HttpServer(parts.hostname or "", parts.port, parts.scheme == "https"), parts.path
        self._open: set[socket.socket] = set()
        self._closed = False
        self._name = ""  # what it calls itself, known from its first answer
        self._ahead = 0  # milliseconds its clock is ahead of ours, when it refuses us for that

    def list(self, room_key: Ed25519PrivateKey, now_ms: int, *, after: str, wait: int, policy: str) -> RoomListing:
        """List a room, or wait for changes in it.

        Args:
            room_key: The room's key.
            now_ms: Unix milliseconds.
            after: The cursor of the last answer; empty for everything.
            wait: Seconds the server may hold the request.
            policy: The root's fingerprint.

        Raises:
            ExchangeError: Refused (`RefusedError`), `unreachable`, or the answer is `malformed`.
        """
        query = {"after": after, "wait": str(wait)} if after else {}
        rest = f"?{urlencode({**query, 'policy': policy})}"
        return read_listing(self._signed(room_key, "GET", rest, b"", now_ms, wait + TIMEOUT))

    def put(self, room_key: Ed25519PrivateKey, slot: str, record: bytes, now_ms: int) -> None:
        """Put a record into its slot."""
        self._signed(room_key, "PUT", f"/slots/{slot}", write_body("record", record), now_ms)

    def heartbeat(self, room_key: Ed25519PrivateKey, slot: str, heartbeat: bytes, now_ms: int) -> None:
        """Keep a slot's record alive."""
        self._signed(room_key, "POST", f"/slots/{slot}/touch", write_body("touch", heartbeat), now_ms)

    def delete(self, room_key: Ed25519PrivateKey, slot: str, tombstone: bytes, now_ms: int) -> None:
        """Put a tombstone into a slot."""
        self._signed(room_key, "DELETE", f"/slots/{slot}", write_body("tombstone", tombstone), now_ms)

    def put_policy(self, fingerprint: str, policy: bytes) -> None:
        """Put a policy."""
        self._call("PUT", f"/v1/policies/{fingerprint}", write_body("policy", policy), {}, TIMEOUT)

    def get_policy(self, fingerprint: str) -> bytes:
        """The policy the server holds."""
        return from_base64(self._call("GET", f"/v1/policies/{fingerprint}", b"", {}, TIMEOUT).get("policy"), "policy")

    def caps(self) -> dict[str, Any]:
        """Limits, versions, and the address the server sees us at (a hint, not to be trusted)."""
        return self._call("GET", "/v1/caps", b"", {}, TIMEOUT)

    def close(self) -> None:
        """End every request under way and refuse further ones; each fails as `unreachable`."""
        self._closed = True
        for wire in list(self._open):
            _shut(wire)

    def _signed(
        self,
        room_key: Ed25519PrivateKey,
        method: str,
        rest: str,
        body: bytes,
        now_ms: int,
        deadline: float = TIMEOUT,
    ) -> dict[str, Any]:
        """Make a signed call; retry once if the server's name or clock differs from what we signed for."""
        target = _room(room_key) + rest

        def signed() -> dict[str, Any]:
            time = now_ms + self._ahead
            headers = sign_request(room_key, method, target, body=body, now_ms=time, server=self._name)
            return self._call(method, target, body, headers, deadline)

        try:
            return signed()
        except RefusedError as refusal:
            if refusal.code == Code.CLOCK and abs(refusal.time - now_ms) <= limits.CLOCK_SKEW * 1000:
                self._ahead = refusal.time - now_ms
            elif refusal.code != Code.WRONG_SERVER:
                raise
        return signed()

    def _call(
        self, method: str, target: str, body: bytes, headers: Mapping[str, str], deadline: float
    ) -> dict[str, Any]:
        try:
            answer = call(
                self._server, method, self._prefix + target,
                headers={**headers, "accept": _JSON}, body=body, seconds=deadline, limit=limits.RESPONSE_BYTES,
                kept=self._kept,
            )  # fmt: skip
        except (OSError, ValueError) as error:
            reason = str(error) or type(error).__name__
            raise ExchangeError(
                f"{self.url} does not answer: {reason}", code="unreachable", hint=f"curl {self.url}/healthz"
            ) from error
        self._name = _name_of(answer)
        if answer.status not in _ACCEPTED:
            raise _refusal(self.url, answer)
        if len(answer.body) > limits.RESPONSE_BYTES:
            raise refuse(f"{self.url} sends more than {limits.RESPONSE_BYTES} bytes")
        return parse_json(answer.body, f"the answer of {self.url}")

    @contextlib.contextmanager
    def _kept(self, wire: socket.socket) -> Iterator[None]:
        """Let `close` end this connection."""
        self._open.add(wire)
        try:
            if self._closed:
                raise OSError("closed")
            yield
        finally:
            self._open.discard(wire)


def _room(room_key: Ed25519PrivateKey) -> str:
    return f"/v1/rooms/{hash_of(public_of(room_key))}"


def _name_of(answer: HttpAnswer) -> str:
    """The server's name; empty when it does not give one."""
    name = answer.headers.get(SERVER, "")
    return name if SERVER_TEXT.fullmatch(name) else ""


def _shut(wire: socket.socket) -> None:
    # shutdown, not close: it wakes the thread that reads, and leaves the descriptor to that thread
    with contextlib.suppress(OSError):
        wire.shutdown(socket.SHUT_RDWR)


def _refusal(url: str, answer: HttpAnswer) -> RefusedError:
    try:
        problem = parse_json(answer.body, "problem")
    except ExchangeError:
        problem = {}
    code, detail, fix = (_plain(problem.get(key)) for key in ("code", "detail", "fix"))
    time = problem.get("time")
    after = answer.headers.get("retry-after", "")
    return RefusedError(
        f"{url} answers {answer.status}" + (f": {detail}" if detail else ""),
        code=code or "unreachable",
        hint=fix,
        status=answer.status,
        retry_after=min(int(after), _RETRY_MAX) if after.isascii() and after.isdigit() else 0,
        time=time if type(time) is int else 0,
    )


def _plain(value: object) -> str:
    """A server's text as a terminal may show it: printable ASCII, shortened."""
    return "".join(char for char in value[:200] if " " <= char <= "~") if isinstance(value, str) else ""
