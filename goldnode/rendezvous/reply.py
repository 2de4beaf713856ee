"""An answer, and how it is sent: in pieces, so that a slow reader takes little memory."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from goldnode.protocol.request import SERVER

Send = Callable[[dict[str, Any]], Awaitable[None]]

#: Bytes handed to the connection at once; the next piece waits until most of them are sent.
PIECE = 32 * 1024
_SERVER = SERVER.encode()


@dataclass(frozen=True, slots=True)
class Reply:
    """What goes back to the client.

    Attributes:
        status: HTTP status.
        body: The whole body.
        content_type: Its media type.
        headers: Further headers, names in lower case.
    """

    status: int
    body: bytes
    content_type: bytes = b"application/json"
    headers: tuple[tuple[bytes, bytes], ...] = ()

    def all_headers(self) -> list[tuple[bytes, bytes]]:
        """All headers to send, except the date."""
        return [
            (b"content-type", self.content_type),
            (b"content-length", b"%d" % len(self.body)),
            (b"cache-control", b"no-store"),
            *self.headers,
        ]


def json_reply(status: int, document: Mapping[str, object], etag: int | None = None) -> Reply:
    """A JSON answer; ``etag`` is the slot's revision, for `If-Match`."""
    headers = () if etag is None else ((b"etag", b'"%d"' % etag),)
    return Reply(status, json.dumps(document).encode(), headers=headers)


def text_reply(status: int, text: str) -> Reply:
    """A plain text answer."""
    return Reply(status, text.encode(), b"text/plain; charset=utf-8")


async def deliver(reply: Reply, send: Send, server: str) -> None:
    """Send an answer over ASGI, with the server's name for the client's next signature."""
    headers = [*reply.all_headers(), (_SERVER, server.encode())]
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    if len(reply.body) <= PIECE:
        await send({"type": "http.response.body", "body": reply.body})
        return
    view = memoryview(reply.body)
    for start in range(0, len(view), PIECE):
        more = start + PIECE < len(view)
        await send({"type": "http.response.body", "body": bytes(view[start : start + PIECE]), "more_body": more})
