"""Remembers requests: a captured one, sent again later, is refused before it costs the room anything.

A client that lost an answer repeats itself within seconds, and members that are notified together may
sign the very same words in the same millisecond; neither is a replay.  Signatures name the server's
generation (docs/rendezvous-protocol.md, section 4), so a request captured before a restart is void,
and nothing here needs to be kept on disk.
"""

from __future__ import annotations

from collections import OrderedDict

from goldnode.protocol import limits

#: Signatures remembered; beyond that the oldest is forgotten.
CAPACITY = 100_000


class Replays:
    """The signatures of valid requests."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._first: OrderedDict[int, float] = OrderedDict()

    def __len__(self) -> int:
        """The number of signatures remembered."""
        return len(self._first)

    def is_replay(self, signature: str, now: float) -> bool:
        """Whether this signature was first seen a while ago; if not, remember it.

        Args:
            signature: As in the header; it has been checked.
            now: Unix seconds.
        """
        key = hash(signature)  # a new key in each process: nobody can craft a collision
        first = self._first.setdefault(key, now)
        if len(self._first) > self._capacity:
            self._first.popitem(last=False)
        return now - first > limits.REPEAT_SECONDS
