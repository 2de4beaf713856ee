"""A download that is never stored: bytes in order, resumed within the stream when the connection breaks.

For what is too large to be stored beside what is made of it.  Whoever reads checks the hash at the
end.  Standard library only: the node uses it.
"""

from __future__ import annotations

import http.client
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from http import HTTPStatus
from typing import Any, NoReturn
from urllib.parse import urlsplit

from goldnode.errors import ArtifactError
from goldnode.fetch.retry import PassingError, RetryBudget, StallDetector, connect, read_chunk

#: Seconds without a byte that one download may wait in all.
TIMEOUT = 120.0
#: Seconds before reconnecting.
PAUSE = 2.0


def stream(
    url: str, size: int | None, tell: Callable[[int, int | None], None], budget: RetryBudget | None = None
) -> Iterator[bytes]:
    """The bytes at a URL.

    Args:
        url: http or https.
        size: How many there must be; None when unknown.
        tell: Told how many came, of how many.
        budget: How long to wait in vain.

    Raises:
        ArtifactError: It cannot be downloaded, or is longer or shorter than it should be.
    """
    if urlsplit(url).scheme not in ("http", "https"):
        raise ArtifactError(f"{url} is neither http nor https")
    budget, done, total = budget or RetryBudget(left=TIMEOUT), 0, size
    while True:
        try:
            with connect(_request(url, done), budget) as response:
                total = _total(url, response, done, size)
                stall = StallDetector(budget, done)
                while chunk := read_chunk(response, budget):
                    done += len(chunk)
                    if total is not None and done > total:
                        raise ArtifactError(f"{url} is longer than {total} bytes")
                    tell(done, total)
                    stall.check(done)
                    yield chunk
            if total is None or done == total:
                return
            _cut_off(done, total)
        except urllib.error.HTTPError as error:
            raise ArtifactError(f"{url} is refused: HTTP {error.code} {error.reason}") from error
        except (PassingError, OSError, http.client.HTTPException) as error:
            if budget.left <= PAUSE:
                raise ArtifactError(f"{url} cannot be downloaded: {error}", hint=f"curl -fLI {url}") from error
            budget.pause(PAUSE)


def _cut_off(done: int, total: int) -> NoReturn:
    raise PassingError(f"it was cut off after {done} of {total} bytes")


def _request(url: str, done: int) -> urllib.request.Request:
    return urllib.request.Request(url, headers={"Range": f"bytes={done}-"} if done else {})  # noqa: S310 - checked


def _total(url: str, response: Any, done: int, size: int | None) -> int | None:
    """The total length; a server that starts over in the middle cannot be followed."""
    if done and response.status != HTTPStatus.PARTIAL_CONTENT:
        raise ArtifactError(f"{url} broke off after {done} bytes, and its server cannot resume in the middle")
    length = response.headers.get("Content-Length", "")
    announced = done + int(length) if length.isdecimal() else None
    if size is not None and announced is not None and announced != size:
        raise ArtifactError(f"{url} has {announced} bytes, not {size}")
    return size if announced is None else announced
