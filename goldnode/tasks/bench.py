"""Measurements, one task each; what is measured, and how, stands in benchmarks/."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from invoke.collection import Collection
from invoke.context import Context
from invoke.tasks import task
from rich import table as tables

from benchmarks import agent as agent_bench
from benchmarks import bake as bake_bench
from benchmarks import boot as boot_bench
from benchmarks import catch_up as catch_up_bench
from benchmarks import commands as commands_bench
from benchmarks import jvm as jvm_bench
from benchmarks import publish as publish_bench
from benchmarks import rendezvous as rendezvous_bench
from benchmarks import signer as signer_bench
from goldnode.errors import UsageError
from goldnode.tasks import host
from goldnode.tasks.console import progress
from goldnode.tasks.host import Need
from goldnode.tasks.terminal import output


@task(help={"json": "print the measurements as JSON"})
def rendezvous(_: Context, json: bool = False) -> None:
    """Measure the rendezvous, side by side with croc and magic-wormhole; use an idle machine."""
    with progress() as told:
        report = rendezvous_bench.measure(told)
    _show(
        report,
        ("what", "measured", "goal, or times the exchange"),
        f"load {report.load:.1f}; limits raised: {report.raised}",
        json=json,
    )


@task(help={"json": "print the measurements as JSON"})
def agent(_: Context, json: bool = False) -> None:
    """Measure the agent of one node and of nine at rest: share of a core, memory; use an idle machine."""
    host.require([Need.TEST_PACKAGES])  # the machine's tree and its daemons are those of the tests
    with progress() as told:
        report = agent_bench.measure(told)
    _show(
        report,
        ("what", "measured", "goal"),
        f"load {report.load:.1f}; PSS; a look at systemd in each round included",
        json=json,
    )


@task(help={"json": "print the measurements as JSON"})
def publish(_: Context, json: bool = False) -> None:
    """Measure how fast blocks leave for EBS direct, beside workers that only send; use an idle machine."""
    with progress() as told:
        report = publish_bench.measure(told)
    _show(
        report,
        ("what", "measured", "goal"),
        f"load {report.load:.1f}; {publish_bench.TURNS} turns of {publish_bench.BLOCKS} blocks each",
        json=json,
    )


@task(
    positional=[],
    iterable=["nodes"],
    help={
        "nodes": "how many nodes (repeat it)",
        "network": "the JVM network: mokamint, a chain with a database in each node, or daml, ledgers in PostgreSQL",
        "json": "print the measurements as JSON",
    },
)
def jvm(_: Context, nodes: list[str], network: str = "mokamint", json: bool = False) -> None:
    """Measure N nodes in one JVM beside N JVMs, memory and start; use an idle machine."""
    if wrong := [count for count in nodes if not count.isdecimal()]:
        raise UsageError(f"--nodes {wrong[0]}: expected an integer", hint="./invoke bench jvm --help")
    counts = [int(count) for count in nodes]
    with progress() as told:
        report = jvm_bench.measure(counts or [3, 5, 10, 20], told, network)
    _show(
        report,
        ("nodes", "PSS in one JVM, in N", "share", "start in one JVM, in N", "share"),
        f"load {report.load:.1f}",
        json=json,
    )


@task(
    help={
        "turns": "how often each is measured",
        "stock": "bake once the ordinary way too, which takes minutes",
        "cold": "bake with an empty cache too, which takes a quarter of an hour",
        "json": "print the measurements as JSON",
    }
)
def bake(_: Context, turns: int = 3, stock: bool = True, cold: bool = True, json: bool = False) -> None:
    """Measure a bake beside one ordinary boot of the same disk and its compression; use an idle machine."""
    host.require([Need.BAKE, Need.MACHINE])
    with progress() as told:
        report = bake_bench.measure(turns, told, stock=stock, cold=cold)
    _tell(report.document(), json=json)


@task(help={"turns": "how often each is measured", "json": "print the measurements as JSON"})
def boot(_: Context, turns: int = 3, json: bool = False) -> None:
    """Measure power-on to ready beside power-on to the login prompt of the same Debian; use an idle machine."""
    host.require([Need.BAKE, Need.MACHINE])
    with progress() as told:
        report = boot_bench.measure(turns, told)
    _tell(report.document(), json=json)


@task(help={"turns": "how often each is measured", "json": "print the measurements as JSON"})
def commands(_: Context, turns: int = 7, json: bool = False) -> None:
    """Measure how long `./invoke` takes before a command begins, beside an empty Python; use an idle machine."""
    with progress() as told:
        report = commands_bench.measure(turns, told)
    _show(report, ("what", "more than an empty Python", "goal"), f"load {report.load:.1f}", json=json)


class Measurement(Protocol):
    """What a measurement found."""

    def document(self) -> Mapping[str, object]:
        """For programs."""

    def rows(self) -> Iterable[Sequence[str]]:
        """For people."""


def _show(report: Measurement, columns: Sequence[str], caption: str, *, json: bool) -> None:
    """Print a report: as JSON, or as a table."""
    if json:
        output.say_json(report.document())
        return
    table = tables.Table(*columns, caption=caption)
    for row in report.rows():
        table.add_row(*row)
    output.show(table)


def _tell(document: Mapping[str, object], *, json: bool) -> None:
    """Print measurements: as JSON, or one per row."""
    if json:
        output.say_json(document)
        return
    table = tables.Table("what", "measured")
    for name, value in document.items():
        table.add_row(name.replace("_", " "), str(value))
    output.show(table)


@task(help={"json": "print the measurements as JSON"})
def signer(_: Context, json: bool = False) -> None:
    """Measure what the signing lease's signer adds to a signature, beside the daemon's own; use an idle machine."""
    with progress() as told:
        report = signer_bench.measure(told)
    _tell(report.document(), json=json)


@task(help={"blocks": "how long the chain's past is", "json": "print the measurements as JSON"})
def catch_up(_: Context, blocks: int = 1000, json: bool = False) -> None:
    """Measure power-on to tip by state sync, by snapshot and by replay, on one chain; use an idle machine."""
    host.require([Need.BAKE, Need.MACHINE, Need.FLEET, Need.PROOF])
    with progress() as told:
        report = catch_up_bench.measure(int(blocks), told)
    _show(
        report,
        ("way", "power-on to tip", "of the replay's", "where the time goes"),
        f"load {report.load:.1f}; {report.blocks} blocks; {report.accelerator}",
        json=json,
    )


ns = Collection("bench", agent, bake, boot, catch_up, commands, jvm, rendezvous, publish, signer)
