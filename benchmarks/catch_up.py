"""How long a sentry takes from power-on to the tip: by state sync, by a snapshot, and block by block, on one chain.

One chain makes its past first, quickly, and then goes on at its usual pace.  Three machines of one
image start one after the other beside it, each untouched from user-data that names another way.
Where the time goes is what each node's own metrics say, second by second.
"""

from __future__ import annotations

import itertools
import os
import re
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from goldnode.bake import golden
from goldnode.cluster import store
from goldnode.config import network as networks
from goldnode.errors import HostError
from goldnode.files import sha256_file
from goldnode.fleet import history, up
from goldnode.fleet.external_validators import ExternalValidator
from goldnode.fleet.fleet import Fleet, share
from goldnode.fleet.plan import (
    CLUSTER,
    EXTERNAL,
    FIRST_NUMBER,
    NETWORK,
    RENDEZVOUS,
    FleetSpec,
    Node,
    VmSpec,
)
from goldnode.fleet.program import program
from goldnode.fleet.state import FleetState
from goldnode.node.plan import daemon_config
from goldnode.node.plan.ports import METRICS
from goldnode.progress import SILENT, Progress
from goldnode.run import run
from goldnode.vm import accel

WAYS = ("state-sync", "snapshot", "replay")
#: Seconds that the past may take, and each machine.
TIMEOUT = 1800.0
POLL = 1.0
PORT = 8800
#: Each machine's disk: the image's own has no room for a snapshot beside what a node keeps free.
DISK = "4G"
#: What a node does while its metrics name no way to the tip.
BOOT, START = "boot and configure", "start of the daemon"
#: The ways of ``goldnode_catch_up``, in words.
PHASES = {"asking": "whom to trust", "state-sync": "state sync", "snapshot": "snapshot", "blocks": "blocks"}


@dataclass(frozen=True, slots=True)
class MeasuredWay:
    """One machine's way to the tip.

    Attributes:
        name: One of ``WAYS``.
        seconds: From power-on to the tip.
        spent: Seconds by what the node did.
        height: Where the tip was.
    """

    name: str
    seconds: float
    spent: Mapping[str, float]
    height: int


@dataclass(frozen=True, slots=True)
class CatchUpReport:
    """All of them.

    Attributes:
        blocks: How many blocks the chain had when the first machine was switched on.
        ways: In the order they ran.
        accelerator: What QEMU ran with.
        load: This machine's load average when it began.
    """

    blocks: int
    ways: tuple[MeasuredWay, ...]
    accelerator: str
    load: float

    def ratio(self, way: MeasuredWay) -> float:
        """Its seconds against those of the replay."""
        return way.seconds / next(each.seconds for each in self.ways if each.name == "replay")

    def document(self) -> dict[str, Any]:
        """For ``--json``."""
        ways = {
            way.name: {
                "seconds": round(way.seconds, 1),
                "of_replay": round(self.ratio(way), 2),
                "height": way.height,
                "spent": {what: round(seconds, 1) for what, seconds in way.spent.items()},
            }
            for way in self.ways
        }
        return {"version": 1, "blocks": self.blocks, "ways": ways, "accelerator": self.accelerator,
                "load": round(self.load, 1)}  # fmt: skip

    def rows(self) -> list[tuple[str, str, str, str]]:
        """For people: way, seconds, share of the replay's, and what they went to."""
        return [
            (
                way.name,
                f"{way.seconds:.0f} s",
                f"{self.ratio(way):.2f}",
                ", ".join(f"{what} {seconds:.0f} s" for what, seconds in way.spent.items()),
            )
            for way in self.ways
        ]


def measure(blocks: int, progress: Progress) -> CatchUpReport:
    """Make a chain of that many blocks, and bring a machine to its tip in each of the ways.

    Raises:
        HostError: The chain or a machine does not get there.
    """
    load = os.getloadavg()[0]
    network = networks.load("localwasm")
    daemon = program(network, progress)
    with progress.step("image"):
        image = golden.bake(golden.BakeOptions(network), SILENT).image
    acceleration = accel.choose(accel.AccelMode.AUTO)
    with tempfile.TemporaryDirectory(prefix="goldnode-bench-") as name:
        fleet = make(Path(name), network.name, acceleration)
        try:
            with progress.step(f"{blocks} blocks") as step:
                up.prepare_outside(fleet, daemon, {}, _settings)
                share(image, fleet.folder / "image.qcow2")
                store.create(fleet.folder / "clusters", CLUSTER, network.name).meet_at([RENDEZVOUS])
                fleet.start_rendezvous()
                up.start_external(fleet, daemon)
                history.wait(fleet.external(), TIMEOUT, step.note, blocks=blocks, pruned=False)
            with progress.step("a snapshot of it"):
                snapshot = _rest(fleet)
                up.start_external(fleet, daemon)
            found = []
            for vm, way in zip(fleet.state.vms, WAYS, strict=True):
                with progress.step(way) as step:
                    fleet.furnish(vm, {}, {"metrics": [f"{NETWORK}.0/24"], **_said(way, snapshot)})
                    run(["qemu-img", "resize", "-q", fleet.at(vm) / "disk.qcow2", DISK])
                    found.append(_run(fleet, vm, way, step.note))
        finally:
            fleet.namespace.end()
    return CatchUpReport(blocks, tuple(found), acceleration.accelerator, load)


def make(folder: Path, network: str, chosen: accel.Acceleration) -> Fleet:
    """A fleet of one sentry for each way, all off; each change of a machine changes its file on the disk."""
    machines = [VmSpec(f"by-{way}", "sentry", FIRST_NUMBER + number, (Node(f"by-{way}", "sentry"),))
                for number, way in enumerate(WAYS)]  # fmt: skip
    fleet = Fleet(folder, FleetState(FleetSpec(network), {}, chosen.accelerator, chosen.cpu, vms=tuple(machines)))
    fleet.keep(fleet.state)
    return fleet


def phase(page: str) -> str:
    """What a node does, as its page of metrics tells; empty at the tip.

    Args:
        page: The page; empty while nobody answers.
    """
    if not page:
        return BOOT
    if way := re.search(r'^goldnode_catch_up\{[^}]*way="([a-z-]+)"\} 1$', page, re.MULTILINE):
        return PHASES.get(way[1], way[1])
    return "" if re.search(r'^goldnode_state\{[^}]*state="following"\} 1$', page, re.MULTILINE) else START


def spent(looks: Sequence[tuple[float, str]], end: float) -> dict[str, float]:
    """Seconds by phase, in the order in which they came first.

    Args:
        looks: When each phase was seen, from 0; the last of them goes on until ``end``.
        end: When the tip was reached.
    """
    found: dict[str, float] = {}
    for (since, what), (until, _) in itertools.pairwise([*looks, (end, "")]):
        found[what] = found.get(what, 0.0) + until - since
    return found


def _settings(who: ExternalValidator, socket: str) -> daemon_config.Settings:
    """An external validator that keeps all blocks, takes snapshots, answers everybody, and is quick."""
    return history.settings(who, socket, kept=0)


def _rest(fleet: Fleet) -> dict[str, str]:
    """Stop the chain, publish what one of its validators has, and let it go on at its usual pace from now on."""
    up.rest(fleet)
    shown = fleet.folder / "published"
    shown.mkdir()
    home, archive = fleet.folder / "external" / str(EXTERNAL), shown / "past.tar.zst"
    run(["tar", "--zstd", "--create", "--file", archive, "--directory", home, "--exclude", "priv_validator_state.json",
         "--exclude", "cs.wal", "--exclude", "*.lock", "data", "wasm"], timeout=TIMEOUT)  # fmt: skip
    argv = [
        sys.executable,
        "-m",
        "http.server",
        "--directory",
        str(shown.resolve()),
        "--bind",
        f"{NETWORK}.1",
        str(PORT),
    ]
    fleet.namespace.start("published", argv, cwd=fleet.folder, log=fleet.folder / "published.log")
    return {"url": f"http://{NETWORK}.1:{PORT}/{archive.name}", "sha256": sha256_file(archive)}


def _said(way: str, snapshot: Mapping[str, str]) -> dict[str, Any]:
    """What a machine's node.yaml says of its way; a node that may ask nobody replays."""
    servers = [f"http://{NETWORK}.{number}:{history.RPC_PORT}" for number in range(1, EXTERNAL + 1)]
    ways = {"state-sync": {"state_sync": {"servers": servers}}, "snapshot": {"snapshot": dict(snapshot)}, "replay": {}}
    return {"catch_up": ways[way]} if ways[way] else {}


def _run(fleet: Fleet, vm: VmSpec, way: str, note: Callable[[str], None]) -> MeasuredWay:
    """Switch a machine on, and watch it until it is at the tip; it is off afterwards."""
    began = time.monotonic()
    fleet.power_on(vm.name)
    looks = [(0.0, BOOT)]
    while what := phase(_page(fleet, vm)):
        now = time.monotonic() - began
        if now > TIMEOUT:
            raise HostError(f"{vm.name} is not at the tip after {now:.0f} s: {what}")
        if what != looks[-1][1]:
            looks.append((now, what))
        note(what)
        time.sleep(POLL)
    seconds = time.monotonic() - began
    fleet.power_off(vm.name)
    return MeasuredWay(way, seconds, spent(looks, seconds), fleet.external().height())


def _page(fleet: Fleet, vm: VmSpec) -> str:
    """A machine's metrics; empty while it does not answer."""
    url = f"http://{vm.address}:{METRICS}/metrics"
    ask = f"import urllib.request as u; print(u.urlopen('{url}', timeout=3).read().decode())"
    return fleet.namespace.run([sys.executable, "-c", ask], check=False).stdout
