"""When an order restarts a validator."""

from __future__ import annotations

from dataclasses import replace

import pytest

from goldnode.node.agent.block_gap import EVERY, FRESH, LONGEST, SENT, PendingRestart
from goldnode.node.agent.rpc import Status
from tests.support.agent_lab import Daemon

SIGNS = Status("1" * 40, 9, 0.0, False, "AB" * 20, 10)
#: Seconds between blocks; the first is seen so long after the order.
BLOCKS = 6.0


def due_after(looks: list[float], blocks: float = BLOCKS, status: Status | None = SIGNS) -> float | None:
    """When, in seconds after its order, a restart is due that is looked at in these moments; None for never."""
    daemon = Daemon()
    pending = PendingRestart(daemon, 1000.0, 1)
    for seconds in looks:
        daemon.status_ = replace(status, height=9 + int(seconds / blocks)) if status else None
        if pending.due(1000.0 + seconds):
            return seconds
    return None


def every(step: float, end: float = 60.0) -> list[float]:
    """Looks at an even pace."""
    return [step * number for number in range(int(end / step))]


def test_a_validator_restarts_right_after_a_block() -> None:
    """It waits for the next block, and then until its vote is with its peers."""
    assert BLOCKS + SENT == pytest.approx(due_after(every(EVERY)), abs=2 * EVERY)


def test_a_block_that_is_seen_late_is_let_pass() -> None:
    """After a long round of the agent too little of the gap is left: the next block is the better one."""
    late = [*every(EVERY, BLOCKS - 1), *(each for each in every(EVERY) if each > BLOCKS + 2 * FRESH)]

    assert 2 * BLOCKS + SENT == pytest.approx(due_after(late), abs=2 * EVERY)


def test_a_moment_that_was_missed_is_let_pass() -> None:
    """The block was seen in time, and then the agent was busy: the next block is the better one."""
    busy = [each for each in every(EVERY) if not BLOCKS + SENT / 2 < each < BLOCKS + SENT + 2 * FRESH]

    assert 2 * BLOCKS + SENT == pytest.approx(due_after(busy), abs=2 * EVERY)


@pytest.mark.parametrize("looks", [every(EVERY), every(2 * FRESH)])
def test_a_chain_that_makes_no_block_is_not_waited_for_long(looks: list[float]) -> None:
    """A restart may be what mends it."""
    assert LONGEST == pytest.approx(due_after(looks, 1e9), abs=2 * EVERY)


@pytest.mark.parametrize("status", [None, replace(SIGNS, power=0), replace(SIGNS, catching_up=True)])
def test_who_signs_nothing_restarts_at_once(status: Status | None) -> None:
    """There is no signature to miss."""
    assert due_after(every(EVERY), status=status) == 0.0
