"""What watches a fleet."""

from __future__ import annotations

from pathlib import Path

import yaml

from goldnode.fleet import monitoring
from goldnode.fleet.plan import NETWORK, FleetSpec, extra, vms

SPEC = FleetSpec(monitor=True)


def test_prometheus_reads_every_machine_by_the_rules_as_shipped() -> None:
    """The shipped example with the fleet's machines and rules in it, and nothing else of it changed."""
    example = (monitoring.MONITORING / "prometheus.example.yml").read_text()

    made = monitoring.prometheus(example, Path("/r/alerts.yml"), vms(SPEC), "f")

    machines = [f"{NETWORK}.{number}:9600" for number in (11, 12, 13)]
    assert [{"targets": machines, "labels": {"cluster": "f"}}] == made["scrape_configs"][0]["static_configs"]
    assert ["/r/alerts.yml"] == made["rule_files"]
    assert yaml.safe_load(example)["alerting"] == made["alerting"]


def test_alertmanager_tells_nobody() -> None:
    """Its routes and what it mutes are those shipped; its page shows what is firing."""
    example = (monitoring.MONITORING / "alertmanager.example.yml").read_text()

    made = monitoring.alertmanager(example)

    assert [{"name": "on-call"}] == made["receivers"]
    assert yaml.safe_load(example)["inhibit_rules"] == made["inhibit_rules"]


def test_every_machine_lets_the_fleet_read_its_page() -> None:
    """Only where something watches: a machine's page is closed otherwise."""
    assert [[f"{NETWORK}.0/24"]] * 3 == [extra(vm, SPEC, ())["metrics"] for vm in vms(SPEC)]
    assert ["metrics" in extra(vm, FleetSpec(), ()) for vm in vms(FleetSpec())] == [False] * 3


def test_all_of_it_is_read_on_loopback() -> None:
    """Nobody else on the fleet's network reaches it."""
    for argv in monitoring.commands(Path("/f"), vms(SPEC)).values():
        assert any(word.startswith("127.0.0.1:") for word in argv), argv
