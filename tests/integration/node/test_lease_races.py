"""Machines with one key: with a lease they never sign a height twice, whatever happens; without one they do."""

from __future__ import annotations

import signal

import pytest

from tests.integration.node.races import AHEAD, race
from tests.support.waiting import until

pytestmark = pytest.mark.root
#: Races, each with a seed of its own, and how many of them one world sees.
RACES, EACH = 200, 20


def test_a_dead_machine_is_replaced_and_nothing_is_signed_twice() -> None:
    """One machine of two signs; it loses power, the other signs about two N later, and there is no evidence."""
    with race(2) as run:
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
def test_a_release_lets_the_next_process_sign_at_once() -> None:
    """The keeper is told to end, as at a shutdown: it releases, and the next one signs within a few blocks."""
    with race(1) as run:
        (host,) = run.machines
        assert until(lambda: run.lease(host).get("state") == "held", 30), run.leases()

        before = run.height()
        run.tell(host, "lease keep", signal.SIGTERM)

        log = host.tree.layout.at(f"/var/log/goldnode-lease@{host.name}.service.log")
        assert until(lambda: "lease released" in log.read_text(), 30), run.leases()
        released = run.height()
        assert until(lambda: run.signed_since(released), 60, every=0.1), run.leases()
        print(f"told to end at {before}, released by {released}, signed again at {run.signed_since(released)}")
        assert run.signed_since(released) <= released + 4
        assert [] == run.evidence()


@pytest.mark.long
def test_a_store_that_is_gone_stops_signing_at_hi_and_no_sooner() -> None:
    """Signing goes on up to the last granted height, stops there, says so, and goes on once the store is back."""
    with race(1) as run:
        (host,) = run.machines
        assert run.store
        assert until(lambda: run.lease(host).get("state") == "held", 30), run.leases()
        run.store.stop()
        assert until(lambda: "does not answer" in str(run.lease(host)["reason"]), 60), run.leases()
        hi = int(str(run.lease(host)["hi"]))

        assert until(lambda: run.height() > hi + 3, 120)
        signed = run.signed(hi - 5, hi + 2)
        assert "does not answer" in str(run.lease(host)["reason"])
        run.store.start()

        assert until(run.signs, 120), run.leases()
        print(f"granted up to {hi}, signed {signed}")
        assert max(signed) in (hi - 1, hi)
        assert [] == run.evidence()


@pytest.mark.long
@pytest.mark.timeout(2 * 3600)
@pytest.mark.parametrize("number", range(RACES // EACH))
def test_races_leave_no_evidence(number: int) -> None:
    """Power cuts, pauses, cuts from store and peers, a store restored: no evidence, and somebody signs again."""
    with race(2 + number % 3) as run:
        for seed in range(number * EACH, (number + 1) * EACH):
            run.strike(seed)
            print(f"race {seed}: {run.done[-1]}", flush=True)

        assert until(run.signs, 300), (run.done, run.leases())
        signed = run.signed(1, run.height() - 1)
        print(
            f"races {number * EACH} to {seed}: {run.height()} blocks, {len(signed)} signed by {len(run.machines)} machines"
        )
        assert [] == run.evidence(), run.done


@pytest.mark.long
def test_without_a_lease_the_same_harness_finds_evidence() -> None:
    """Two machines with one key and no lease: the world has proof of it within a few blocks."""
    with race(2, lease=False) as run:
        assert until(run.evidence, 240)
