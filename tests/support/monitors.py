"""Debian's Prometheus and Alertmanager beside a miniature fleet, with the rules as shipped, and a listening webhook."""

from __future__ import annotations

import contextlib
import json
import time
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from goldnode.node.plan.ports import METRICS
from goldnode.paths import REPOSITORY
from goldnode.run import CommandError, run
from tests.integration.node.fleet import Fleet, Host
from tests.support.waiting import until

MONITORING = REPOSITORY / "monitoring"
PROMETHEUS, ALERTMANAGER, WEBHOOK = 9090, 9093, 9094
#: Writes each body it is sent to its standard output, a line each.
_HOOK = """
import http.server, sys
class Hook(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        print(self.rfile.read(int(self.headers["content-length"])).decode().strip(), flush=True)
        self.send_response(200); self.end_headers()
    def log_message(self, *_): pass
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Hook).serve_forever()
"""


@dataclass(frozen=True, slots=True)
class Monitors:
    """What watches a fleet.

    Attributes:
        fleet: The fleet.
        folder: Where everything of it is.
    """

    fleet: Fleet
    folder: Path

    def query(self, expr: str) -> list[dict[str, Any]]:
        """What Prometheus answers."""
        found: list[dict[str, Any]] = self._ask(f"/api/v1/query?{urllib.parse.urlencode({'query': expr})}")["result"]
        return found

    def firing(self) -> set[str]:
        """Names of the alerts that Prometheus has firing."""
        return {
            each["labels"]["alertname"] for each in self._ask("/api/v1/alerts")["alerts"] if each["state"] == "firing"
        }

    def told(self, status: str = "firing") -> set[str]:
        """Names of the alerts of which the webhook was told that they began, or that they are `resolved`."""
        path = self.folder / "webhook.log"
        messages = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
        return {
            each["labels"]["alertname"]
            for message in messages
            for each in message["alerts"]
            if each["status"] == status
        }

    def wait(self, alert: str, seconds: float, status: str = "firing") -> float:
        """Wait until the webhook was told of an alert; how many seconds that took."""
        began = time.monotonic()
        assert until(lambda: alert in self.told(status), seconds, 1), (alert, status, self.told(), self.firing())
        return time.monotonic() - began

    def forget(self) -> None:
        """Let the webhook's memory begin anew."""
        (self.folder / "webhook.log").write_text("")

    def _ask(self, path: str) -> dict[str, Any]:
        argv = ["ip", "netns", "exec", self.fleet.world, "curl", "-sS", f"http://127.0.0.1:{PROMETHEUS}{path}"]
        data: dict[str, Any] = json.loads(run(argv, timeout=30).stdout)["data"]
        return data


@contextlib.contextmanager
def monitors(fleet: Fleet, hosts: list[Host]) -> Iterator[Monitors]:
    """Watch machines of a fleet until the block ends.

    Args:
        fleet: The fleet.
        hosts: Its machines, which must let its network read their page.
    """
    folder = fleet.folder / "monitors"
    folder.mkdir()
    telling = yaml.safe_load((MONITORING / "alertmanager.example.yml").read_text())
    telling["route"] |= {"group_wait": "5s", "group_interval": "10s"}
    (folder / "alertmanager.yml").write_text(yaml.safe_dump(telling))
    settings = yaml.safe_load((MONITORING / "prometheus.example.yml").read_text())
    settings["global"] = {"scrape_interval": "5s", "evaluation_interval": "5s"}
    settings["rule_files"] = [str(MONITORING / "alerts.yml")]
    targets = [f"{host.address}:{METRICS}" for host in hosts]
    settings["scrape_configs"][0]["static_configs"] = [{"targets": targets, "labels": {"cluster": "lab"}}]
    (folder / "prometheus.yml").write_text(yaml.safe_dump(settings))
    with contextlib.ExitStack() as stack:
        for name, argv in (
            ("webhook", ["python3", "-c", _HOOK, WEBHOOK]),
            ("alertmanager", ["prometheus-alertmanager", "--config.file", folder / "alertmanager.yml",
                              "--storage.path", folder / "alertmanager", "--cluster.listen-address=",
                              "--web.listen-address", f"127.0.0.1:{ALERTMANAGER}"]),
            ("prometheus", ["prometheus", "--config.file", folder / "prometheus.yml",
                            "--storage.tsdb.path", folder / "prometheus",
                            "--web.listen-address", f"127.0.0.1:{PROMETHEUS}"]),
        ):  # fmt: skip
            log = stack.enter_context((folder / f"{name}.log").open("ab"))
            errors = stack.enter_context((folder / f"{name}.err").open("ab"))
            stack.enter_context(fleet.inside(fleet.world, argv, stdout=log, stderr=errors))
        made = Monitors(fleet, folder)
        assert until(lambda: _answers(made, len(hosts)), 90, 1), (folder / "prometheus.err").read_text()
        yield made


def _answers(made: Monitors, machines: int) -> bool:
    """Whether Prometheus has a page of every machine."""
    try:
        return len(made.query('up{job="goldnode"} == 1')) == machines
    except (CommandError, ValueError, KeyError):
        return False
