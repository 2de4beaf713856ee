"""How long-running work reports its progress, without knowing who listens.

Code that takes more than a second takes a ``Progress`` and opens one step per phase.  The
operator's terminal shows them as bars (``goldnode/tasks/console.py``); the node's journal does not
show them (``SILENT``); tests count them.  Standard library only.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol


class Step(Protocol):
    """One phase that is under way."""

    def update(self, done: int, total: int | None = None) -> None:
        """Bytes (or items) done so far, and how many there are in all; None when unknown."""

    def note(self, text: str) -> None:
        """A short remark beside the step, such as `resumed at 40 %`; the last one is kept."""


class Progress(Protocol):
    """Receives the steps of long-running work."""

    def step(self, title: str) -> AbstractContextManager[Step]:
        """Open a phase; it ends, and is timed, with the block."""


class _SilentStep:
    def update(self, done: int, total: int | None = None) -> None: ...

    def note(self, text: str) -> None: ...


class _Silent:
    @contextmanager
    def step(self, title: str) -> Iterator[Step]:  # noqa: ARG002 - nobody listens
        yield _SilentStep()


#: For callers that have nobody to tell.
SILENT: Progress = _Silent()
