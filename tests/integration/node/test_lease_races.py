"""Machines with one key: with a lease they never sign a height twice, whatever happens; without one they do."""

from __future__ import annotations

import pytest

from tests.integration.node.races import AHEAD, race
from tests.support.waiting import until

pytestmark = pytest.mark.root
#: Faults, shared among the races.
RACES, EACH = 200, 20


def test_a_dead_machine_is_replaced_and_nothing_is_signed_twice() -> None:
    """One machine of two signs; it loses power, the other signs about two N later, and there is no evidence."""
    with race(2, 0) as run:
        assert until(lambda: any(run.lease(host).get("state") == "held" for host in run.machines), 30), run.leases()
        holder = next(host for host in run.machines if run.lease(host).get("state") == "held")
        other = next(host for host in run.machines if host is not holder)
        assert until(lambda: "another machine has" in str(run.lease(other).get("reason")), 60), run.lease(other)

        died = run.height()
        holder.lose_power()

        assert until(lambda: run.lease(other).get("state") == "held" and run.signs(), 180), run.lease(other)
        back = run.height()
        print(f"signs again {back - died} blocks after the machine died")
        holder.boot()
        assert until(lambda: run.height() > back + AHEAD, 120)
        assert back - died <= 3 * AHEAD
        assert [] == run.evidence()


@pytest.mark.long
@pytest.mark.timeout(2 * 3600)
@pytest.mark.parametrize("number", range(RACES // EACH))
def test_races_leave_no_evidence(number: int) -> None:
    """Power cuts, pauses, cuts from store and peers, a store restored: no evidence, and somebody signs again."""
    with race(2 + number % 3, number) as run:
        for _ in range(EACH):
            run.strike()

        assert until(run.signs, 300), (run.done, [run.lease(host) for host in run.machines])
        assert [] == run.evidence(), run.done
        print(run.height(), run.done)


@pytest.mark.long
def test_without_a_lease_the_same_harness_finds_evidence() -> None:
    """Two machines with one key and no lease: the world has proof of it within a few blocks."""
    with race(2, 1, lease=False) as run:
        assert until(run.evidence, 240)
