"""Whether a sentry may start its part of the store that keeps leases: random lives of many machines."""

from __future__ import annotations

import itertools
import random
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from goldnode.errors import SafetyError
from goldnode.node.keys.stores import lease_server
from goldnode.node.keys.stores.lease_server import StoreRecord, decide
from goldnode.node.layout import Layout

IDS = tuple(f"{number:040x}" for number in range(1, 10))


@dataclass
class Machine:
    """A sentry: its identity lies on the same disk as its record and its data.

    Attributes:
        node_id: Its ID; another after its disk was lost.
        record: What its disk says.
        data: The three that its etcd was formed with; empty for no data.
    """

    node_id: str
    record: StoreRecord | None = None
    data: tuple[str, ...] = ()


@dataclass
class World:
    """Machines that people and instance groups replace, and node.yaml files that say anything.

    Attributes:
        dice: Decides what happens.
        machines: Those that are on.
        formed: For each start with an empty folder: who, and with which three.
    """

    dice: random.Random
    machines: list[Machine] = field(default_factory=lambda: [Machine(each) for each in IDS[:3]])
    formed: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)
    fresh: int = 3

    def live(self, steps: int) -> None:
        """Let things happen."""
        for _ in range(steps):
            machine = self.dice.choice(self.machines)
            self.dice.choice([self._start, self._start, self._start, self._lose_disk, self._wipe, self._copy])(machine)

    def _start(self, machine: Machine) -> None:
        # A node.yaml names who was there once, or is now, in any order; or two of the old and a new one.
        known = [*IDS[: self.fresh]]
        named = self.dice.sample(known, 3) if self.dice.random() < 0.5 else [each.node_id for each in self.machines[:3]]
        try:
            machine.record = decide(machine.node_id, named, machine.record, data=bool(machine.data))
        except SafetyError:
            return
        if self.dice.random() < 0.3:
            # Power is gone before etcd wrote anything.
            return
        if not machine.data:
            machine.data = machine.record.members
            self.formed.append((machine.node_id, machine.data))
        if self.dice.random() < 0.9:
            machine.record = decide(machine.node_id, named, machine.record, data=True)

    def _lose_disk(self, machine: Machine) -> None:
        """Another machine takes its place, by the same user-data: another node ID."""
        if self.fresh < len(IDS):
            self.machines[self.machines.index(machine)] = Machine(IDS[self.fresh])
            self.fresh += 1

    def _wipe(self, machine: Machine) -> None:
        """Somebody deletes its data, after it was recorded."""
        if machine.record and machine.record.formed:
            machine.data = ()

    def _copy(self, machine: Machine) -> None:
        """The machine's disk goes on in another machine, while it is off; the identity with it."""
        self.machines[self.machines.index(machine)] = Machine(machine.node_id, machine.record, machine.data)


@settings(max_examples=500, deadline=None)
@given(number=st.integers(0, 2**64))
def test_one_lease_has_one_store(number: int) -> None:
    """A node forms a store once, and one only, of which it is a member; so two stores share no node, and no name."""
    world = World(random.Random(number))  # noqa: S311

    world.live(60)

    assert [] == [who for who, times in Counter(who for who, _ in world.formed).items() if times > 1]
    assert [] == [pair for pair in world.formed if pair[0] not in pair[1]]
    majorities = [set(three) for three in {three for _, three in world.formed}
                  if sum(three == other for _, other in world.formed) > len(three) // 2]  # fmt: skip
    # A store serves by a majority of its three: whoever is in two majorities would have formed both.
    serving = [{who for who, three in world.formed if set(three) == names} for names in majorities]
    assert [] == [both for both in itertools.combinations(serving, 2) if both[0] & both[1]]


def test_worlds_form_stores() -> None:
    """The worlds above are no graveyards: in a hundred of them many majorities come together."""
    worlds = [World(random.Random(number)) for number in range(100)]  # noqa: S311
    for world in worlds:
        world.live(60)

    assert sum(max(Counter(three for _, three in world.formed).values(), default=0) > 1 for world in worlds) > 30


@pytest.mark.parametrize(
    ("named", "record", "data", "words"),
    [
        (IDS[1:4], None, False, "not one of the three"),
        (IDS[:3], StoreRecord(IDS[:3], formed=True), False, "is gone from this node's disk"),
        ((IDS[0], *IDS[4:6]), StoreRecord(IDS[:3], formed=True), True, "does so all its life"),
        ((IDS[0], *IDS[4:6]), StoreRecord(IDS[:3]), False, "does so all its life"),
        (IDS[:3], None, True, "no record of whose it is"),
    ],
)
def test_a_refusal_says_why(named: tuple[str, ...], record: StoreRecord | None, data: bool, words: str) -> None:
    """Each of the five ways to a second store."""
    with pytest.raises(SafetyError, match=words):
        decide(IDS[0], named, record, data=data)


def test_the_record_is_there_before_etcd_is(tmp_path: Path) -> None:
    """Recorded before the first start, and as formed once there is data; then an empty folder is refused."""
    node = Layout(tmp_path).node("s-1")
    node.base.mkdir(parents=True)

    lease_server.form(node, IDS[0], IDS[:3])
    begun = lease_server.read(node)
    (node.store / lease_server.DATA).mkdir(parents=True)
    lease_server.form(node, IDS[0], IDS[:3])
    there = lease_server.read(node)
    (node.store / "data").rename(node.store / "old")

    assert (StoreRecord(IDS[:3]), StoreRecord(IDS[:3], formed=True)) == (begun, there)
    with pytest.raises(SafetyError, match="is gone"):
        lease_server.form(node, IDS[0], IDS[:3])
