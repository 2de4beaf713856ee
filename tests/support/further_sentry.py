"""A sentry that joins a fleet which stands: its name and address were nobody's before."""

from __future__ import annotations

from goldnode.fleet.fleet import Fleet
from goldnode.fleet.plan import Node, VmSpec


def another_sentry(taken: tuple[VmSpec, ...]) -> VmSpec:
    """A further sentry beside these machines, with a name and an address that none of them had."""
    sentries = [int(vm.name.partition("-")[2]) for vm in taken if vm.role == "sentry"]
    name = f"sentry-{max(sentries, default=0) + 1}"
    return VmSpec(name, "sentry", max(vm.number for vm in taken) + 1, (Node(name, "sentry"),))


def add_sentry(fleet: Fleet) -> VmSpec:
    """Make a further sentry; it is off."""
    used = [VmSpec(path.name, "sentry", 0, ()) for path in (fleet.folder / "machines").glob("sentry-*")]
    vm = another_sentry((*fleet.state.vms, *used))
    fleet.furnish(vm, {})
    fleet.change(lambda known: known.having(vm))
    return vm
