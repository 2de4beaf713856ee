"""Limits open connections, in all and per address, so that nobody shuts the others out.

Each connection costs memory and a file descriptor.  One address gets a small share.  When many
addresses together hold all connections, a new one replaces the oldest connection of the address
that has most, unless its own has as many.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from goldnode.protocol import limits
from goldnode.rendezvous.address import Network, bucket, client_address, is_within

#: Connections in all.
TOTAL = 10_000
#: File descriptors needed for other purposes: the store, its lock, the log, and libraries.
FILES_OF_OUR_OWN = 64
#: Connections accepted from the kernel at once, and how many such batches asyncio may be ahead.
ACCEPTED_AT_ONCE = 16
_AHEAD = 6

_PROXY = "proxy "


class Connection(Protocol):
    """A connection that can be dropped."""

    def drop(self) -> None:
        """Close it at once."""


class Connections:
    """The open connections of one server.

    Args:
        total: The most in all.
        per_address: The most from one address; IPv6 counts by /64.
        proxies: Trusted proxies, which stand for many clients and have no limit of their own.
    """

    def __init__(
        self, total: int = TOTAL, per_address: int = limits.ADDRESS_CONNECTIONS, proxies: Sequence[Network] = ()
    ) -> None:
        self._total, self._per_address, self._proxies = total, per_address, proxies
        self._open: dict[str, dict[Connection, None]] = {}
        self._count = 0

    def __len__(self) -> int:
        """How many are open."""
        return self._count

    def enter(self, peer: str, connection: Connection) -> bool:
        """Count a new connection.

        Args:
            peer: The address it comes from.
            connection: The connection; it must `leave` when it ends.

        Returns:
            False if there is no room for it; then it is not counted.
        """
        who = self._who(peer)
        own = len(self._open.get(who, ()))
        if own >= self._per_address and not who.startswith(_PROXY):
            return False
        if self._count >= self._total and not self._make_room(own):
            return False
        self._open.setdefault(who, {})[connection] = None
        self._count += 1
        return True

    def leave(self, peer: str, connection: Connection) -> None:
        """Forget a connection that has ended; one that was never admitted is ignored."""
        who = self._who(peer)
        mine = self._open.get(who)
        if mine is None or connection not in mine:
            return
        del mine[connection]
        self._count -= 1
        if not mine:
            del self._open[who]

    def _make_room(self, own: int) -> bool:
        judged = (theirs for who, theirs in self._open.items() if not who.startswith(_PROXY))
        heaviest = max(judged, key=len, default={})
        if len(heaviest) <= own + 1:
            return False
        oldest = next(iter(heaviest))
        del heaviest[oldest]
        self._count -= 1
        oldest.drop()
        return True

    def _who(self, peer: str) -> str:
        return (_PROXY if is_within(peer, self._proxies) else "") + bucket(client_address(peer, (), ()))


def within_files(total: int, files: int) -> int:
    """The number of connections that the process may open files for.

    Args:
        total: Connections wanted.
        files: The limit on open files.
    """
    return max(1, min(total, files - FILES_OF_OUR_OWN - _AHEAD * ACCEPTED_AT_ONCE))
