"""When an order may restart a validator: right after a block, so that it is back before the next one is signed.

Most chains wait for seconds between a block and the votes on the next one.  A restart in this gap costs no signature if
the daemon starts in less than that; at any other moment it has less time.
"""

from __future__ import annotations

from dataclasses import dataclass

from goldnode.errors import HostError
from goldnode.node.agent.rpc import Rpc

#: Seconds between two looks; until a vote for the block that was just made is with the peers; to wait at most.
EVERY, SENT, LONGEST = 0.05, 0.4, 20.0
#: Seconds that a look may be late: of the gap after a block that was seen later, too much has passed.
FRESH = 1.0


@dataclass(slots=True)
class PendingRestart:
    """A restart that was ordered and waits for its moment.  It never waits itself: whoever has it asks often.

    Attributes:
        rpc: The daemon's RPC.
        since: When it was ordered, in seconds of a clock that no one sets.
        passed: When a daemon had last passed its preflight: a later one needs no restart.
        after: The height of the block that it follows; 0 while none was seen, and when it is due without one.
    """

    rpc: Rpc
    since: float
    passed: int
    after: int = 0
    _height: int = 0
    _looked: float = 0.0
    #: When the block was seen that this restart follows; None before.
    _block: float | None = None

    def due(self, now: float) -> bool:
        """Whether this is the moment; at once when the daemon does not sign, or does not answer.

        Args:
            now: Seconds, by the clock of ``since``.
        """
        if now - self.since >= LONGEST:
            # A chain that makes no block: a restart may be what mends it.
            self.after = 0
            return True
        if self._block is not None:
            passed = now - self._block
            if passed < SENT + FRESH:
                return passed >= SENT
            self.after, self._height, self._block = 0, 0, None
        try:
            status = self.rpc.status()
        except HostError:
            return True
        if not status.power or status.catching_up:
            return True
        if self._height and status.height > self._height and now - self._looked <= FRESH:
            self.after, self._block = status.height, now
        self._height, self._looked = status.height, now
        return False
