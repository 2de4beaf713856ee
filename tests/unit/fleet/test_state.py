"""What a fleet knows of itself on disk."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from goldnode.config.choices import MeshKind
from goldnode.errors import UsageError
from goldnode.fleet import state
from goldnode.fleet.plan import FleetSpec, vms
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
