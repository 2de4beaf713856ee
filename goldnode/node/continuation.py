"""A daemon restarted where it signed a moment ago goes on, without looking back for its own signatures.

A validator without a lease looks at the last ten blocks before it signs (``double_sign_check_height``) and waits while
one of them carries its signature: the key may have signed elsewhere while it was away.  A daemon that an order restarts
was away for seconds, and those signatures are its own, so the wait would only cost nine blocks.  The agent says so by a
file that counts once, for a minute, and only beside the signing state of the block that was just made.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

from goldnode.errors import HostError, SafetyError
from goldnode.files import write_json
from goldnode.node import node_files
from goldnode.node.keys import keys
from goldnode.node.layout import NodeLayout

#: Seconds from the restart until the daemon must have passed its preflight.
SECONDS = 60.0
#: CometBFT's option; 0 looks at no block.
WORDS = ("--consensus.double_sign_check_height=0",)


@dataclass(frozen=True, slots=True)
class Continuation:
    """What must be true of the next start.

    Attributes:
        passed: When the daemon that is about to end passed its preflight; a start after the next one is another matter.
        height: The block after which it ends.
        until: Seconds since power-on.
    """

    passed: int
    height: int
    until: float


def grant(node: NodeLayout, *, passed: int, height: int, now: float) -> bool:
    """Let the next start of a daemon go on, if this machine's signing state says that it signed this very block.

    Args:
        node: Whose daemon.
        passed: When it had last passed its preflight.
        height: The block that was just made.
        now: Seconds since power-on.

    Raises:
        SafetyError: The signing state cannot be read.
    """
    if not _signed(node, height):
        return False
    write_json(node.continuation, asdict(Continuation(passed, height, now + SECONDS)))
    return True


def words(node: NodeLayout, *, passed: int, now: float) -> tuple[str, ...]:
    """What is added to the command line of a daemon that goes on; nothing for any other, or in doubt.

    Args:
        node: Whose daemon.
        passed: When one had last passed the preflight, before this one does.
        now: Seconds since power-on.
    """
    try:
        document = node_files.read_object(node.continuation, ours=True)
        known = Continuation(**document) if document else None
        fits = (
            known is not None
            and known.passed == passed
            and known.until - SECONDS <= now <= known.until
            and _signed(node, known.height)
        )
    except (SafetyError, HostError, TypeError):
        return ()
    return WORDS if fits else ()


def _signed(node: NodeLayout, height: int) -> bool:
    """Whether the key is here, and signed this block or already the next; a muted key has a state far above both."""
    state = keys.read_state(node)
    return state is not None and keys.read_recovery(node) is None and height <= state.height <= height + 1
