"""Other people's RPC servers: queried in parallel, each with a deadline, none trusted.

A server may be slow for ever, answer nonsense, or be on another chain.  A late one is abandoned
in a thread that ends by itself; ``plan.catch_up`` judges the answers that came in time.
"""

from __future__ import annotations

import http.client
import json
import queue
import ssl
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar
from urllib.parse import urlsplit

from goldnode.config.catch_up import RpcServer
from goldnode.errors import HostError
from goldnode.node.plan.catch_up import Header, Tip

T = TypeVar("T")
#: Seconds that all servers together have for one query.
TIMEOUT = 15.0
#: Seconds that one connection may be silent.
QUIET = 10.0
#: The most bytes of an answer: a commit of a few hundred validators has a tenth of that.
MOST = 4 << 20


def tips(servers: Sequence[RpcServer], source: str = "", timeout: float = TIMEOUT) -> list[Tip]:
    """The height of each server's chain; servers that do not answer in time are absent.

    Args:
        servers: The servers to query.
        source: The address to ask from; empty for any.
        timeout: Seconds for all of them.
    """
    return _all(servers, lambda server: _tip(server, source), timeout)


def headers(servers: Sequence[RpcServer], height: int, source: str = "", timeout: float = TIMEOUT) -> list[Header]:
    """The block at a height, from each server that has it."""
    return _all(servers, lambda server: _header(server, height, source), timeout)


def _tip(server: RpcServer, source: str) -> Tip:
    result = ask(server.url, "status", source)
    sync = result["sync_info"]
    earliest = int(sync.get("earliest_block_height") or 0)
    return Tip(server, str(result["node_info"]["network"]), int(sync["latest_block_height"]), earliest)


def _header(server: RpcServer, height: int, source: str) -> Header:
    signed = ask(server.url, f"commit?height={height}", source)["signed_header"]
    found = signed["header"]
    return Header(server, str(found["chain_id"]), int(found["height"]), str(signed["commit"]["block_id"]["hash"]))


def ask(url: str, call: str, source: str = "") -> dict[str, Any]:
    """Query one server.

    Raises:
        HostError: It does not answer, or not as CometBFT does.
    """
    parts = urlsplit(url)
    bound = (source, 0) if source else None
    host, port = parts.hostname or "", parts.port
    connection: http.client.HTTPConnection
    if parts.scheme == "https":
        context = ssl.create_default_context()
        connection = http.client.HTTPSConnection(host, port, timeout=QUIET, source_address=bound, context=context)
    else:
        connection = http.client.HTTPConnection(host, port, timeout=QUIET, source_address=bound)
    try:
        connection.request("GET", f"{parts.path.rstrip('/')}/{call}", headers={"Accept": "application/json"})
        response = connection.getresponse()
        document = json.loads(response.read(MOST))
        result = document["result"]
        if not isinstance(result, dict):
            raise HostError(f"{url} answers {call} in an unexpected form")
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError) as error:
        raise HostError(f"{url} does not answer {call}: {error}") from error
    finally:
        connection.close()
    return result


def _all(servers: Sequence[RpcServer], question: Callable[[RpcServer], T], timeout: float) -> list[T]:
    """The answers, in the order of the servers."""
    answers: queue.Queue[tuple[int, T | None]] = queue.Queue()

    def one(number: int, server: RpcServer) -> None:
        try:
            answers.put((number, question(server)))
        except (HostError, KeyError, TypeError, ValueError):
            answers.put((number, None))

    for number, server in enumerate(servers):
        threading.Thread(target=one, args=(number, server), daemon=True, name="goldnode-ask").start()
    end, found = time.monotonic() + timeout, dict[int, T]()
    for _ in servers:
        try:
            number, answer = answers.get(timeout=max(0.0, end - time.monotonic()))
        except queue.Empty:
            break
        if answer is not None:
            found[number] = answer
    return [found[number] for number in sorted(found)]
