"""A miniature fleet: machines in network namespaces on one bridge, no virtual machine, seconds to start.

The namespaces have names that no other run has, and are gone with the block.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import tomlkit

from goldnode.config import network
from goldnode.config.choices import MeshKind
from goldnode.fleet import external_validators, history
from goldnode.fleet.external_validators import ExternalValidator
from goldnode.fleet.plan import NETWORK, PACE, timing
from goldnode.fleet.program import Program, program
from goldnode.fleet.rpc import ExternalRpc
from goldnode.node.keys.cometbft_keys import Key
from goldnode.node.plan import blocks
from goldnode.node.plan.ports import Ports
from goldnode.paths import REPOSITORY
from goldnode.progress import SILENT
from goldnode.run import run, spawn, stop_group
from tests.support.node_lab import Cluster, Tree, seed
from tests.support.waiting import kill, until

#: The world's validators.
WORLD = tuple(
    ExternalValidator(number, Key(seed(f"node {number}")), Key(seed(f"outside {number}"))) for number in (1, 2)
)
RENDEZVOUS_ADDRESS = f"{NETWORK}.1:8700"
RENDEZVOUS = f"http://{RENDEZVOUS_ADDRESS}"

#: What the image tells the kernel of connections, as far as a namespace has it of its own.
_CONF = REPOSITORY / "roles" / "common" / "rootfs" / "usr" / "lib" / "sysctl.d" / "60-goldnode.conf"
SYSCTL = [line.replace(" ", "") for line in _CONF.read_text().splitlines() if line.startswith("net.ipv4.tcp_retries2")]
_NUMBERS = itertools.count()


@dataclass
class Host:
    """One machine: a namespace, an address, a tree, and its process."""

    fleet: Fleet
    name: str
    number: int
    tree: Tree
    process: subprocess.Popen[bytes] | None = None

    @property
    def space(self) -> str:
        """Its namespace."""
        return f"{self.fleet.prefix}-{self.name}"

    @property
    def address(self) -> str:
        """Its address on the fleet's network."""
        return f"{NETWORK}.{self.number}"

    def boot(self) -> None:
        """Start the machine's program; a reboot when it ran before."""
        self.halt()
        argv = [
            sys.executable,
            "-m",
            "tests.integration.node.machine_process",
            self.tree.layout.root,
            self.fleet.programs,
        ]
        env = self.fleet.program.environment(self.tree.layout.root)
        with self.console.open("ab") as console:
            self.process = self.fleet.stack.enter_context(self.fleet.inside(self.space, argv, stdout=console, env=env))

    def halt(self) -> None:
        """Shut it down: its programs end in the order of their units, not all at once."""
        if self.process:
            self.process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(40)
            stop_group(self.process)
            self.process = None

    def lose_power(self) -> None:
        """End it at once, with its kernel's connections: whoever talks to it hears nothing more."""
        if self.process:
            self.fleet.unplug(self.space, self.address)
            self.process.wait(40)
            self.process = None
            self.fleet.plug(self.space, self.address)

    def cut(self, *, off: bool) -> None:
        """Pull the cable, or put it back."""
        run(["ip", "-n", self.space, "link", "set", "eth0", "down" if off else "up"])

    @property
    def console(self) -> Path:
        """What it printed."""
        return self.fleet.folder / f"{self.name}.console"

    def starts(self) -> int:
        """How often its daemon was started."""
        log = self.tree.layout.at(f"/var/log/goldnode-node@{self.name}.service.log")
        return log.read_text(errors="replace").count("ABCI Handshake App Info") if log.exists() else 0

    def public(self) -> list[str]:
        """How its sentries are dialled."""
        given = blocks.known(self.tree.layout)
        sentries = (node for node in map(self.node, given) if node["role"] == "sentry")
        return [f"{each['node_id']}@{self.address}:{Ports.of(given[each['name']]).p2p}" for each in sentries]

    def node(self, name: str = "") -> dict[str, Any]:
        """What `goldnode status` would say of its node; empty until the agent has looked."""
        try:
            nodes: list[dict[str, Any]] = json.loads(self.tree.layout.status.read_text())["nodes"]
        except (OSError, ValueError):
            return {}
        return next((node for node in nodes if node["name"] == (name or self.name)), {})


@dataclass
class Fleet:
    """Machines on one bridge, the rendezvous and two validators of the world outside.

    Attributes:
        folder: Where everything is kept.
        programs: Folder with the daemon, and `wireguard` (user space) or `vpncloud`.
        prefix: First part of the namespaces' names.
        program: The network's daemon, with what it needs.
        mesh: What carries the private network.
    """

    folder: Path
    programs: Path
    prefix: str
    program: Program
    stack: contextlib.ExitStack
    mesh: MeshKind = MeshKind.WIREGUARD
    cluster: Cluster = field(default_factory=Cluster)
    hosts: dict[str, Host] = field(default_factory=dict)
    genesis: str = ""
    rendezvous: subprocess.Popen[bytes] | None = None
    validators: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    @property
    def world(self) -> str:
        """The namespace outside, where the bridge is."""
        return f"{self.prefix}-world"

    def add(self, name: str, role: str, invite: str = "", **more: object) -> Host:
        """Make a machine with one node on its invite, else a fresh one, or with ``nodes``; it is not booted yet."""
        number = 10 + len(self.hosts)
        tree = Tree(self.folder / name, self.program.network.name, instance=name, mesh=self.mesh)
        tree.layout.library.joinpath("bin").symlink_to(self.programs)
        shutil.rmtree(tree.layout.library / "defaults")
        for file, text in self.program.defaults.items():
            tree.write(f"/usr/lib/goldnode/defaults/{file}", text)
        tree.write("/etc/goldnode/genesis.json", self.genesis)
        tree.write("/proc/sys/kernel/random/boot_id", f"{number:08d}-0000-4000-8000-{os.getpid():012d}\n")
        join, own = ("", "") if "nodes" in more else (invite or self.cluster.invite(role), name)
        usual = {"rendezvous": [RENDEZVOUS], "mesh": str(self.mesh), "config": {"config.toml": timing(PACE)}}
        tree.node_yaml(role, join, own, **{**usual, **more})
        host = Host(self, name, number, tree)
        self.hosts[name] = host
        self.plug(host.space, host.address)
        return host

    def plug(self, space: str, address: str) -> None:
        """Make a namespace with one cable to the bridge."""
        run(["ip", "netns", "add", space])
        self.stack.callback(run, ["ip", "netns", "del", space], check=False)
        port = _port(address)
        run(["ip", "-n", self.world, "link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", space])
        run(["ip", "-n", self.world, "link", "set", port, "master", "br0", "up"])
        run(["ip", "-n", space, "link", "set", "lo", "up"])
        run(["ip", "-n", space, "address", "add", f"{address}/24", "dev", "eth0"])
        run(["ip", "-n", space, "link", "set", "eth0", "up"])
        run(["ip", "netns", "exec", space, "sysctl", "-qw", *SYSCTL])

    def unplug(self, space: str, address: str) -> None:
        """Pull the cable for good, kill whoever is in the namespace, and take it away."""
        run(["ip", "-n", self.world, "link", "del", _port(address)])
        kill(run(["ip", "netns", "pids", space]).stdout.split())
        assert until(lambda: not run(["ip", "netns", "pids", space]).stdout.split(), 20)
        run(["ip", "netns", "del", space])

    @contextlib.contextmanager
    def inside(self, space: str, argv: list[Any], **streams: Any) -> Iterator[subprocess.Popen[bytes]]:
        """Run a program in a namespace."""
        words = ["ip", "netns", "exec", space, *map(str, argv)]
        with spawn(words, **{"cwd": REPOSITORY, **streams}) as process:
            yield process

    def ask(self, method: str) -> Any:
        """What the world's first validator answers; silence is an error, never a missing signature."""
        return self._rpc.ask(method)

    def signers(self) -> frozenset[str]:
        """Who signed the block before the last, as the chain has it: the last one's votes still come in."""
        return self._rpc.signers()

    @property
    def _rpc(self) -> ExternalRpc:
        return ExternalRpc(self.home(WORLD[0]) / external_validators.RPC)

    def outside(self, sentries: list[Host], next_version: Path | None = None, words: Sequence[str] = ()) -> None:
        """Start the world: two validators that make blocks together, peering with the sentries' public side.

        With a ``next_version`` they switch to it by themselves when their daemon stops for an upgrade; ``words`` end
        their command lines.
        """
        public = [peer for sentry in sentries for peer in sentry.public()]
        for who in WORLD:
            peers = [*public, *(other.peer for other in WORLD if other != who)]
            config = self.home(who) / "config" / "config.toml"
            document = tomlkit.parse(config.read_text())
            document["p2p"]["persistent_peers"] = ",".join(peers)
            config.write_text(tomlkit.dumps(document))
            argv = [*external_validators.arguments(self.program), *words]
            if next_version:
                argv = [sys.executable, "-m", "tests.integration.node.switching", str(next_version), *argv]
            with (self.folder / f"{who.name}.log").open("ab") as log:
                env = {**self.program.environment(self.home(who)), "PYTHONPATH": str(REPOSITORY)}
                started = self.inside(self.world, argv, stdout=log, cwd=self.home(who), env=env)
                self.validators.enter_context(started)

    def rest(self) -> None:
        """Stop the world, which made a past quickly; from its next start on it runs at the usual pace."""
        self.validators.close()
        for who in WORLD:
            (self.home(who) / external_validators.RPC).unlink(missing_ok=True)
            history.slow_down(self.home(who) / "config" / "config.toml", PACE)

    def home(self, who: ExternalValidator) -> Path:
        """The home of one of the world's validators."""
        return self.folder / who.name


def _port(address: str) -> str:
    """The bridge's end of a machine's cable."""
    return f"p{address.rsplit('.', maxsplit=1)[1]}"


@contextlib.contextmanager
def fleet(folder: Path, programs: Path, mesh: MeshKind = MeshKind.WIREGUARD, name: str = "localnet") -> Iterator[Fleet]:
    """An empty fleet of a network, with its bridge and its rendezvous."""
    prefix = f"gn{os.getpid()}-{next(_NUMBERS)}"
    with contextlib.ExitStack() as stack:
        made = Fleet(folder, programs, prefix, program(network.load(name), SILENT), stack, mesh)
        run(["ip", "netns", "add", made.world])
        stack.callback(run, ["ip", "netns", "del", made.world], check=False)
        run(["ip", "-n", made.world, "link", "set", "lo", "up"])
        run(["ip", "-n", made.world, "link", "add", "br0", "type", "bridge"])
        for who in WORLD:
            run(["ip", "-n", made.world, "address", "add", f"{who.address}/24", "dev", "br0"])
        run(["ip", "-n", made.world, "link", "set", "br0", "up"])
        stack.callback(made.validators.close)
        argv = [sys.executable, "-m", "goldnode.rendezvous", "--listen", RENDEZVOUS_ADDRESS]
        with (folder / "rendezvous.log").open("ab") as log:
            argv += ["--database", str(folder / "rendezvous.db")]
            made.rendezvous = stack.enter_context(made.inside(made.world, argv, stdout=log))
        yield made
