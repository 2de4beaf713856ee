"""Metrics in Prometheus' text format: one endpoint for all nodes of the machine, each with its own labels.

Served on loopback, or on all addresses if node.yaml names who may read them; then the firewall
lets nobody else in.
"""

from __future__ import annotations

import http.server
import socket
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime

from goldnode.node.agent.health import NodeState
from goldnode.node.agent.supervisor import NodeReport
from goldnode.node.plan.upgrade import Binary

_HELP = {
    "goldnode_healthy": "1 when the node needs no attention",
    "goldnode_state": "1 for the state the node is in",
    "goldnode_restarts": "Times it was restarted after it had ended by itself",
    "goldnode_height": "Latest block",
    "goldnode_block_age_seconds": "Seconds since the latest block; -1 while unknown",
    "goldnode_peers": "Peers connected",
    "goldnode_wanted_peers_missing": "Peers of the own cluster that should be connected and are not",
    "goldnode_signed_height": "Height the consensus key signed last",
    "goldnode_lease_held": "1 when the signing lease is held",
    "goldnode_lease_first_height": "First height that the lease lets sign; 0 without a grant",
    "goldnode_lease_last_height": "Last height that the lease lets sign; 0 without a grant",
    "goldnode_lease_renewed": "When the lease's store last took a write, unix seconds; 0 for never",
    "goldnode_private_peers": "Validators loaded as private peers",
    "goldnode_members": "Other members of the cluster",
    "goldnode_catch_up": "1 for the way by which the node is getting to the tip; absent at the tip",
    "goldnode_catch_up_part": "How much of a snapshot is here, 0 to 1",
    "goldnode_blocks_behind": "Blocks behind the tip, by the age of the latest; 0 at the tip",
    "goldnode_version_info": "1 for the version of the daemon that runs",
    "goldnode_upgrade_height": "First height of the next version, as ladder or chain say",
    "goldnode_upgrade_blocks": "Blocks until the next version",
    "goldnode_upgrade_ready": "1 when the next version's binary is here and what it should be",
    "goldnode_alarms": "Problems with the cluster or the rendezvous",
    "goldnode_uptime_seconds": "Seconds since power-on",
    "goldnode_debian_date": "Day the image's Debian packages are of, unix seconds",
}


def render(
    reports: Iterable[NodeReport], *, alarms: int, uptime: float, debian: Mapping[str, str] | None = None
) -> str:
    """The page.

    Args:
        reports: The machine's nodes.
        alarms: How many problems there are with clusters and rendezvous.
        uptime: Seconds since power-on.
        debian: Suite, date and snapshot of the image's Debian packages; empty or None where it does not say.
    """
    values: dict[str, list[tuple[str, float]]] = {name: [] for name in _HELP}
    for report in reports:
        labels = f'node="{report.name}",role="{report.role}",node_id="{report.node_id}"'
        health = report.health
        values["goldnode_healthy"].append((labels, float(health.healthy)))
        values["goldnode_state"] += [(f'{labels},state="{state}"', float(state is health.state)) for state in NodeState]
        values["goldnode_restarts"].append((labels, report.restarts))
        if not report.node_id:
            # Refused, or in the JVM: there is no chain to report.
            continue
        values["goldnode_height"].append((labels, health.height))
        values["goldnode_block_age_seconds"].append((labels, round(health.age, 3)))
        values["goldnode_peers"].append((labels, health.peers))
        values["goldnode_wanted_peers_missing"].append((labels, len(health.missing)))
        values["goldnode_private_peers"].append((labels, len(report.loaded)))
        values["goldnode_members"].append((labels, report.members))
        if way := report.reached.way:
            values["goldnode_catch_up"].append((f'{labels},way="{way}"', 1.0))
            values["goldnode_catch_up_part"].append((labels, round(report.reached.part, 3)))
        values["goldnode_blocks_behind"].append((labels, report.reached.behind))
        if report.upgrades.version:
            values["goldnode_version_info"].append((f'{labels},version="{report.upgrades.version}"', 1.0))
        if coming := report.upgrades.coming:
            named = f'{labels},upgrade="{coming.name}"'
            values["goldnode_upgrade_height"].append((named, coming.height))
            values["goldnode_upgrade_blocks"].append((named, coming.blocks))
            values["goldnode_upgrade_ready"].append((named, float(coming.binary is Binary.VERIFIED)))
        if report.lease:
            values["goldnode_lease_held"].append((labels, float(report.lease.state == "held")))
            values["goldnode_lease_first_height"].append((labels, report.lease.lo))
            values["goldnode_lease_last_height"].append((labels, report.lease.hi))
            values["goldnode_lease_renewed"].append((labels, round(report.lease.renewed)))
        if report.key:
            values["goldnode_signed_height"].append((labels, report.key.height))
    values["goldnode_alarms"].append(("", alarms))
    values["goldnode_uptime_seconds"].append(("", round(uptime, 1)))
    if debian:
        labels = f'suite="{debian["suite"]}",snapshot="{debian.get("snapshot", "")}"'
        day = datetime.fromisoformat(debian["date"]).replace(tzinfo=UTC)
        values["goldnode_debian_date"].append((labels, day.timestamp()))
    lines = []
    for name, samples in values.items():
        lines += [f"# HELP {name} {_HELP[name]}", f"# TYPE {name} gauge"] if samples else []
        lines += [f"{name}{{{labels}}} {value:.15g}" if labels else f"{name} {value:.15g}" for labels, value in samples]
    return "\n".join(lines) + "\n"


@contextmanager
def serving(address: str, port: int, page: Callable[[], str]) -> Iterator[int]:
    """Serve a page at /metrics while the block runs.

    Args:
        address: `127.0.0.1`, or `::` for all.
        port: 0 for any free one.
        page: Gives the text.

    Yields:
        The port.
    """

    class Handler(http.server.BaseHTTPRequestHandler):
        timeout = 5.0

        def do_GET(self) -> None:
            body = page().encode() if self.path == "/metrics" else b""
            self.send_response(200 if body else 404)
            self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Log nothing: nobody needs a log of readers."""

    class Server(http.server.ThreadingHTTPServer):
        address_family = socket.AF_INET6 if ":" in address else socket.AF_INET
        daemon_threads = True

    with Server((address, port), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, name="metrics", daemon=True)
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()
