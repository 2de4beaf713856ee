"""The rendezvous measured: how much it takes, what it costs, and how it compares.

All on loopback, limits raised, server and load in processes of their own.  The comparison is
three nodes that each learn both others against croc and magic-wormhole that move one short text
one way, in the same run.
"""

from __future__ import annotations

import asyncio
import json
import os
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import exchange, peers
from benchmarks.load import Connection, Room, connected, drive
from benchmarks.server import RAISED, Server, empty_server, server
from goldnode.errors import ExchangeError
from goldnode.progress import Progress
from goldnode.protocol import limits
from goldnode.protocol.wire import key_from_seed

PUTS, WRITERS = 6000, 64
ROOMS, SLOTS, WATCHERS = 20, 40, 5000
#: Times each comparison is made; the median counts.
RUNS = 5
#: Seconds the server gets to come to rest before its memory is read.
REST = 2.0
#: Seconds until all watchers must wait.
TIMEOUT = 40.0


@dataclass(frozen=True, slots=True)
class RendezvousReport:
    """What was measured.

    Attributes:
        puts_per_second: Accepted puts, two signatures checked each, on disk before the answer.
        watchers: Long-polls that waited at once, spread over 20 rooms.
        kib_per_watcher: Memory of each of them.
        fan_out: Seconds from one put per room until every watcher had its answer.
        fan_out_floor: The same on a server that checks and keeps nothing.
        members: How many were in the cluster whose server was wiped.
        refill: Seconds until the empty server held every member's record again.
        exchange: Seconds in which three running agents each learn both others.
        exchange_with_start: The same, the start of their processes included.
        croc: Seconds of one one-way transfer.
        wormhole: Seconds of one one-way transfer.
        load: The machine's load average at the end: an idle machine is the claim's condition.
        raised: Flags that raised the server's limits.
    """

    puts_per_second: float
    watchers: int
    kib_per_watcher: float
    fan_out: float
    fan_out_floor: float
    members: int
    refill: float
    exchange: float
    exchange_with_start: float
    croc: float
    wormhole: float
    load: float
    raised: str = " ".join(RAISED)

    def rows(self) -> Iterator[tuple[str, str, str]]:
        """Lines of the table: what, how much, and beside what it stands."""
        yield "accepted puts per second", f"{self.puts_per_second:,.0f}", "goal: 1,200"
        yield f"memory per watcher, {self.watchers:,} waiting", f"{self.kib_per_watcher:.1f} KiB", "goal: 12 KiB"
        share = self.fan_out / self.fan_out_floor
        yield (
            f"one event to {self.watchers:,} watchers",
            f"{self.fan_out:.2f} s",
            "goal: 0.7 s, or 1.25 times the floor",
        )
        yield "the same on an empty server: the floor", f"{self.fan_out_floor:.2f} s", f"{share:.2f} times"
        yield (
            f"wiped server, {self.members} members, whole again",
            f"{self.refill:.2f} s",
            (f"goal: {limits.TOUCH_INTERVAL} s"),
        )
        yield "three running nodes, each learns both others", f"{self.exchange:.3f} s", "1"
        for name, seconds in (
            ("the same, with the start of the three processes", self.exchange_with_start),
            ("croc, one text one way", self.croc),
            ("magic-wormhole, one text one way", self.wormhole),
        ):
            yield name, f"{seconds:.3f} s", f"{seconds / self.exchange:.1f}"

    def document(self) -> dict[str, Any]:
        """The report as JSON, with the ratios."""
        ratios = {"croc": self.croc / self.exchange_with_start, "wormhole": self.wormhole / self.exchange_with_start}
        return {"version": 1, "cpus": os.cpu_count(), **asdict(self), "times_faster_with_start": ratios}


def measure(progress: Progress) -> RendezvousReport:
    """Measure everything; takes about a minute, and longer when the peers are to be built first.

    Raises:
        GoldnodeError: A server, a peer or a node of the measurement failed.
    """
    one_way = peers.transfers(RUNS, progress)
    with tempfile.TemporaryDirectory() as folder:
        with server(Path(folder, "load.sqlite")) as loaded, progress.step(f"put {PUTS} records"):
            puts = asyncio.run(_puts(loaded))
        with server(Path(folder, "watched.sqlite")) as watched, progress.step(f"wake {WATCHERS} watchers"):
            memory, fan_out = asyncio.run(_watchers(watched))
        with empty_server() as empty, progress.step(f"wake {WATCHERS} watchers of an empty server"):
            floor = asyncio.run(_floor(empty))
        with server(Path(folder, "met.sqlite")) as met, progress.step("let three nodes meet"):
            exchange.write_program(program := Path(folder, "node.pyz"))
            running = median(exchange.three_nodes(program, met.url, started=True) for _ in range(RUNS))
            started = median(exchange.three_nodes(program, met.url, started=False) for _ in range(RUNS))
    with progress.step(f"wipe the server under {limits.MEMBERS} members"):
        refill = exchange.refill(limits.MEMBERS)
    return RendezvousReport(
        puts_per_second=puts, watchers=WATCHERS, kib_per_watcher=memory / 1024, fan_out=fan_out, fan_out_floor=floor,
        members=limits.MEMBERS, refill=refill, exchange=running, exchange_with_start=started,
        croc=median(one_way["croc"]), wormhole=median(one_way["magic-wormhole"]), load=os.getloadavg()[0],
    )  # fmt: skip


async def _puts(at: Server) -> float:
    """Accepted puts per second over kept connections."""
    rooms = [Room.make() for _ in range(ROOMS)]
    slots = [key_from_seed(os.urandom(32)) for _ in range(SLOTS)]
    requests = [
        rooms[number % ROOMS].put(slots[number // ROOMS % SLOTS], seq=number + 1) for number in range(PUTS)
    ]  # fmt: skip
    async with connected(at.url, WRITERS) as connections:
        return PUTS / await drive(connections, requests)


async def _watchers(at: Server) -> tuple[float, float]:
    """Bytes that one watcher costs, and seconds until one event in each room has reached all."""
    rooms, slot = [Room.make() for _ in range(ROOMS)], key_from_seed(os.urandom(32))
    async with connected(at.url, 1) as (admin,):
        await drive([admin], [room.put(slot, seq=1) for room in rooms], expected=201)
        listed = await admin.ask(rooms[0].request("GET", f"/v1/rooms/{rooms[0].name}", b""))
        cursor = str(json.loads(listed.body)["cursor"])
        before = at.memory()
        async with connected(at.url, WATCHERS) as watchers:
            requests = [rooms[number % ROOMS].watch(cursor, limits.WAIT_MAX) for number in range(WATCHERS)]
            answers = [watcher.ask(request) for watcher, request in zip(watchers, requests, strict=True)]
            await _all_wait(admin)
            await asyncio.sleep(REST)
            cost = (at.memory() - before) / WATCHERS
            events = [room.put(slot, seq=2) for room in rooms]
            async with connected(at.url, ROOMS) as writers:
                begin = time.perf_counter()
                written = [writer.ask(event) for writer, event in zip(writers, events, strict=True)]
                await asyncio.gather(*answers, *written)
                return cost, time.perf_counter() - begin


async def _floor(at: Server) -> float:
    """Seconds until one event has reached everybody who waits at the empty server."""
    async with connected(at.url, 1) as (admin,), connected(at.url, WATCHERS) as watchers:
        answers = [watcher.ask(b"GET /wait HTTP/1.1\r\nhost: bench\r\n\r\n") for watcher in watchers]
        await _all_wait(admin)
        await asyncio.sleep(REST)
        begin = time.perf_counter()
        event = admin.ask(b"PUT /event HTTP/1.1\r\nhost: bench\r\ncontent-length: 0\r\n\r\n")
        await asyncio.gather(*answers, event)
        return time.perf_counter() - begin


async def _all_wait(admin: Connection) -> None:
    """Return when the server counts every watcher as waiting.

    Raises:
        ExchangeError: It never does.
    """
    deadline = time.monotonic() + TIMEOUT
    while time.monotonic() < deadline:
        page = (await admin.ask(b"GET /metrics HTTP/1.1\r\nhost: bench\r\n\r\n")).body.decode()
        if f"\ngoldnode_rendezvous_watchers {WATCHERS}\n" in page:
            return
        await asyncio.sleep(0.1)
    raise ExchangeError(f"{WATCHERS} watchers never waited at once", code="unexpected")
