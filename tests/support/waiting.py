"""Waiting for what other processes do, and for their end; bringing that about."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterable
from pathlib import Path


def until(holds: Callable[[], object], seconds: float = 20, every: float = 0.2) -> bool:
    """Wait until something is true; whether it became so in time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if holds():
            return True
        time.sleep(every)
    return False


def alive(pid: int) -> bool:
    """Whether a process runs and is no zombie."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def gone(pids: Iterable[int], seconds: float = 20) -> bool:
    """Whether all of them have ended within that time."""
    waited = tuple(pids)
    return until(lambda: not any(map(alive, waited)), seconds)


def kill(pids: Iterable[int | str], number: int = signal.SIGKILL) -> None:
    """Send a signal to those that still run: a process may end between being listed and being told."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(pid), number)
