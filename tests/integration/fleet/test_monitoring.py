"""What watches a fleet, started for one whose machines are off: real programs, and pages that this machine reads."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from goldnode.fleet import monitoring
from goldnode.fleet.fleet import Fleet
from goldnode.fleet.namespace import Namespace
from goldnode.fleet.plan import FleetSpec, vms
from goldnode.fleet.state import FleetState
from goldnode.run import run
from tests.support.waiting import until


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Fleet]:
    """A fleet whose network stands, and what watches it."""
    namespace = Namespace(tmp_path / "fleet")
    namespace.make()
    try:
        namespace.run(["ip", "link", "set", "lo", "up"])
        spec = FleetSpec(monitor=True)
        made = Fleet(namespace.folder, FleetState(spec, {}, "tcg", "max", vms=vms(spec)))
        made.keep(made.state)
        monitoring.start(made)
        yield made
    finally:
        namespace.end()


def _read(url: str) -> str:
    return run(["curl", "--silent", "--fail", "--max-time", "5", url], check=False).stdout


def _targets(url: str) -> dict[str, str]:
    """Each machine that Prometheus reads, and how it is."""
    found = json.loads(_read(f"{url}api/v1/targets") or '{"data": {"activeTargets": []}}')["data"]["activeTargets"]
    return {each["labels"]["instance"]: each["health"] for each in found}


def test_its_pages_are_read_on_this_machine(watched: Fleet) -> None:
    """Prometheus asks every machine and has every rule, Alertmanager answers, and the watch shows machines as gone."""
    pages = watched.state.pages
    machines = [f"{vm.address}:9600" for vm in watched.state.vms]
    logs = (watched.folder / "monitoring").glob("*.log")

    assert until(lambda: "down" in _targets(pages["Prometheus"]).values(), 60), [log.read_text() for log in logs]
    assert sorted(machines) == sorted(_targets(pages["Prometheus"]))
    rules = json.loads(_read(f"{pages['Prometheus']}api/v1/rules"))["data"]["groups"]
    assert "MachineDown" in {rule["name"] for group in rules for rule in group["rules"]}
    assert until(lambda: _read(f"{pages['Alertmanager']}-/ready"), 60)
    assert until(lambda: _read(f"{pages['watch']}state.json"), 60)
    seen = json.loads(_read(f"{pages['watch']}state.json"))
    assert [[machine, False] for machine in machines] == seen["machines"]


def test_it_ends_with_the_fleet(watched: Fleet) -> None:
    """Its pages too."""
    page = watched.state.pages["Alertmanager"]
    assert until(lambda: _read(f"{page}-/ready"), 60)

    watched.namespace.end()

    assert until(lambda: not _read(f"{page}-/ready"), 20)
