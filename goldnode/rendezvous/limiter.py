"""What one address may use: requests, by token buckets in bounded memory, and answers being sent to it.

A large answer is refused before it is made: making it costs the server more than requesting it costs the
client, so a client that never reads must not be able to have it made over and over.
"""

from __future__ import annotations

import contextlib
from collections import Counter, OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass

from goldnode.rendezvous.problem import unavailable
from goldnode.rendezvous.reply import PIECE

#: Buckets kept per limiter; beyond that the least recently used is forgotten, which only refills it.
MAX_BUCKETS = 50_000
#: Bytes of large answers being sent at once, in all and to one address; small ones always pass.
OUTGOING_BYTES = 64 << 20
OUTGOING_BYTES_PER_ADDRESS = 4 << 20


@dataclass(frozen=True, slots=True)
class Rate:
    """A rate limit.

    Attributes:
        per_second: Tokens refilled each second.
        burst: Tokens in a full bucket.
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
        """The number of keys remembered."""
        return len(self._buckets)

    def take(self, key: str, now: float) -> float:
        """Take one token.

        Args:
            key: Whose bucket.
            now: Unix seconds; a clock that was set back only delays the refill.

        Returns:
            0.0 if there was one, else the seconds until there will be.
        """
        tokens, at = self._buckets.pop(key, (self.rate.burst, now))
        tokens = min(self.rate.burst, tokens + max(0.0, now - at) * self.rate.per_second)
        allowed = tokens >= 1
        self._buckets[key] = (tokens - 1 if allowed else tokens, now)
        if len(self._buckets) > self._capacity:
            self._buckets.popitem(last=False)
        return 0.0 if allowed else (1 - tokens) / self.rate.per_second


class Outgoing:
    """The answers that one server is sending."""

    def __init__(self) -> None:
        self.size = 0
        self._to: Counter[str] = Counter()

    def may_refuse(self, to: str) -> bool:
        """Whether a listing could be refused, so that its size matters: no room's is half of the limit."""
        return self._to[to] > 0 or self.size > OUTGOING_BYTES // 2

    def check(self, size: int, to: str) -> None:
        """Refuse a large answer while too much is being sent already.

        Args:
            size: Its size in bytes, or a lower bound.
            to: The address, or network, that asks.

        Raises:
            RefusalError: `unavailable`.
        """
        if size <= PIECE:
            return
        if self._to[to] + size > max(size, OUTGOING_BYTES_PER_ADDRESS):
            raise unavailable("too many large answers are on their way to this address, which does not read them")
        if self.size + size > OUTGOING_BYTES:
            raise unavailable("too many large answers are on their way to slow readers")

    @contextlib.contextmanager
    def counted(self, size: int, to: str) -> Iterator[None]:
        """Count an answer as being sent to an address while the block runs."""
        self.size += size
        self._to[to] += size
        try:
            yield
        finally:
            self.size -= size
            self._to[to] -= size
            if not self._to[to]:
                del self._to[to]
