"""Waiting for a host: no longer than a job's retry budget, however the host keeps us waiting.

Time that brings bytes is free; connecting, silence, a trickle and the pauses between tries are not.
"""

from __future__ import annotations

import queue
import threading
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

CHUNK = 1 << 18


class PassingError(Exception):
    """This attempt failed; another may succeed."""


@dataclass(slots=True)
class RetryBudget:
    """How long one job may wait in vain, over all its downloads together.

    Attributes:
        left: Seconds without a byte that may still pass: connecting, stalled, between attempts.
        quiet: Seconds one connection may be silent.
        slowest: Bytes per second below which a connection counts as stalled.
        clock: Monotonic seconds.
        sleep: Waits that many seconds.
        dead: Hosts given up on already; each further file of theirs gets a single attempt.
    """

    left: float = 50.0
    quiet: float = 10.0
    slowest: float = 512.0
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    dead: set[str] = field(default_factory=set)

    def spend(self, seconds: float) -> None:
        """Deduct seconds from what is left."""
        self.left = max(0.0, self.left - seconds)

    def pause(self, seconds: float) -> None:
        """Wait before the next attempt, as long as the budget lasts."""
        seconds = min(seconds, self.left)
        self.sleep(seconds)
        self.spend(seconds)


class StallDetector:
    """Notices a connection that only trickles."""

    def __init__(self, budget: RetryBudget, done: int) -> None:
        self.budget, self.began, self.mark = budget, budget.clock(), done

    def check(self, done: int) -> None:
        """Compare what arrived in the last ``quiet`` seconds with the slowest speed allowed."""
        seconds = self.budget.clock() - self.began
        if seconds < self.budget.quiet:
            return
        if done - self.mark < self.budget.slowest * seconds:
            self.budget.spend(seconds)
            raise PassingError(f"fewer than {self.budget.slowest:.0f} bytes arrive per second")
        self.began, self.mark = self.budget.clock(), done


def read_chunk(response: Any, budget: RetryBudget) -> bytes:
    """The next bytes, empty at the end; silence costs budget."""
    try:
        return bytes(response.read1(CHUNK))
    except TimeoutError:
        budget.spend(budget.quiet)
        raise PassingError(f"nothing arrived for {budget.quiet:.0f} s") from None


def connect(request: urllib.request.Request, budget: RetryBudget) -> Any:
    """Connect, in no more time than the budget allows, however many addresses a name has.

    ``urlopen``'s timeout covers neither name resolution nor the sum over all addresses, so a
    thread does it, and is abandoned when it is late.
    """
    wait = max(0.1, min(budget.left, 2 * budget.quiet))
    answers: queue.Queue[Any] = queue.Queue(maxsize=1)
    abandoned = threading.Event()

    def ask() -> None:
        try:
            answer: Any = urllib.request.urlopen(request, timeout=min(wait, budget.quiet))  # noqa: S310 - fetch checked the scheme
        except Exception as error:  # noqa: BLE001 - handed over to the thread that waits
            answer = error
        answers.put(answer)
        if abandoned.is_set() and hasattr(answer, "close"):
            answer.close()

    began = budget.clock()
    threading.Thread(target=ask, daemon=True, name="goldnode-connect").start()
    try:
        answer = answers.get(timeout=wait)
    except queue.Empty:
        abandoned.set()
        raise PassingError(f"no connection within {wait:.0f} s") from None
    finally:
        budget.spend(budget.clock() - began)
    if isinstance(answer, Exception):
        raise answer
    return answer
