"""Requests that were seen: a captured one, sent again later, is refused before it costs the room anything.

A client that lost an answer repeats itself within seconds, and members that are notified together may
sign the very same words in the same millisecond; neither is a replay.  Names of the server's life
inside signatures (docs/rendezvous-protocol.md, section 4) end what was captured before a restart,
so nothing here needs to be kept on disk.
"""

from __future__ import annotations

from collections import OrderedDict

from goldnode.protocol import limits

#: Signatures remembered; beyond that the oldest is forgotten.
CAPACITY = 100_000


class Replays:
    """The signatures of requests that held."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._first: OrderedDict[int, float] = OrderedDict()

    def __len__(self) -> int:
        """How many are remembered."""
        return len(self._first)

    def is_replay(self, signature: str, now: float) -> bool:
        """Whether this signature was first seen a while ago; remembers it otherwise.

        Args:
            signature: As in the header; it holds.
            now: Unix seconds.
        """
        key = hash(signature)  # keyed anew in each process: nobody can aim at another's
        first = self._first.setdefault(key, now)
        if len(self._first) > self._capacity:
            self._first.popitem(last=False)
        return now - first > limits.REPEAT_SECONDS
