"""Random worlds in which machines share one key: the signing lease keeps them from signing a height twice."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from goldnode.node.keys import lease
from tests.support.lease_mutants import MUTANTS, Mutant, search
from tests.support.lease_world import World


@settings(max_examples=600, deadline=None)
@given(number=st.integers(0, 2**64), restores=st.booleans())
def test_no_height_is_signed_twice(number: int, restores: bool) -> None:
    """Crashes, pauses, clones, lost and late answers, lost disks, restored stores: one signature for one height."""
    World(lease, random.Random(number), restores=restores).run(400)  # noqa: S311


def test_worlds_sign() -> None:
    """The worlds above are no graveyards: in a hundred of them hundreds of heights are signed, by many processes."""
    worlds = [World(lease, random.Random(number), restores=bool(number % 2)) for number in range(100)]  # noqa: S311
    for world in worlds:
        world.run(400)

    assert sum(len(world.signed) for world in worlds) > 200
    assert sum(len(set(world.signed.values())) for world in worlds) > 100


@pytest.mark.long
def test_no_height_is_signed_twice_in_many_worlds() -> None:
    """As above, in a hundred thousand worlds."""
    assert "" == search(lease, None, range(1_000_000, 1_100_000))


@pytest.mark.long
@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.rule)
def test_each_rule_is_needed(mutant: Mutant) -> None:
    """With one rule taken out of the shipped code, some world has two signatures for one height."""
    assert "" != search(mutant.load(), mutant.faults, range(40_000))


@pytest.mark.parametrize(("block_time", "blocks"), [(1.0, 60), (6.0, 10), (60.0, 10), (0.4, 150)])
def test_a_grant_reaches_a_minute_ahead(block_time: float, blocks: int) -> None:
    """N is a minute's worth of blocks, and never less than ten."""
    assert blocks == lease.ahead(block_time)
