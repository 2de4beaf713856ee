"""Bytes over HTTP(S) into a file: resumed, retried, bounded in size and in the time spent trying.

What arrives here is not trusted yet: ``goldnode/fetch/artifact.py`` compares hashes before a file gets its
final name.  Time that brings bytes is not limited, time that brings none is (``goldnode/fetch/retry.py``), so that
a slow line finishes and a dead host is given up on within a minute.  Standard library only: a node
fetches deferred artifacts with this at boot.
"""

from __future__ import annotations

import http.client
import urllib.error
import urllib.request
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from goldnode.errors import ArtifactError
from goldnode.fetch.retry import PassingError, RetryBudget, StallDetector, connect, read_chunk
from goldnode.progress import Progress, Step

#: The most bytes taken from anywhere when the size is not pinned.
MAX_BYTES = 2 << 30
#: Consecutive attempts that bring nothing before a host counts as unreachable.
TRIES = 3
AGENT = "goldnode"
#: HTTP statuses after which another attempt may succeed.
PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})


class UnreachableError(ArtifactError):
    """The host does not answer, or does not give the file; a pinned file may be deferred."""


class CutOffError(UnreachableError):
    """The host began to send and stopped; what arrived is kept, and the next attempt resumes there."""


class GoneError(ArtifactError):
    """The host answers that there is no such file."""


class TooLargeError(ArtifactError):
    """The host sends more bytes than the pin, or the limit, allows."""


class WrongBytesError(ArtifactError):
    """What arrived is complete, but is not what its pin says."""


def fetch(url: str, partial: Path, *, size: int | None, budget: RetryBudget, progress: Progress) -> None:
    """Download the file at ``url`` into ``partial``, resuming from what is there already.

    Args:
        url: http or https.
        partial: Grows while bytes arrive, and stays when they stop.
        size: Exact length, when pinned; else at most ``MAX_BYTES`` are taken.
        budget: The waiting that is allowed; shared by all downloads of a job.
        progress: Receives progress.

    Raises:
        UnreachableError: Nobody sent a byte.
        CutOffError: Some bytes came, then no more.
        GoneError: 404 or 410.
        TooLargeError: More than ``size`` or ``MAX_BYTES``.
    """
    if urlsplit(url).scheme not in ("http", "https"):
        raise ArtifactError(f"{url} is neither http nor https")
    partial.parent.mkdir(parents=True, exist_ok=True)
    partial.touch()
    if size is not None and partial.stat().st_size > size:
        partial.write_bytes(b"")
    with progress.step(f"fetch {urlsplit(url).path.rpartition('/')[2]} from {urlsplit(url).hostname}") as step:
        _Download(url, partial, size, budget, step).persist()


@dataclass(frozen=True, slots=True)
class _Download:
    """One file being downloaded, with the arguments of ``fetch``."""

    url: str
    partial: Path
    size: int | None
    budget: RetryBudget
    step: Step

    def persist(self) -> None:
        """Retry until the file is complete, the budget is spent, or ``TRIES`` consecutive attempts brought nothing."""
        start = self.arrived()
        barren = 0
        tries = 1 if self.host in self.budget.dead else TRIES
        while (before := self.arrived()) != self.size:
            if before:
                self.step.note(f"resumed at {before} bytes")
            try:
                self.attempt()
            except (PassingError, OSError, http.client.HTTPException) as error:
                reason = str(error) or type(error).__name__
            else:
                return
            barren = 0 if self.arrived() > before else barren + 1
            if self.budget.left <= 0 or barren >= tries:
                raise self._given_up(start, reason)
            self.budget.pause(2.0**barren / 2)

    def attempt(self) -> None:
        """One connection: returns when the file is complete, raises otherwise."""
        offset = self.arrived()
        headers = {"User-Agent": AGENT, "Accept-Encoding": "identity"}
        if offset:
            headers["Range"] = f"bytes={offset}-"
        request = urllib.request.Request(self.url, headers=headers)  # noqa: S310 - fetch checked the scheme
        try:
            with connect(request, self.budget) as response:
                resumed = offset > 0 and response.status == HTTPStatus.PARTIAL_CONTENT
                if resumed and not str(response.headers.get("Content-Range", "")).startswith(f"bytes {offset}-"):
                    self.partial.write_bytes(b"")
                    raise PassingError("it answers with a different range than requested")
                self.receive(response, offset if resumed else 0)
        except urllib.error.HTTPError as error:
            with error:
                raise self._refusal(error) from error
        except urllib.error.URLError as error:
            raise PassingError(str(error.reason)) from error

    def receive(self, response: Any, offset: int) -> None:
        """Append (or start over, at ``offset`` 0) until the end, the limit, or a stall."""
        total = self._announced(response, offset)
        done = offset
        stall = StallDetector(self.budget, offset)
        with self.partial.open("ab" if offset else "wb") as stream:
            while chunk := read_chunk(response, self.budget):
                done += len(chunk)
                if done > self.limit:
                    stream.truncate(0)
                    raise TooLargeError(f"{self.url} sends more than {self.limit} bytes, its {self.limit_name}")
                stream.write(chunk)
                self.step.update(done, total)
                stall.check(done)
        if total is not None and done < total:
            raise PassingError("the connection closed early")

    def arrived(self) -> int:
        """Bytes on disk."""
        return self.partial.stat().st_size

    @property
    def host(self) -> str:
        """The host we talk to, with its port."""
        return urlsplit(self.url).netloc

    @property
    def limit(self) -> int:
        """The most bytes to take."""
        return MAX_BYTES if self.size is None else self.size

    @property
    def limit_name(self) -> str:
        """What the limit is."""
        return "limit" if self.size is None else "pinned size"

    def _announced(self, response: Any, offset: int) -> int | None:
        """Length of the whole file: as pinned, else as the host announces it."""
        length = response.headers.get("Content-Length", "")
        total = offset + int(length) if length.isdecimal() else None
        if total is not None and total > self.limit:
            raise TooLargeError(f"{self.url} has {total} bytes; its {self.limit_name} is {self.limit}")
        return self.size if total is None else total

    def _given_up(self, start: int, reason: str) -> UnreachableError:
        arrived = self.arrived()
        if arrived > start:
            return CutOffError(
                f"{self.url} was cut off after {arrived} bytes: {reason}", hint="run the same command again: it resumes"
            )
        self.budget.dead.add(self.host)
        return UnreachableError(f"{self.host} does not serve {self.url}: {reason}", hint=f"curl -fLO {self.url}")

    def _refusal(self, error: urllib.error.HTTPError) -> Exception:
        """What an HTTP error means for us."""
        answer = f"HTTP {error.code} {error.reason}"
        if error.code in (HTTPStatus.NOT_FOUND, HTTPStatus.GONE):
            return GoneError(f"{self.url} is gone: {answer}", hint=f"curl -fLI {self.url}")
        if error.code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            self.partial.write_bytes(b"")
            return PassingError(answer)
        if error.code in PASSING:
            return PassingError(answer)
        return UnreachableError(f"{self.url} is refused: {answer}", hint=f"curl -fLI {self.url}")
