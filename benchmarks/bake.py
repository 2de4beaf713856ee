"""How long a bake takes beside what cannot be avoided: one boot of the same disk, and its compression.

Both run in turn, several times, on the same machine: shared machines drift, ratios hold.  The
ordinary way is a boot through firmware and boot loader with a cloud-init seed, until SSH greets.
"""

from __future__ import annotations

import os
import socket
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from goldnode import paths
from goldnode.bake import base as bases
from goldnode.bake import compress as compression
from goldnode.bake import golden
from goldnode.bake.platform import Platform
from goldnode.bake.programs.obtain import obtain
from goldnode.bake.vm import ssh_wait
from goldnode.config import network as networks
from goldnode.progress import SILENT, Progress
from goldnode.run import run
from goldnode.vm import accel, machine

#: The bake may take this times the floor; the stock bake's share it must stay below.
GOAL, STOCK_GOAL = 0.5, 0.10
#: A cold bake may take this times the sum of its steps, one after another.
COLD_GOAL = 0.75
TIMEOUT = 300.0


@dataclass(frozen=True, slots=True)
class BakeReport:
    """What was measured.

    Attributes:
        bakes: Seconds of our bake, warm base and daemon, per turn.
        boots: Seconds of the ordinary boot, per turn.
        compressions: Seconds of the compression, per turn.
        stock: Seconds of one bake the ordinary way, packages by apt and zlib; None when it was left out.
        size: Bytes of the image.
        cold: Seconds of bakes with an empty cache, and of their steps one after another; empty when left out.
    """

    bakes: tuple[float, ...]
    boots: tuple[float, ...]
    compressions: tuple[float, ...]
    stock: float | None
    size: int
    cold: tuple[tuple[float, float], ...]

    @property
    def ratio(self) -> float:
        """Median of the turns: bake against boot and compression of the same turn."""
        floors = (boot + compression for boot, compression in zip(self.boots, self.compressions, strict=True))
        return statistics.median(bake / floor for bake, floor in zip(self.bakes, floors, strict=True))

    def document(self) -> dict[str, Any]:
        """For ``--json``."""
        stock = {
            "stock_seconds": round(self.stock or 0, 1),
            "stock_ratio": round(statistics.median(self.bakes) / (self.stock or 1), 2),
            "stock_goal": STOCK_GOAL,
        }
        cold = {}
        if self.cold:
            together, apart = zip(*self.cold, strict=True)
            cold = {
                "cold_seconds": [round(value, 1) for value in together],
                "cold_one_by_one_seconds": [round(value, 1) for value in apart],
                "cold_ratio": round(sum(together) / sum(apart), 2),
                "cold_goal": COLD_GOAL,
            }
        return {
            **(stock if self.stock else {}),
            **cold,
            "bake_seconds": [round(value, 1) for value in self.bakes],
            "boot_seconds": [round(value, 1) for value in self.boots],
            "compress_seconds": [round(value, 1) for value in self.compressions],
            "ratio": round(self.ratio, 2),
            "goal": GOAL,
            "image_megabytes": round(self.size / 1e6),
        }


def measure(turns: int, progress: Progress, *, stock: bool, cold: bool) -> BakeReport:
    """Bake localnet with warm base, daemon and machine, and boot the base the ordinary way, in turn.

    Args:
        turns: How often.
        progress: Told how far it is.
        stock: Bake once the ordinary way too (minutes).
        cold: Bake four times with an empty cache too (a quarter of an hour): as ever, and step by step.
    """
    options = golden.BakeOptions(networks.load("localnet"), force=True)
    result = golden.bake(options, SILENT)
    base = bases.make(bases.BaseSpec(options.arch, golden.base_packages(options)), SILENT)
    acceleration = accel.choose(options.accel, base.folder / "vmlinuz")
    bakes, boots, compressions = [], [], []
    for turn in range(1, turns + 1):
        with progress.step(f"bake {turn}/{turns}"):
            bakes.append(_seconds(lambda: golden.bake(options, SILENT)))
        with progress.step(f"ordinary boot {turn}/{turns}"):
            boots.append(boot(base.disk, acceleration))
        with progress.step(f"compress {turn}/{turns}"):
            compressions.append(compress(result.image))
    ordinary = None
    if stock:
        with progress.step("stock bake"):
            ordinary = _seconds(lambda: golden.bake(replace(options, platform=Platform.STOCK), SILENT))
    return BakeReport(
        tuple(bakes),
        tuple(boots),
        tuple(compressions),
        ordinary,
        result.image.stat().st_size,
        _cold(options, progress) if cold else (),
    )


def _cold(options: golden.BakeOptions, progress: Progress) -> tuple[tuple[float, float], ...]:
    """Seconds of a bake with nothing in the cache and of each of its steps alone, twice; downloaded Go modules stay.

    The second time in the other order: a machine that becomes slower or faster meanwhile counts for both alike.
    """
    first = _together(options, progress), _apart(options, progress)
    second = _apart(options, progress), _together(options, progress)
    return first, second[::-1]


def _together(options: golden.BakeOptions, progress: Progress) -> float:
    with _empty_cache(), progress.step("cold bake"):
        return _seconds(lambda: golden.bake(options, SILENT))


def _apart(options: golden.BakeOptions, progress: Progress) -> float:
    def steps() -> None:
        base = bases.assemble(bases.BaseSpec(options.arch, golden.base_packages(options)), SILENT)
        obtain(options.network, options.arch, artifacts_dir=None, strict=False, progress=SILENT)
        bases.search(base, SILENT)
        golden.bake(options, SILENT)

    with _empty_cache(), progress.step("cold bake, one step after another"):
        return _seconds(steps)


@contextmanager
def _empty_cache() -> Iterator[None]:
    """An empty cache of ours and of Go's compiler, on the disk where results are."""
    before = os.environ.get("XDG_CACHE_HOME")
    with tempfile.TemporaryDirectory(prefix="goldnode-bench-", dir=paths.out()) as name:
        os.environ["XDG_CACHE_HOME"] = name
        try:
            yield
        finally:
            if before is None:
                del os.environ["XDG_CACHE_HOME"]
            else:
                os.environ["XDG_CACHE_HOME"] = before


def boot(disk: Path, acceleration: accel.Acceleration) -> float:
    """Seconds from power-on until SSH greets: UEFI, boot loader, cloud-init with a seed CD."""
    with tempfile.TemporaryDirectory(prefix="goldnode-bench-") as name:
        folder = Path(name)
        port = ssh_wait.free_port()
        spec = machine.QemuSpec(
            machine.overlay(disk, folder / "disk.qcow2"),
            seed=machine.seed_iso(folder / "seed.iso", "#cloud-config\n{}\n", instance="bench"),
            nics=(machine.Nic(machine.user_network({port: 22}, restrict=True), "52:54:00:67:6e:01"),),
            console=folder / "console.log",
        )
        with machine.running(spec, acceleration) as started:
            while not _greets(port):
                if time.monotonic() - started.started > TIMEOUT:
                    started.wait_for("login:", 0)
                time.sleep(0.2)
            return time.monotonic() - started.started


def compress(image: Path) -> float:
    """Seconds to compress an image's disk as a bake does, from a disk that is not."""
    with tempfile.TemporaryDirectory(prefix="goldnode-bench-", dir=paths.out()) as name:
        plain = Path(name) / "plain.qcow2"
        run(["qemu-img", "convert", "-O", "qcow2", image, plain])
        return _seconds(lambda: compression.compress(plain, Path(name) / "small.qcow2"))


def _greets(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=0.5) as guest:
            return guest.recv(4) == b"SSH-"
    except OSError:
        return False


def _seconds(work: Any) -> float:
    started = time.monotonic()
    work()
    return time.monotonic() - started
