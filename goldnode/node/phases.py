"""How long each phase of a boot takes, one line each: the journal answers where the seconds went."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Phases:
    """Times phases and tells them.

    Attributes:
        tell: Gets each line.
        clock: Seconds that never go backwards.
    """

    tell: Callable[[str], None] = print
    clock: Callable[[], float] = time.monotonic

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Tell how long the block took, also when it fails: that is when somebody reads it."""
        began = self.clock()
        try:
            yield
        finally:
            self.tell(f"goldnode: phase {name}: {self.clock() - began:.2f} s")


#: For whoever configures again, as the agent does, and has nothing to tell.
SILENT = Phases(tell=lambda _: None)
