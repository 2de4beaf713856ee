"""When an order restarts a validator."""

from __future__ import annotations

from dataclasses import replace

import pytest

from goldnode.node.agent import block_gap
from goldnode.node.agent.rpc import Status
from tests.support.agent_lab import Daemon

SIGNS = Status("1" * 40, 9, 0.0, False, "AB" * 20, 10)


class Slow(Daemon):
    """A daemon that makes a block after so many looks."""

    def __init__(self, status: Status | None, looks: int) -> None:
        super().__init__()
        self.status_, self.looks = status, looks

    def sleep(self, seconds: float) -> None:
        """Time passes."""
        self.slept.append(seconds)
        if len(self.slept) == self.looks and self.status_:
            self.status_ = replace(self.status_, height=self.status_.height + 1)


def test_a_validator_restarts_right_after_a_block() -> None:
    """It waits for the next block, and then until its vote is with its peers."""
    daemon = Slow(SIGNS, 30)

    block_gap.wait(daemon, daemon.sleep)

    assert [*[block_gap.EVERY] * 30, block_gap.SENT] == daemon.slept


def test_a_chain_that_makes_no_block_is_not_waited_for_long() -> None:
    """A restart may be what mends it."""
    daemon = Slow(SIGNS, 10**6)

    block_gap.wait(daemon, daemon.sleep)

    assert sum(daemon.slept) <= block_gap.LONGEST + 2 * block_gap.SENT


@pytest.mark.parametrize("status", [None, replace(SIGNS, power=0), replace(SIGNS, catching_up=True)])
def test_who_signs_nothing_restarts_at_once(status: Status | None) -> None:
    """There is no signature to miss."""
    daemon = Slow(status, 1)

    block_gap.wait(daemon, daemon.sleep)

    assert [] == daemon.slept
