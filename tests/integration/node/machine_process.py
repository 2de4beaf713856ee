"""A machine of the miniature fleet, as a process in a network namespace of its own.

Runs the node's real program on a tree: real `ip`, `wg` and `nft`, the real daemon, WireGuard by its
user-space implementation.  Only systemd and its users are missing: units are processes here.

    python -m tests.integration.node.machine_process TREE BIN
"""

from __future__ import annotations

import functools
import os
import re
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

from goldnode.node import configure, node_yaml
from goldnode.node.agent.agent import Agent
from goldnode.node.layout import Layout
from goldnode.node.plan.inputs import read_image
from goldnode.node.plan.plan import AGENT
from goldnode.node.stopping import stop_signal
from goldnode.node.system import machine
from goldnode.node.system.live import LiveSystem
from goldnode.node.system.unit import Unit
from goldnode.paths import REPOSITORY
from goldnode.run import run

#: What the units of a signing lease start.
VERBS = {"goldnode-signer@": ["signer"], "goldnode-lease@": ["lease", "keep"]}
VPNCLOUD = "goldnode-vpncloud@"
#: Seconds that the machine's clock is ahead, while a test wants that.
SKEW = "/run/skew"
STORE = "goldnode-store@"
#: Stands for the nodes' users, who do not exist on the machine that runs the tests.
NOBODY = 65534


class ProcessSystem(LiveSystem):
    """A machine whose units are processes, restarted when they end as systemd does."""

    def __init__(self, layout: Layout, programs: Path) -> None:
        self._layout, self._programs = layout, programs
        self._wanted: set[str] = set()
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._lock = threading.Lock()
        self._sockets = False
        self._ends: Counter[str] = Counter()

    def make_users(self) -> None:
        """There are none."""

    def own(self, path: Path, user: str, group: str) -> bool:  # noqa: ARG002
        """Everything is ours."""
        return False

    def own_folder(self, handle: int, user: str, group: str, *, tree: bool) -> bool:  # noqa: ARG002
        """Everything is ours."""
        return False

    def uid(self, user: str) -> int:  # noqa: ARG002
        """The daemons run as we do."""
        return os.getuid()

    def load_firewall(self, ruleset: Path) -> None:
        """Load the ruleset, with a number for users that do not exist."""
        run(["nft", "-f", "-"], stdin=re.sub(r'"g[nl]-[a-z0-9-]+" }', f"{NOBODY} }}", ruleset.read_text()))

    def add_wireguard(self, interface: str) -> None:
        """Make an interface by WireGuard's user-space implementation."""
        # Every machine of the fleet has a gnmesh0, and wg finds it by a socket of that name.
        sockets = Path("/var/run/wireguard")
        sockets.mkdir(exist_ok=True)
        if not self._sockets:
            run(["mount", "-t", "tmpfs", "none", sockets])
            self._sockets = True
        argv = [str(self._programs / "wireguard"), "--foreground", interface]
        self._running[interface] = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        machine.appears(sockets / f"{interface}.sock", 20)

    def reload_units(self) -> None:
        """There are none."""

    def start(self, unit: str) -> None:
        """Run a node's daemon through its gate."""
        if unit == AGENT:
            return
        with self._lock:
            self._wanted.add(unit)
            self._spawn(unit)

    def stop(self, unit: str) -> None:
        """End it."""
        with self._lock:
            self._wanted.discard(unit)
            process = self._running.pop(unit, None)
            if process:
                process.terminate()
                process.wait(30)

    def restart(self, unit: str) -> None:
        """End it, and run it again."""
        self.stop(unit)
        self.start(unit)

    def units(self, *names: str) -> dict[str, Unit]:
        """Which of them run; what ended is run again unless a person must look (exit code 8)."""
        with self._lock:
            # Nobody asks for a tunnel, so whoever asks for a daemon has both looked at.
            for each in self._wanted:
                if self._running[each].poll() not in (None, 8):
                    self._ends[each] += 1
                    self._spawn(each)
            return {name: Unit(self._runs(name), self._ends[name]) for name in names}

    def _runs(self, unit: str) -> bool:
        return unit == AGENT or (unit in self._wanted and self._running[unit].poll() is None)

    def log_tail(self, unit: str) -> str:
        """The end of its log."""
        log = self._log(unit)
        return log.read_text(errors="replace")[-4000:] if log.exists() else ""

    def log_since(self, unit: str, seconds: int, most: int) -> str:  # noqa: ARG002
        """The last lines of its log."""
        log = self._log(unit)
        return "\n".join(log.read_text(errors="replace").splitlines()[-most:]) if log.exists() else ""

    def log_find(self, unit: str, words: str) -> str:
        """The last line of its log that has these words."""
        log = self._log(unit)
        lines = log.read_text(errors="replace").splitlines() if log.exists() else []
        return next((line for line in reversed(lines) if words in line), "")

    def end(self) -> None:
        """End everything; a lease's keeper before its signer, as the units are ordered at a shutdown."""
        for unit in sorted(self._running, key=lambda unit: not unit.startswith("goldnode-lease@")):
            self.stop(unit)

    def _log(self, unit: str) -> Path:
        return self._layout.at(f"/var/log/{unit}.log")

    def _spawn(self, unit: str) -> None:
        name = unit.partition("@")[2].removesuffix(".service")
        verb = next((words for kind, words in VERBS.items() if unit.startswith(kind)), ["run"])
        argv = [sys.executable, "-m", "goldnode.node", "--root", str(self._layout.root), *verb, name]
        if unit.startswith(VPNCLOUD):
            argv = self._words(f"{VPNCLOUD}.service", name)
        if unit.startswith(STORE):
            form, formed = (shlex.join([*argv[:-2], "lease", each, name]) for each in ("form", "formed"))
            etcd = shlex.join(self._words(f"{STORE}.service", name))
            argv = ["sh", "-c", f"{form} && {{ {formed} & exec {etcd}; }}"]
        self._log(unit).parent.mkdir(parents=True, exist_ok=True)
        with self._log(unit).open("ab") as log:
            self._running[unit] = subprocess.Popen(argv, cwd=REPOSITORY, stdout=log, stderr=log)

    def _words(self, unit: str, name: str) -> list[str]:
        """What a unit of ours starts, with its paths in this machine's tree."""
        text = (REPOSITORY / "roles/common/rootfs/usr/lib/systemd/system" / unit).read_text()
        words = re.findall(r"^ExecStart=(.+)$", text, re.MULTILINE)[0].replace("%i", name).split()
        return [str(self._layout.at(word)) if word.startswith("/") else word for word in words]


def _time(skew: Path) -> float:
    """The machine's clock: ours, and so many seconds more as a file of its tree says."""
    return time.time() + (float(skew.read_text()) if skew.exists() else 0.0)


def main() -> None:
    """Configure, then keep the nodes until SIGTERM."""
    layout = Layout(Path(sys.argv[1]))
    system = ProcessSystem(layout, Path(sys.argv[2]))
    image = read_image(layout)
    found, _ = configure.configure(layout, node_yaml.in_force(layout, image), image, system)
    for told in (*found.notices, *(f"{name}: REFUSED: {error}" for name, error in found.failures.items())):
        print(told, flush=True)
    clock = functools.partial(_time, layout.at(SKEW))
    for membership in found.memberships.values():
        membership.clock = clock
    agent = Agent(layout, found, system, clock)
    try:
        agent.run(stop_signal())
    finally:
        system.end()


if __name__ == "__main__":
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    main()
