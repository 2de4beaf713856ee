"""Which version of its daemon a node runs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goldnode.config.network import Upgrade
from goldnode.node.plan.upgrade import (
    Halt,
    NewerStarted,
    StartFacts,
    UnknownPlan,
    VersionChoice,
    choose,
    countdown,
    following,
    order,
)


def rung(name: str, height: int, version: str, halt: int | None = None) -> Upgrade:
    """A step of the ladder."""
    return Upgrade(name, height, version, {}, halt_height=halt)


OLD, NOW, NEXT = rung("v1", 100, "1.0.0"), rung("v2", 200, "2.0.0"), rung("v3", 300, "3.0.0")
LADDER = (OLD, NOW, NEXT)


def version(seen: StartFacts, base: str = "2.0.0", ladder: tuple[Upgrade, ...] = LADDER) -> str:
    """The version that is chosen."""
    choice = choose(base, ladder, seen)
    assert isinstance(choice, VersionChoice)
    return choice.version


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        (StartFacts(), "2.0.0"),
        (StartFacts(height=250), "2.0.0"),
        (StartFacts(height=298), "2.0.0"),
        (StartFacts(height=299), "3.0.0"),
        (StartFacts(halt=Halt("v3", 300), height=250), "3.0.0"),
        (StartFacts(halt=Halt("v3", 310), height=309), "3.0.0"),
        (StartFacts(halt=Halt("v2", 200), height=250), "2.0.0"),
        (StartFacts(halt=Halt("v3", 300), height=250, started="3.0.0"), "3.0.0"),
        (StartFacts(started="3.0.0"), "3.0.0"),
        (StartFacts(halt=Halt("v3", 300), height=299, started="3.0.0", rolled_back="2.0.0"), "2.0.0"),
    ],
)
def test_the_daemons_own_word_counts_before_the_height(seen: StartFacts, expected: str) -> None:
    """The plan it stopped for, else ladder and height; never below what has started, but for a person."""
    assert expected == version(seen)


def test_a_patch_release_of_the_image_stands_on_its_step() -> None:
    """2.0.3 is what the chain runs from the step of 2.0.0 on, and it is what is run."""
    assert "2.0.3" == version(StartFacts(height=250), base="2.0.3")
    assert "3.0.0" == version(StartFacts(height=299), base="2.0.3")


def test_an_unknown_plan_is_no_reason_to_guess() -> None:
    """A daemon that halted for what no ladder names does not start again; an old halt is over."""
    assert UnknownPlan(Halt("v9", 251)) == choose("2.0.0", LADDER, StartFacts(halt=Halt("v9", 251), height=250))
    assert UnknownPlan(Halt("v9", 251)) == choose("2.0.0", LADDER, StartFacts(halt=Halt("v9", 251), height=251))
    assert "2.0.0" == version(StartFacts(halt=Halt("v9", 240), height=250))


@pytest.mark.parametrize("started", ["3.0.1", "4.0.0", "10"])
def test_what_started_and_no_ladder_names_is_not_gone_below(started: str) -> None:
    """A later network file that dropped a step, or an older image: nothing older runs on that state."""
    assert NewerStarted(started, "3.0.0") == choose("2.0.0", LADDER, StartFacts(height=299, started=started))
    assert NewerStarted(started, "2.0.0") == choose("2.0.0", (), StartFacts(height=299, started=started))


def test_a_release_follows_its_candidate() -> None:
    """An image of 3.0.0 takes over what 3.0.0-rc1 left, and one of 3 what 3.0.0 left."""
    assert "3.0.0" == version(StartFacts(started="3.0.0-rc1"), base="3.0.0", ladder=())
    assert "3" == version(StartFacts(started="3.0.0"), base="3", ladder=())


def test_an_image_that_is_newer_than_what_halted_is_the_upgrade() -> None:
    """The volume of a node that halted for v4 moves to an image baked with 4.0.0."""
    assert "4.0.0" == version(StartFacts(Halt("v4", 400), 399, started="3.0.0"), base="4.0.0")


def test_after_a_rollback_the_next_plan_leads_up_again() -> None:
    """What a person went back from is skipped, and nothing after it."""
    later = (*LADDER, rung("v4", 400, "4.0.0"))

    assert "4.0.0" == version(StartFacts(Halt("v4", 400), 399, "3.0.0", rolled_back="2.0.0"), ladder=later)


def test_a_release_without_a_vote_stops_the_version_before() -> None:
    """The halt height of the next step goes to the daemon that runs until then, and to no other."""
    ladder = (NOW, rung("patch", 300, "2.1.0", halt=300))

    assert VersionChoice("2.0.0", NOW, 300) == choose("2.0.0", ladder, StartFacts(height=250))
    assert VersionChoice("2.1.0", ladder[1], 0) == choose("2.0.0", ladder, StartFacts(height=299))


HEIGHTS = st.integers(0, 500)
HALTS = st.none() | st.builds(Halt, st.sampled_from(["v1", "v2", "v3", "v9"]), HEIGHTS)


@given(
    st.sampled_from(["1.0.0", "2.0.0", "2.0.5", "3.0.0", "9.0.0"]),
    HALTS,
    HEIGHTS,
    st.sampled_from(["", "2.0.0", "3.0.0", "3.0.1", "8.0.0"]),
)
def test_never_below_what_has_started(base: str, halt: Halt | None, height: int, started: str) -> None:
    """Whatever is seen: the choice is the image's own or a step of the ladder, and not older than what has started."""
    choice = choose(base, LADDER, StartFacts(halt, height, started))
    if isinstance(choice, UnknownPlan | NewerStarted):
        return

    assert choice.version in {base, *(each.version for each in LADDER)}
    assert order(choice.version) >= max(order(base), order(started))


def test_the_countdown_reads_as_a_sentence() -> None:
    """Plan, height, time and what is known of the binary."""
    coming = following("2.0.0", LADDER, "2.0.0", 250)

    assert NEXT == coming
    assert "v3 at height 300, in about 5 minutes: binary verified" == countdown(NEXT, 250, 6.0, "verified")
    assert following("2.0.0", LADDER, "3.0.0", 300) is None
