"""The measurements measure: on a small scale here, beside the real peers in the long tier."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from benchmarks import exchange, peers, rendezvous
from benchmarks.load import connected, drive
from benchmarks.rendezvous import RendezvousReport
from benchmarks.server import empty_server, server
from goldnode.errors import ExchangeError, HostError
from goldnode.progress import SILENT

REPORT = RendezvousReport(
    puts_per_second=1234.5, watchers=5000, kib_per_watcher=15.0, fan_out=0.5, fan_out_floor=0.4, members=64, refill=2.0,
    exchange=0.05, exchange_with_start=0.25, croc=0.5, wormhole=1.0, load=0.1,
)  # fmt: skip


def test_small_scale(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Puts are counted, watchers are woken and weighed, nodes meet, and a wiped server fills again."""
    for name, value in {"PUTS": 60, "WRITERS": 4, "ROOMS": 3, "SLOTS": 5, "WATCHERS": 30, "REST": 0.1}.items():
        monkeypatch.setattr(rendezvous, name, value)
    with server(tmp_path / "store.sqlite") as running:
        puts = asyncio.run(rendezvous._puts(running))
        memory, fan_out = asyncio.run(rendezvous._watchers(running))
        with empty_server() as empty:
            floor = asyncio.run(rendezvous._floor(empty))
        exchange.write_program(program := tmp_path / "node.pyz")
        met = [exchange.three_nodes(program, running.url, started=started) for started in (True, False)]
    refill = exchange.refill(3)

    assert (True, True) == (puts > 10, 0 <= memory < 2**20)
    assert max(fan_out, floor, refill, *met) < 20


def test_refused_load(tmp_path: Path) -> None:
    """A measurement of refusals is no measurement: the first one ends it."""

    async def refused(url: str) -> None:
        async with connected(url, 1) as connections:
            await drive(connections, [b"GET /nothing HTTP/1.1\r\nhost: x\r\n\r\n"])

    with server(tmp_path / "store.sqlite") as running, pytest.raises(ExchangeError, match="404"):
        asyncio.run(refused(running.url))


def test_server_that_does_not_start(tmp_path: Path) -> None:
    """A server that cannot listen is reported, with a command that shows why."""
    with (
        server(tmp_path / "one.sqlite") as running,
        pytest.raises(HostError, match="did not start"),
        server(tmp_path / "two.sqlite", listen=running.url.removeprefix("http://")),
    ):
        pass


def test_report() -> None:
    """The table names each goal, and the ratios compare like with like: processes that have to start."""
    document, rows = REPORT.document(), list(REPORT.rows())

    assert {"croc": 2.0, "wormhole": 4.0} == document["times_faster_with_start"]
    assert ("accepted puts per second", "1,234", "goal: 1,200") == rows[0]
    assert ("the same on an empty server: the floor", "0.40 s", "1.25 times") == rows[3]
    assert ("croc, one text one way", "0.500 s", "10.0") == rows[-2]


@pytest.mark.long
def test_peers() -> None:
    """Croc and magic-wormhole are built, installed and timed, on a network of their own."""
    seconds = peers.transfers(1, SILENT)

    assert {"croc": 1, "magic-wormhole": 1} == {tool: len(times) for tool, times in seconds.items()}
    assert min(min(times) for times in seconds.values()) > 0.01
