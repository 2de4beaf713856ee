"""Token buckets, one per address or room, in bounded memory."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

#: Buckets kept per limiter; beyond that the one unused for longest is forgotten, which only ever refills it.
MAX_BUCKETS = 50_000


@dataclass(frozen=True, slots=True)
class Rate:
    """How fast, and how much at once.

    Attributes:
        per_second: Tokens that come back each second.
        burst: Tokens a full bucket holds.
    """

    per_second: float
    burst: float


class Limiter:
    """One bucket per key."""

    def __init__(self, rate: Rate, capacity: int = MAX_BUCKETS) -> None:
        self.rate = rate
        self._capacity = capacity
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def __len__(self) -> int:
        """How many keys are remembered."""
        return len(self._buckets)

    def take(self, key: str, now: float) -> float:
        """Take one token.

        Args:
            key: Whose bucket.
            now: Unix seconds; a clock that was set back only delays the refill.

        Returns:
            0.0 when there was one, else the seconds until there will be.
        """
        tokens, at = self._buckets.pop(key, (self.rate.burst, now))
        tokens = min(self.rate.burst, tokens + max(0.0, now - at) * self.rate.per_second)
        allowed = tokens >= 1
        self._buckets[key] = (tokens - 1 if allowed else tokens, now)
        if len(self._buckets) > self._capacity:
            self._buckets.popitem(last=False)
        return 0.0 if allowed else (1 - tokens) / self.rate.per_second
