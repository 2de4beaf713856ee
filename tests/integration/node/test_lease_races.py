"""Machines with one key: with a lease they never sign a height twice, whatever happens; without one they do."""

from __future__ import annotations

import signal

import pytest

from tests.integration.node.races import AHEAD, KEY, PLAIN, race
from tests.support.waiting import until

pytestmark = pytest.mark.root
#: Races, each with a seed of its own, and how many of them one world sees.
RACES, EACH = 200, 20
#: Blocks over which the lease's signer may cost none.
BLOCKS = 1000


def test_a_dead_machine_is_replaced_by_a_command() -> None:
    """One machine of two loses power; `goldnode takeover` on the other, and it signs about N blocks later."""
    with race(2, automatic=False) as run:
        holder, other = run.holder_and_other()
        assert until(lambda: "another machine has" in str(run.lease(other).get("reason")), 60), run.leases()

        died = run.height()
        holder.lose_power()
        said = run.type(other, "takeover", other.name)

        assert until(lambda: run.lease(other).get("state") == "held" and run.signs(), 120), run.leases()
        back = run.height()
        holder.boot()
        assert until(lambda: "another machine has" in str(run.lease(holder).get("reason")), 60), run.leases()
        print(f"signs again {back - died} blocks after the machine died; {said}")
        assert f"signs about {AHEAD} blocks from now" in said
        assert back - died <= 3 * AHEAD
        assert [] == run.evidence()


@pytest.mark.long
def test_a_dead_machine_is_replaced_by_itself() -> None:
    """One machine of two loses power, the other signs about two N later, and there is no evidence when it is back."""
    with race(2) as run:
        holder, other = run.holder_and_other()
        assert until(lambda: "another machine has" in str(run.lease(other).get("reason")), 60), run.leases()

        died = run.height()
        holder.lose_power()

        assert until(lambda: run.lease(other).get("state") == "held" and run.signs(), 180), run.leases()
        back = run.height()
        print(f"signs again {back - died} blocks after the machine died")
        holder.boot()
        assert until(lambda: run.height() > back + AHEAD, 120)
        assert back - died <= 3 * AHEAD
        assert [] == run.evidence()


@pytest.mark.long
def test_a_release_lets_the_next_process_sign_at_once() -> None:
    """A keeper that is told to end releases, and so does a shutdown: the next one signs within three blocks."""
    with race(2) as run:
        holder, _ = run.holder_and_other()

        before = run.height()
        run.tell(holder, "lease keep", signal.SIGTERM)

        log = holder.tree.layout.at(f"/var/log/goldnode-lease@{holder.name}.service.log")
        assert until(lambda: "lease released" in log.read_text(), 30), run.leases()
        released = run.height()
        assert until(lambda: run.signed_since(released), 60, every=0.1), run.leases()
        again = run.signed_since(released)
        print(f"told to end at {before}, released by {released}, signed again at {again}")

        holder, other = run.holder_and_other()
        down = run.height()
        holder.halt()
        assert until(lambda: run.lease(other).get("state") == "held", 60, every=0.1), run.leases()
        opened = int(str(run.lease(other)["lo"]))
        assert until(lambda: run.signed_since(max(down, opened - 1)), 60, every=0.1), run.leases()
        handed = run.signed_since(max(down, opened - 1))
        missed = run.missed(down, handed)
        print(f"shut down at {down}; {other.name} may sign from {opened}, signed {handed}; missed: {missed}")
        assert again <= released + 3
        assert len(missed) <= 3
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
@pytest.mark.timeout(3600)
def test_no_block_is_missed_for_the_lease() -> None:
    """Over a thousand blocks, a validator with a lease signs as many as one beside it that has its own key."""
    with race(1, plain=True) as run:
        (host,) = run.machines
        assert until(lambda: run.signed(run.height() - 1, run.height() - 1, PLAIN), 120)
        log = host.tree.layout.at(f"/var/log/goldnode-node@{host.name}.service.log")
        first, before = run.height() + 5, log.stat().st_size

        assert until(lambda: run.height() > first + BLOCKS + 1, 3000, every=5), run.leases()

        last = first + BLOCKS - 1
        leased, plain = run.missed(first, last, KEY), run.missed(first, last, PLAIN)
        refused = [line for line in log.read_bytes()[before:].splitlines() if b"failed signing" in line]
        print(f"blocks {first} to {last}: missed with a lease {leased}, without one {plain}; refused: {refused}")
        assert [] == refused
        assert len(leased) <= len(plain)


@pytest.mark.long
@pytest.mark.timeout(2 * 3600)
@pytest.mark.parametrize("number", range(RACES // EACH))
def test_races_leave_no_evidence(number: int) -> None:
    """Power cuts, pauses, cuts from store and peers, a store restored: no evidence, and somebody signs again."""
    with race(2 + number % 3, apart=number % 5 == 4) as run:
        for seed in range(number * EACH, (number + 1) * EACH):
            run.strike(seed)
            print(f"race {seed}: {run.done[-1]}", flush=True)

        assert until(run.signs, 300), (run.done, run.leases())
        signed = run.signed(1, run.height() - 1)
        print(f"{run.height()} blocks, {len(signed)} of them signed by {len(run.machines)} machines")
        assert [] == run.evidence(), run.done


@pytest.mark.long
def test_without_a_lease_the_same_harness_finds_evidence() -> None:
    """Two machines with one key that hear nothing of each other, and no lease: the world soon has proof of it."""
    with race(2, lease=False, apart=True) as run:
        assert until(run.evidence, 240)
        print(run.evidence()[0])
