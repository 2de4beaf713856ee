"""When a machine is taken for gone: what an instance group sees, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from goldnode.fleet.fleet import Fleet
from goldnode.fleet.heal import Healer
from goldnode.fleet.plan import FleetSpec, VmSpec, successor, vms
from goldnode.run import Completed

TIMEOUT = 20.0


@dataclass
class World:
    """A fleet as the healer sees it: which machines run, and which answer."""

    machines: tuple[VmSpec, ...] = vms(FleetSpec(lease=True, sentries=1))
    off: set[str] = field(default_factory=set)
    silent: set[str] = field(default_factory=set)
    now: float = 0.0

    @property
    def state(self) -> Any:
        """Its machines."""
        return self

    @property
    def vms(self) -> tuple[VmSpec, ...]:
        """Its machines."""
        return self.machines

    @property
    def namespace(self) -> Any:
        """Where they run."""
        return self

    def programs(self) -> dict[str, int | None]:
        """Which run."""
        return {vm.name: 0 if vm.name in self.off else None for vm in self.machines}

    def run(self, argv: list[str], **_: Any) -> Completed:
        """Ask one."""
        silent = any(vm.name in self.silent and vm.address in " ".join(argv) for vm in self.machines)
        return Completed(1 if silent else 0, "", "")

    def replace_machine(self, name: str) -> VmSpec:
        """Another in its place."""
        old = next(vm for vm in self.machines if vm.name == name)
        new = successor(old, self.machines)
        self.machines = (*(vm for vm in self.machines if vm.name != name), new)
        return new


@pytest.fixture
def world() -> World:
    """A fleet."""
    return World()


@pytest.fixture
def healer(world: World) -> Healer:
    """Who watches it."""
    return Healer(cast(Fleet, world), lambda: world.now, TIMEOUT)


def replaced(healer: Healer) -> list[str]:
    """Which machines are given up now."""
    return [each.old for each in healer.reconcile()]


def test_a_machine_that_is_off_is_replaced_at_once(world: World, healer: Healer) -> None:
    """Once; its successor is another machine, and a healthy one stays."""
    world.off = {"validator-1"}

    assert ["validator-1"] == replaced(healer)
    assert [] == replaced(healer)
    assert {"sentry-1", "validator-1-on-13"} == {vm.name for vm in world.machines}


def test_a_machine_that_falls_silent_is_given_time(world: World, healer: Healer) -> None:
    """It is given up after a while, though it may live."""
    replaced(healer)
    world.silent = {"sentry-1"}

    world.now = TIMEOUT - 1
    assert [] == replaced(healer)
    world.now = TIMEOUT
    assert ["sentry-1"] == replaced(healer)


def test_a_machine_that_boots_is_not_given_up(world: World, healer: Healer) -> None:
    """Whoever never answered may still be booting; one that answers again was never gone."""
    world.silent = {"sentry-1"}
    assert [] == replaced(healer)
    world.now = 10 * TIMEOUT
    assert [] == replaced(healer)

    world.silent = set()
    replaced(healer)
    world.now += TIMEOUT - 1
    world.silent = {"sentry-1"}
    assert [] == replaced(healer)
