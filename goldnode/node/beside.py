"""A background job beside the agent's loop: started, polled, collected once it is done.

Polling must take no time, or the machine's other nodes have to wait.  A thread still at work
when the agent ends is abandoned: whatever it does must be able to survive that.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(slots=True)
class Beside(Generic[T]):
    """Runs at most one job at a time."""

    _thread: threading.Thread | None = None
    _result: T | None = None
    _error: Exception | None = None

    @property
    def running(self) -> bool:
        """Whether a job is still running."""
        return self._thread is not None and self._thread.is_alive()

    def start(self, work: Callable[[], T]) -> None:
        """Start a job; none may be running."""

        def run() -> None:
            try:
                self._result = work()
            except Exception as error:  # noqa: BLE001 - handed over to whoever collects the result
                self._error = error

        self._result = self._error = None
        self._thread = threading.Thread(target=run, daemon=True, name="goldnode-beside")
        self._thread.start()

    def take(self) -> T | None:
        """The finished job's result, once; None if there is none.

        Raises:
            Exception: Whatever the job raised.
        """
        if self._thread is None or self._thread.is_alive():
            return None
        self._thread = None
        error, self._error = self._error, None
        if error is not None:
            raise error
        result, self._result = self._result, None
        return result
