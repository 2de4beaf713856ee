"""Writes Grafana's dashboards beside itself: `python monitoring/dashboards.py` (needs grafana-foundation-sdk).

Made from code so that a query is written once and a metric's new name is one change; the files are checked in, because
whoever imports them into Grafana has no use for Python.  tests/integration/monitoring holds the two together, and runs
every query against a real Prometheus that reads real nodes.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from grafana_foundation_sdk.builders import dashboard, prometheus, stat, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import DataSourceRef

SOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")
CLUSTER = 'cluster=~"$cluster"'
#: CometBFT's own metrics have had two prefixes.
COMET = "(cometbft|tendermint)"


@dataclass(frozen=True, slots=True)
class Chart:
    """A panel.

    Attributes:
        title: What it shows.
        expr: Its query; CLUSTER stands where the cluster is chosen.
        legend: Which label names a line.
        unit: Grafana's name of the unit.
        now: Only the present counts: a number, not a line.
    """

    title: str
    expr: str
    legend: str
    unit: str = "short"
    now: bool = False


BOARDS: dict[str, tuple[str, tuple[Chart, ...]]] = {
    "cluster": (
        "goldnode: cluster",
        (
            Chart("Machines that answer", f'sum(up{{job="goldnode",{CLUSTER}}})', "machines", now=True),
            Chart("Nodes that need nobody", f"sum(goldnode_healthy{{{CLUSTER}}})", "nodes", now=True),
            Chart("Problems with cluster or rendezvous", f"sum(goldnode_alarms{{{CLUSTER}}})", "alarms", now=True),
            Chart("Height", f"goldnode_height{{{CLUSTER}}}", "{{node}}"),
            Chart("Age of the latest block", f"goldnode_block_age_seconds{{{CLUSTER}}}", "{{node}}", "s"),
            Chart("Peers", f"goldnode_peers{{{CLUSTER}}}", "{{node}}"),
            Chart(
                "Peers of the own cluster that are missing", f"goldnode_wanted_peers_missing{{{CLUSTER}}}", "{{node}}"
            ),
            Chart("Blocks behind", f"goldnode_blocks_behind{{{CLUSTER}}}", "{{node}}"),
            Chart("Daemon started again", f"goldnode_restarts{{{CLUSTER}}}", "{{node}}"),
            Chart("State", f"goldnode_state{{{CLUSTER}}} == 1", "{{node}}: {{state}}"),
            Chart("Rendezvous answers", f"goldnode_rendezvous_reachable{{{CLUSTER}}}", "{{instance}} {{rendezvous}}"),
        ),
    ),
    "validators": (
        "goldnode: validators",
        (
            Chart(
                "Signing", f"max by (validator) (goldnode_validator_signing{{{CLUSTER}}})", "{{validator}}", now=True
            ),
            Chart(
                "Blocks left before jail",
                f"min by (validator) (goldnode_validator_blocks_left{{{CLUSTER}}})",
                "{{validator}}",
                now=True,
            ),
            Chart("Jailed", f"max by (validator) (goldnode_validator_jailed{{{CLUSTER}}})", "{{validator}}", now=True),
            Chart(
                "Missed blocks in the chain's window",
                f"max by (validator) (goldnode_validator_missed_blocks{{{CLUSTER}}})",
                "{{validator}}",
            ),
            Chart("Height that the key signed last", f"goldnode_signed_height{{{CLUSTER}}}", "{{node}}"),
            Chart("Tokens", f"max by (validator) (goldnode_validator_tokens{{{CLUSTER}}})", "{{validator}}"),
            Chart(
                "Rounds of consensus",
                f'{{__name__=~"{COMET}_consensus_rounds",{CLUSTER}}}',
                "{{node}}",
            ),
            Chart(
                "Time from block to block",
                f'rate({{__name__=~"{COMET}_consensus_block_interval_seconds_sum",{CLUSTER}}}[5m])'
                f' / rate({{__name__=~"{COMET}_consensus_block_interval_seconds_count",{CLUSTER}}}[5m])',
                "{{node}}",
                "s",
            ),
            Chart(
                "Transactions waiting",
                f'{{__name__=~"{COMET}_mempool_size",{CLUSTER}}}',
                "{{node}}",
            ),
        ),
    ),
    "machines": (
        "goldnode: machines",
        (
            Chart("Disk free, of the node's home", f"goldnode_disk_free_bytes{{{CLUSTER}}}", "{{node}}", "bytes"),
            Chart(
                "Part of the disk that is free",
                f"goldnode_disk_free_bytes{{{CLUSTER}}} / goldnode_disk_size_bytes{{{CLUSTER}}}",
                "{{node}}",
                "percentunit",
            ),
            Chart("Clock, seconds ahead", f"goldnode_clock_offset_seconds{{{CLUSTER}}}", "{{instance}}", "s"),
            Chart("Since power-on", f"goldnode_uptime_seconds{{{CLUSTER}}}", "{{instance}}", "s"),
            Chart(
                "Age of the Debian packages",
                f"time() - goldnode_debian_date{{{CLUSTER}}}",
                "{{instance}}",
                "s",
            ),
            Chart("Memory of the daemon", f"process_resident_memory_bytes{{{CLUSTER}}}", "{{node}}", "bytes"),
            Chart(
                "Processor of the daemon",
                f"rate(process_cpu_seconds_total{{{CLUSTER}}}[5m])",
                "{{node}}",
                "percentunit",
            ),
            Chart("Memory available", f"node_memory_MemAvailable_bytes{{{CLUSTER}}}", "{{instance}}", "bytes"),
            Chart("Load", f"node_load1{{{CLUSTER}}}", "{{instance}}"),
            Chart(
                "Network, received",
                f'rate(node_network_receive_bytes_total{{device!="lo",{CLUSTER}}}[5m])',
                "{{instance}} {{device}}",
                "Bps",
            ),
        ),
    ),
}


def written(name: str) -> str:
    """The JSON of one dashboard, as Grafana imports it."""
    title, charts = BOARDS[name]
    made = dashboard.Dashboard(title).uid(f"goldnode-{name}").tags(["goldnode"]).refresh("30s").time("now-3h", "now")
    made.timezone("browser").readonly()
    made.with_variable(dashboard.DatasourceVariable("datasource").label("Prometheus").type("prometheus"))
    made.with_variable(
        dashboard.QueryVariable("cluster")
        .label("cluster")
        .datasource(SOURCE)
        .query("label_values(goldnode_uptime_seconds, cluster)")
        .include_all(True)
        .all_value(".*")
    )
    for chart in charts:
        query = prometheus.Dataquery().expr(chart.expr).legend_format(chart.legend)
        panel = (stat.Panel() if chart.now else timeseries.Panel()).title(chart.title).unit(chart.unit)
        panel.datasource(SOURCE).height(5 if chart.now else 8).span(8 if chart.now else 12).with_target(query)
        made.with_panel(panel)
    return JSONEncoder(sort_keys=True, indent=2).encode(made.build()) + "\n"


def main() -> None:
    """Write them all, into the folder that is named, or else beside this file."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_name("dashboards")
    for name in BOARDS:
        (folder / f"{name}.json").write_text(written(name))


if __name__ == "__main__":
    main()
