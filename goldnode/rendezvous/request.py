"""A request as the server sees it: sizes first, then a body that arrives in time, then meaning."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from goldnode.protocol import limits
from goldnode.protocol.codes import Code
from goldnode.protocol.request import IF_MATCH, IF_NONE_MATCH, PROOF, ROOM_KEY, SERVER, TIME
from goldnode.protocol.wire import HASH_TEXT, refuse
from goldnode.rendezvous.address import Network, client_address
from goldnode.rendezvous.problem import RefusalError
from goldnode.rendezvous.storage.store import Left

Receive = Callable[[], Awaitable[dict[str, Any]]]

#: In a request's scope: what ends a future with None as soon as the client is gone.
LEFT = "goldnode.left"
#: Seconds a body may take to arrive.
BODY_SECONDS = 10.0
#: Bytes of an oversized body that are read and discarded, so that its sender gets to read the refusal.
DISCARDED_BYTES = 1 << 20

#: The headers that the protocol uses; others are ignored.
_OURS = {name.encode(): name for name in (ROOM_KEY, TIME, PROOF, SERVER, IF_MATCH, IF_NONE_MATCH)}
_WAIT = re.compile(r"[0-9]{1,2}")
_REVISION = re.compile(r"[0-9]{1,18}")


class ClientGoneError(Exception):
    """The client hung up before its request was complete; there is nobody to answer."""


@dataclass(frozen=True, slots=True)
class Request:
    """The head of a request.

    Attributes:
        method: Upper case.
        path: As sent, including percent-encoding.
        query: As sent; empty for none.
        headers: Those that the protocol uses, by lower-case name; none appears twice.
        address: The client's.
        left: Ends a future with None as soon as the client is gone, unless it has ended before; once the body is read.
    """

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    address: str
    left: Left

    @property
    def target(self) -> str:
        """Path and query, as signed."""
        return f"{self.path}?{self.query}" if self.query else self.path


def read_address(scope: Mapping[str, Any], proxies: Sequence[Network]) -> str:
    """The client's address, as far as it can be known."""
    forwarded = [value.decode("latin-1") for name, value in scope["headers"] if name == b"x-forwarded-for"]
    client = scope.get("client")
    return client_address(client[0] if client else "", forwarded, proxies)


def read_head(scope: Mapping[str, Any], address: str) -> Request:
    """Read the head of a request from its ASGI scope.

    Raises:
        ExchangeError: `malformed`.
    """
    path, query = scope["raw_path"].decode("latin-1"), scope["query_string"].decode("latin-1")
    if len(path) + 1 + len(query) > limits.TARGET_BYTES:
        raise refuse(f"the request's target has more than {limits.TARGET_BYTES} bytes")
    headers: dict[str, str] = {}
    for raw_name, raw_value in scope["headers"]:
        name = _OURS.get(raw_name)
        if name is None:
            continue
        if name in headers or len(raw_value) > limits.HEADER_BYTES:
            raise refuse(f"the header {name} appears twice or is too long")
        headers[name] = raw_value.decode("latin-1")
    return Request(scope["method"], path, query, headers, address, scope[LEFT])


async def read_body(receive: Receive, limit: int) -> bytes:
    """Read the whole body.

    Args:
        receive: ASGI's.
        limit: The most bytes it may have.

    Raises:
        RefusalError: `too-large` or `slow`.
        ClientGoneError: The client hung up.
    """
    body, size, more = bytearray(), 0, True
    try:
        async with asyncio.timeout(BODY_SECONDS):
            while more and size <= DISCARDED_BYTES:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise ClientGoneError
                size += len(message.get("body", b""))
                if size <= limit:
                    body += message.get("body", b"")
                more = message.get("more_body", False)
    except TimeoutError as late:
        raise RefusalError(f"the body was not complete after {BODY_SECONDS:g} s", Code.SLOW) from late
    if size > limit:
        raise RefusalError(f"the body has more than {limit} bytes", Code.TOO_LARGE)
    return bytes(body)


@dataclass(frozen=True, slots=True)
class ListQuery:
    """The query of a list.

    Attributes:
        after: The cursor as sent; empty for none.
        wait: Seconds to hold the request while there is no news.
        policy: Fingerprint of the root whose policy is watched too; empty for none.
    """

    after: str = ""
    wait: int = 0
    policy: str = ""

    def revision(self, generation: str) -> int | None:
        """The cursor's revision; None if it is from another generation of the store, or not one of ours."""
        life, _, revision = self.after.rpartition(".")
        return int(revision) if life == generation and _REVISION.fullmatch(revision) else None


def parse_list_query(query: str) -> ListQuery:
    """Read the query of a list strictly.

    Raises:
        ExchangeError: `malformed`.
    """
    try:
        pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=True, max_num_fields=3) if query else []
    except ValueError as error:
        raise refuse("the query is not name=value&name=value") from error
    found = dict(pairs)
    if len(found) != len(pairs) or not found.keys() <= {"after", "wait", "policy"}:
        raise refuse("the query takes after, wait and policy, each once")
    after, wait, policy = found.get("after", ""), found.get("wait", "0"), found.get("policy", "")
    if len(after) > limits.CURSOR_CHARS:
        raise refuse(f"the cursor has more than {limits.CURSOR_CHARS} characters")
    if not _WAIT.fullmatch(wait) or int(wait) > limits.WAIT_MAX:
        raise refuse(f"wait is not between 0 and {limits.WAIT_MAX}")
    if policy and not HASH_TEXT.fullmatch(policy):
        raise refuse("policy is not a fingerprint of 64 hex digits")
    return ListQuery(after, int(wait), policy)
