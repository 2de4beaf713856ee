"""A fleet's state on disk: enough for a later command to find and understand it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from goldnode.config.choices import MeshKind
from goldnode.errors import UsageError
from goldnode.files import locked, write_json
from goldnode.fleet.plan import PACE, FleetSpec, Node, VmSpec

FILE = "fleet.json"
#: Held by whoever changes it.
LOCK = "fleet.lock"
VERSION = 1


@dataclass(frozen=True, slots=True)
class FleetState:
    """A fleet.

    Attributes:
        spec: The specification.
        validators: Consensus address of each hidden validator, by the node's name.
        accelerator: QEMU's accelerator, `kvm` or `tcg`.
        cpu: QEMU's processor model.
        pace: Seconds between blocks of its chain.
        vms: Its machines.
        powered_on: When each machine was switched on, unix seconds, by name; absent while it is off.
        ready: Seconds from switching on to ready, by this machine's clock, by node.
        pages: Where this machine's browser sees what watches it, by name.
    """

    spec: FleetSpec
    validators: Mapping[str, str]
    accelerator: str
    cpu: str
    pace: int = PACE
    vms: tuple[VmSpec, ...] = ()
    powered_on: Mapping[str, float] = field(default_factory=dict)
    ready: Mapping[str, float] = field(default_factory=dict)
    pages: Mapping[str, str] = field(default_factory=dict)

    def vm(self, name: str) -> VmSpec:
        """A machine by name.

        Raises:
            UsageError: There is none.
        """
        for vm in self.vms:
            if vm.name == name:
                return vm
        names = ", ".join(vm.name for vm in self.vms)
        raise UsageError(f"the fleet has no machine {name}", hint=f"one of {names}")

    def on(self, name: str, now: float) -> FleetState:
        """This state, with a machine switched on now."""
        nodes = {node.name for node in self.vm(name).nodes}
        ready = {node: seconds for node, seconds in self.ready.items() if node not in nodes}
        return replace(self, powered_on={**self.powered_on, name: now}, ready=ready)

    def off(self, name: str) -> FleetState:
        """This state, with a machine switched off."""
        return replace(self, powered_on={each: at for each, at in self.powered_on.items() if each != name})

    def having(self, vm: VmSpec) -> FleetState:
        """This state, with one more machine."""
        return replace(self, vms=(*self.vms, vm))

    def without(self, name: str) -> FleetState:
        """This state, without a machine."""
        return replace(self, vms=tuple(each for each in self.vms if each.name != name))

    def seen_ready(self, ready: Mapping[str, float], powered_on: Mapping[str, float]) -> FleetState:
        """This state, with nodes that are ready, but for those of a machine that was switched on since they were seen.

        Args:
            ready: Seconds, by node.
            powered_on: When their machines were switched on, as whoever saw them knew it.
        """
        now = {node.name for vm in self.vms for node in vm.nodes
               if vm.name in powered_on and self.powered_on.get(vm.name) == powered_on[vm.name]}  # fmt: skip
        return replace(self, ready={**self.ready, **{name: took for name, took in ready.items() if name in now}})


def write(folder: Path, state: FleetState) -> None:
    """Save it."""
    write_json(folder / FILE, {"version": VERSION, **asdict(state)}, 0o600)


def read(folder: Path) -> FleetState:
    """Load it.

    Raises:
        UsageError: There is no fleet, or its file is damaged.
    """
    try:
        document: dict[str, Any] = json.loads((folder / FILE).read_text())
        del document["version"]
        spec = document.pop("spec")
        vms = tuple(
            VmSpec(**{**vm, "nodes": tuple(Node(**node) for node in vm["nodes"])}) for vm in document.pop("vms")
        )
        return FleetState(spec=FleetSpec(**{**spec, "mesh": MeshKind(spec["mesh"])}), vms=vms, **document)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise UsageError(f"there is no fleet in {folder}", hint="./invoke fleet up") from error
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{folder / FILE} cannot be read: {error}", hint="./invoke fleet down") from error


def change(folder: Path, changed: Callable[[FleetState], FleetState]) -> FleetState:
    """Change what is on the disk now, which another command may have written since we read it; returns the result.

    Raises:
        UsageError: There is no fleet, or its file is damaged.
    """
    with locked(folder / LOCK):
        made = changed(before := read(folder))
        if made != before:
            write(folder, made)
    return made
