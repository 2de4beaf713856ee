"""How long a machine takes until its role is ready, beside what cannot be avoided: a boot of the same Debian.

Both boot in turn, several times, on the same machine: shared machines drift, ratios hold.  From
QEMU's start to the login prompt of the base image, which has nothing of goldnode, and to the line
in which a sentry says that it is ready: its daemon answers, and the rendezvous has its record.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from goldnode.bake import base as bases
from goldnode.bake import golden
from goldnode.cluster import govern, store, user_data
from goldnode.config import network as networks
from goldnode.fleet.genesis import Validator, plain
from goldnode.fleet.single_vm import RENDEZVOUS, Sandbox
from goldnode.node.keys.cometbft_keys import Key
from goldnode.progress import SILENT, Progress
from goldnode.protocol.invite import write_invite
from goldnode.vm import accel, machine

#: Ready may take this times the login prompt.
GOAL = 1.05
READY = r"ready ([0-9.]+) s after power-on"


@dataclass(frozen=True, slots=True)
class BootReport:
    """Seconds of each turn: base to login prompt, role to ready, and the figure its console prints."""

    logins: tuple[float, ...]
    readies: tuple[float, ...]
    own: tuple[float, ...]
    accelerator: str

    @property
    def ratio(self) -> float:
        """Median of the turns: ready against login prompt of the same turn."""
        return statistics.median(ready / login for login, ready in zip(self.logins, self.readies, strict=True))

    def document(self) -> dict[str, Any]:
        """For ``--json``."""
        return {
            "login_seconds": [round(value, 1) for value in self.logins],
            "ready_seconds": [round(value, 1) for value in self.readies],
            "console_seconds": list(self.own),
            "ratio": round(self.ratio, 2),
            "goal": GOAL,
            "accelerator": self.accelerator,
        }


def measure(turns: int, progress: Progress) -> BootReport:
    """Boot the base and a sentry of the golden image in turn."""
    options = golden.BakeOptions(networks.load("localnet"))
    with progress.step("image"):
        image = golden.bake(options, SILENT).image
        base = bases.make(bases.BaseSpec(options.arch, golden.base_packages(options)), SILENT)
    acceleration = accel.choose(options.accel, base.folder / "vmlinuz")
    logins, readies, own = [], [], []
    with tempfile.TemporaryDirectory(prefix="goldnode-bench-") as name:
        sandbox = Sandbox(Path(name), acceleration)
        sandbox.open()
        try:
            for turn in range(1, turns + 1):
                with progress.step(f"login prompt {turn}/{turns}"):
                    logins.append(_seconds(sandbox, f"base-{turn}", base.disk, "#cloud-config\n{}\n", "login:")[0])
                with progress.step(f"ready {turn}/{turns}"):
                    seconds, said = _seconds(sandbox, f"sentry-{turn}", image, _sentry(sandbox, turn), READY)
                readies.append(seconds)
                own.append(float(said))
        finally:
            sandbox.namespace.end()
    return BootReport(tuple(logins), tuple(readies), tuple(own), acceleration.accelerator)


def _seconds(sandbox: Sandbox, name: str, image: Path, text: str, pattern: str) -> tuple[float, str]:
    """Seconds from power-on until the console matches, and what matched."""
    folder = sandbox.folder / name
    folder.mkdir()
    seed = machine.seed_iso(folder / "seed.iso", text, instance=name)
    box = sandbox.boot(name, image, machine.QemuSpec(folder / "disk.qcow2", seed=seed))
    said = box.wait_for(pattern)
    seconds = time.monotonic() - box.started
    box.off()
    return seconds, said


def _sentry(sandbox: Sandbox, turn: int) -> str:
    """User-data of a new cluster's first sentry."""
    network = networks.load("localnet")
    cluster = store.create(sandbox.folder / "clusters", f"bench-{turn}", network.name)
    invite = govern.invite(cluster, govern.InviteSpec("sentry", 1, int(time.time()) + 3600))
    genesis = plain(network.chain_id, [Validator("nobody", Key(bytes(32)), 10)], datetime.now(UTC))
    node = user_data.NodeSpec("sentry-1", "sentry", write_invite(invite))
    return user_data.render(
        user_data.UserData(cluster.settings.name, network.name, "sentry", [node], [RENDEZVOUS], genesis)
    )
