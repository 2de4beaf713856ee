"""Prometheus, Alertmanager and `./invoke watch` beside a fleet, with what `monitoring/` ships for a real cluster.

They run inside the fleet's namespaces, where the machines' pages are; a page on this machine's loopback leads to each.
"""

from __future__ import annotations

import contextlib
import socket
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from goldnode.files import write_atomic
from goldnode.fleet import relay
from goldnode.fleet.fleet import Fleet
from goldnode.fleet.plan import VmSpec
from goldnode.node.plan.ports import METRICS
from goldnode.paths import REPOSITORY
from goldnode.run import detach

MONITORING = REPOSITORY / "monitoring"
#: Port of each page, inside; on this machine too, where it is free.
PAGES = {"watch": 8600, "Prometheus": 9090, "Alertmanager": 9093}
_LOOPBACK = "127.0.0.1"


def prometheus(example: str, rules: Path, vms: Sequence[VmSpec], cluster: str) -> dict[str, Any]:
    """Prometheus' settings for a fleet: the example's, with its machines.

    Args:
        example: monitoring/prometheus.example.yml.
        rules: The rules' file.
        vms: The fleet's machines.
        cluster: What its metrics are labelled with.
    """
    document: dict[str, Any] = yaml.safe_load(example)
    (job,) = document["scrape_configs"]
    targets = [f"{vm.address}:{METRICS}" for vm in vms]
    job["static_configs"] = [{"targets": targets, "labels": {"cluster": cluster}}]
    return {**document, "rule_files": [str(rules)]}


def alertmanager(example: str) -> dict[str, Any]:
    """Alertmanager's settings: the example's, but nobody is told; its page shows what is firing."""
    document: dict[str, Any] = yaml.safe_load(example)
    return {**document, "receivers": [{"name": each["name"]} for each in document["receivers"]]}


def commands(folder: Path, vms: Sequence[VmSpec]) -> Mapping[str, list[str]]:
    """The command line of each program, by the name of its page."""
    pages = [word for vm in vms for word in ("--page", f"{vm.address}:{METRICS}")]
    return {
        "watch": [str(REPOSITORY / "invoke"), "watch", *pages, "--web", f"{_LOOPBACK}:{PAGES['watch']}"],
        "Prometheus": ["prometheus", "--config.file", str(folder / "prometheus.yml"),
                       "--storage.tsdb.path", str(folder / "prometheus"),
                       "--web.listen-address", f"{_LOOPBACK}:{PAGES['Prometheus']}"],
        "Alertmanager": ["prometheus-alertmanager", "--config.file", str(folder / "alertmanager.yml"),
                         "--storage.path", str(folder / "alertmanager"), "--cluster.listen-address=",
                         "--web.listen-address", f"{_LOOPBACK}:{PAGES['Alertmanager']}"],
    }  # fmt: skip


def start(fleet: Fleet) -> None:
    """Start them; where they can be read is in the fleet's state."""
    folder = (fleet.folder / "monitoring").resolve()
    example = (MONITORING / "prometheus.example.yml").read_text()
    settings = prometheus(example, MONITORING / "alerts.yml", fleet.state.vms, fleet.folder.name)
    write_atomic(folder / "prometheus.yml", yaml.safe_dump(settings))
    quiet = alertmanager((MONITORING / "alertmanager.example.yml").read_text())
    write_atomic(folder / "alertmanager.yml", yaml.safe_dump(quiet))
    for name, argv in commands(folder, fleet.state.vms).items():
        # `./invoke` works in the checkout, the others anywhere.
        fleet.namespace.start(name, argv, cwd=REPOSITORY, log=folder / f"{name}.log")
    pages = {name: show(fleet, name, port) for name, port in PAGES.items()}
    fleet.change(lambda known: replace(known, pages=pages))


def show(fleet: Fleet, name: str, port: int) -> str:
    """Let this machine read a page of loopback inside; returns its URL here."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with contextlib.suppress(OSError):
            listener.bind((_LOOPBACK, port))
        # Somebody else has that port: a bound socket listens there, another one at any.
        listener.listen()
        page = [sys.executable, "-I", str(relay.__file__), str(listener.fileno()), _LOOPBACK, str(port)]
        argv = [*fleet.namespace.enter("--pid"), *page]
        detach(argv, fleet.folder / "monitoring" / f"{name}-page.log", keep=(listener.fileno(),))
        return f"http://{_LOOPBACK}:{listener.getsockname()[1]}/"
