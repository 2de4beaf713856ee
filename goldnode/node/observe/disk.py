"""How long a node's disk will last, from how fast it filled until now."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

#: Seconds between two samples that are kept; how many; and the least time that says anything.
EVERY, KEPT, LEAST = 600.0, 144, 3600.0
_DAY = 86400.0


@dataclass(frozen=True, slots=True)
class DiskView:
    """A node's disk.

    Attributes:
        free: Bytes free.
        size: Bytes in all.
        days: Days until it is full, as it filled in the last day; None while unknown, and while it does not fill.
    """

    free: int
    size: int
    days: float | None = None


@dataclass(slots=True)
class DiskGrowth:
    """What was seen of a disk in the last day."""

    _samples: deque[tuple[float, int]] = field(default_factory=lambda: deque(maxlen=KEPT))

    def observe(self, free: int, size: int, now: float) -> DiskView:
        """Take a look in.

        Args:
            free: Bytes free now.
            size: Bytes in all.
            now: Unix seconds; a clock that was set back begins anew.
        """
        if self._samples and now < self._samples[-1][0]:
            self._samples.clear()
        if not self._samples or now - self._samples[-1][0] >= EVERY:
            self._samples.append((now, free))
        began, then = self._samples[0]
        if now - began < LEAST or free >= then:
            return DiskView(free, size)
        return DiskView(free, size, days=free * (now - began) / (then - free) / _DAY)
