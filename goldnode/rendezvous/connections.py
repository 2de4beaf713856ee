"""How many connections may be open: in all, and of one address, so that nobody shuts the others out.

Each connection costs memory and a file.  One address gets a small share of them.  When many
addresses together hold all of them, whoever comes takes the place of the oldest connection of the
address that has most, unless it has as many itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from goldnode.protocol import limits
from goldnode.rendezvous.address import Network, bucket, client_address, is_within

#: Connections in all.
TOTAL = 10_000
#: Files the process needs beside connections: the store, its lock, the log, and what a library opens.
FILES_OF_OUR_OWN = 64
#: Connections taken from the kernel in one go, and how many such goes asyncio is ahead of the first one's end.
ACCEPTED_AT_ONCE = 16
_AHEAD = 6

_PROXY = "proxy "


class Connection(Protocol):
    """What can be dropped."""

    def drop(self) -> None:
        """End it at once."""


class Connections:
    """The open connections of one server.

    Args:
        total: Most there may be.
        per_address: Most of one address; IPv6 counts by /64.
        proxies: Trusted proxies, which speak for many and have no limit of their own.
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
            connection: Itself; must `leave` when it ends.

        Returns:
            False when there is no place for it; it is not counted then.
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
        """Forget a connection that ended; one that was never let in is no mistake."""
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
    """As many connections as the process may open files for.

    Args:
        total: Connections wanted.
        files: The limit on open files.
    """
    return max(1, min(total, files - FILES_OF_OUR_OWN - _AHEAD * ACCEPTED_AT_ONCE))
