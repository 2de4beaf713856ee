"""What waking thousands of watchers costs at least: uvicorn with an application that checks and keeps nothing.

    python -m benchmarks.empty_server

Prints its URL.  ``GET /wait`` is answered after the next ``PUT``, with as many bytes as a room's news
has; ``GET /metrics`` says how many wait, as the rendezvous does.
"""

from __future__ import annotations

import asyncio
import resource
import socket
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import uvicorn
import uvloop

#: Bytes of a listing with one record of the smallest size.
ANSWER = b"x" * 1200
BACKLOG = 4096


class EmptyApp:
    """Wakes everybody who waits."""

    def __init__(self) -> None:
        self._waiting: list[asyncio.Future[None]] = []

    async def __call__(
        self, scope: Mapping[str, Any], receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]
    ) -> None:
        """Answer one request (ASGI 3)."""
        await receive()
        body = ANSWER
        if scope["path"] == "/metrics":
            body = b"\ngoldnode_rendezvous_watchers %d\n" % len(self._waiting)
        elif scope["method"] == "PUT":
            waiting, self._waiting = self._waiting, []
            for future in waiting:
                future.set_result(None)
        else:
            future = asyncio.get_running_loop().create_future()
            self._waiting.append(future)
            await future
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})


def main() -> None:
    """Serve until a signal."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    config = uvicorn.Config(
        EmptyApp(), http="httptools", ws="none", loop="none", lifespan="off", interface="asgi3",
        access_log=False, log_config=None, server_header=False, date_header=False, backlog=BACKLOG,
        timeout_keep_alive=600,
    )  # fmt: skip
    with socket.create_server(("127.0.0.1", 0), backlog=BACKLOG) as listener:
        print(f"http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(uvicorn.Server(config).serve(sockets=[listener]))


if __name__ == "__main__":
    main()
