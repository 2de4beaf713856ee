"""A boot's phases: what waits for what, and how long each takes, one line each in the journal."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Phases:
    """Times phases and reports them.

    Attributes:
        tell: Gets each line.
        clock: Seconds that never go backwards.
    """

    tell: Callable[[str], None] = print
    clock: Callable[[], float] = time.monotonic

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Report how long the block took, even if it fails: that is when somebody reads it."""
        began = self.clock()
        try:
            yield
        finally:
            self.tell(f"goldnode: phase {name}: {self.clock() - began:.2f} s")


#: For a caller that configures again, such as the agent, and reports nothing.
SILENT = Phases(tell=lambda _: None)

#: Seconds between two looks for a file.
LOOK = 0.05


def wait_for(file: Path | None) -> None:
    """Wait until a file is there: a unit that has loaded its program early waits so for its turn."""
    while file and not file.exists():
        time.sleep(LOOK)
