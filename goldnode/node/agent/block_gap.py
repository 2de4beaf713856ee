"""When an order may restart a validator: right after a block, so that it is back before the next one is signed.

Most chains wait for seconds between a block and the votes on the next one.  A restart in this gap costs no signature if
the daemon starts in less than that; at any other moment it has less time.
"""

from __future__ import annotations

from collections.abc import Callable

from goldnode.errors import HostError
from goldnode.node.agent.rpc import Rpc

#: Seconds between two looks; until a vote for the block that was just made is with the peers; to wait at most.
EVERY, SENT, LONGEST = 0.05, 0.4, 20.0


def wait(rpc: Rpc, sleep: Callable[[float], None]) -> None:
    """Return when a block was just made and voted for; at once when the daemon does not sign, or does not answer.

    Args:
        rpc: The daemon's RPC.
        sleep: Lets seconds pass.
    """
    try:
        first = rpc.status()
        if not first.power or first.catching_up:
            return
        for _ in range(int(LONGEST / EVERY)):
            sleep(EVERY)
            if rpc.status().height > first.height:
                break
    except HostError:
        return
    sleep(SENT)
