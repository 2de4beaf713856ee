"""One piece of work beside the agent's loop: started, looked at, taken once it is done.

A look must take no time, or the other nodes of the machine wait.  A thread that is still at work
when the agent ends is given up with it: whatever it does must survive that anyway.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(slots=True)
class Beside(Generic[T]):
    """At most one piece of work at a time."""

    _thread: threading.Thread | None = None
    _result: T | None = None
    _error: Exception | None = None

    @property
    def running(self) -> bool:
        """Whether it is still at work."""
        return self._thread is not None and self._thread.is_alive()

    def start(self, work: Callable[[], T]) -> None:
        """Begin; there must be none at work."""

        def run() -> None:
            try:
                self._result = work()
            except Exception as error:  # noqa: BLE001 - handed over to whoever takes the result
                self._error = error

        self._result = self._error = None
        self._thread = threading.Thread(target=run, daemon=True, name="goldnode-beside")
        self._thread.start()

    def take(self) -> T | None:
        """What it came to, once; None when there is nothing.

        Raises:
            Exception: Whatever the work raised.
        """
        if self._thread is None or self._thread.is_alive():
            return None
        self._thread = None
        error, self._error = self._error, None
        if error is not None:
            raise error
        result, self._result = self._result, None
        return result
