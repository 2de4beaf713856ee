"""What a fleet knows of itself on disk."""

from __future__ import annotations

import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goldnode.config.choices import MeshKind
from goldnode.errors import UsageError
from goldnode.fleet import state
from goldnode.fleet.fleet import Fleet
from goldnode.fleet.plan import FleetSpec, successor, vms
from goldnode.fleet.state import FleetState

SPEC = FleetSpec(mesh=MeshKind.VPNCLOUD, multi_node=2)
STATE = FleetState(SPEC, {"validator-1": "AB"}, "tcg", "max", vms=vms(SPEC))


def test_a_later_command_finds_the_fleet_as_it_was(tmp_path: Path) -> None:
    """Everything survives the way to the disk and back."""
    known = replace(STATE.on("sentry-1", 12.5), ready={"validator-1": 3.5})
    state.write(tmp_path, known)

    assert known == state.read(tmp_path)


def test_switching_on_forgets_how_long_it_took_before() -> None:
    """Ready is measured from the last start of each machine, and of that machine only."""
    known = replace(STATE, ready={"sentry-1": 1.0, "sentry-2": 2.0})

    assert {"sentry-2": 2.0} == known.on("sentry-1", 5.0).ready
    assert {} == STATE.on("sentry-1", 5.0).off("sentry-1").powered_on


def test_a_machine_that_is_not_there_is_named_with_those_that_are() -> None:
    """A wrong name is answered with the right ones."""
    with pytest.raises(UsageError) as caught:
        STATE.vm("sentry-9")

    assert "validator-1, sentry-1, sentry-2, multi-1" in caught.value.hint


@pytest.mark.parametrize("text", [None, "{", "{}", '{"version": 1, "spec": {}}'])
def test_a_folder_without_a_fleet_is_said(tmp_path: Path, text: str | None) -> None:
    """What is no fleet's file is an error of the command line, with the command to type."""
    if text is not None:
        (tmp_path / state.FILE).write_text(text)
    with pytest.raises(UsageError) as caught:
        state.read(tmp_path)

    assert "./invoke fleet" in caught.value.hint


@given(st.lists(st.sampled_from(["validator-1", "sentry-1", "sentry-2"]), unique=True), st.booleans())
def test_commands_beside_each_other_keep_what_the_other_changed(gone: list[str], watched_first: bool) -> None:
    """`fleet heal` replaces machines while `fleet status --watch` notes who is ready: neither undoes the other."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        begun = replace(STATE, powered_on={vm.name: 1.0 for vm in STATE.vms})
        state.write(folder, begun)
        healing, watching = (Fleet(folder, state.read(folder)) for _ in range(2))
        new = {name: successor(STATE.vm(name), STATE.vms) for name in gone}

        def heal() -> None:
            for name in gone:
                healing.change(lambda known, name=name: known.without(name).having(new[name]))  # type: ignore[misc]

        def watch() -> None:
            ready = {node.name: 9.0 for vm in STATE.vms for node in vm.nodes}
            watching.change(lambda known: known.seen_ready(ready, begun.powered_on))

        for step in (watch, heal) if watched_first else (heal, watch):
            step()
        found = state.read(folder)

    assert {vm.name for vm in STATE.vms} - {*gone} | {vm.name for vm in new.values()} == {vm.name for vm in found.vms}
    assert {node.name for vm in STATE.vms if vm.name not in gone for node in vm.nodes} <= found.ready.keys()


def test_changes_at_one_moment_all_count(tmp_path: Path) -> None:
    """Whatever many commands change at once is in the file afterwards."""
    state.write(tmp_path, STATE)
    names = [f"n-{number}" for number in range(40)]

    def change(name: str) -> None:
        state.change(tmp_path, lambda known: replace(known, ready={**known.ready, name: 1.0}))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(change, names))

    assert dict.fromkeys(names, 1.0) == state.read(tmp_path).ready


def test_a_machine_that_was_switched_on_again_is_not_ready_yet() -> None:
    """What was seen before its last start does not count."""
    seen = replace(STATE, powered_on={"sentry-1": 1.0, "sentry-2": 1.0})
    since = seen.on("sentry-1", 5.0)

    assert {"sentry-2": 3.0} == since.seen_ready({"sentry-1": 2.0, "sentry-2": 3.0}, seen.powered_on).ready
