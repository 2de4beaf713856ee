"""A miniature fleet: machines in network namespaces on one bridge, no virtual machine, seconds to start.

The namespaces have names that no other run has, and are gone with the block.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import tomlkit

from goldnode import network
from goldnode.bake import gomodule, vpncloud
from goldnode.bake.toolchain import go
from goldnode.daemon import Source
from goldnode.fleet import world
from goldnode.node import archive, blocks, configure
from goldnode.node.cometbft_keys import Key
from goldnode.node.inputs import read_image
from goldnode.node.machine import architecture
from goldnode.node.ports import Ports
from goldnode.node_config import MeshKind
from goldnode.paths import REPOSITORY
from goldnode.progress import SILENT
from goldnode.run import run, spawn, stop_group
from tests.node_lab import Cluster, Tree, seed
from tests.waiting import until

#: WireGuard for kernels without it; the node's own `ip`, `wg` and configuration work with it unchanged.
WIREGUARD = Source(
    module="golang.zx2c4.com/wireguard",
    version="v0.0.0-20260522210424-ecfc5a8d5446",
    sum="h1:cqHQ3AycTHvM2R7ikgyX57D+XvtcSnGylsLkOVhta/w=",
    package=".",
    toolchain="go1.25.5",
)
#: The fleet's network, known to no other.
NETWORK = "10.211.55"
#: The world's validators; the last parts of their addresses.
WORLD = (1, 2)
RENDEZVOUS_ADDRESS = f"{NETWORK}.1:8700"
RENDEZVOUS = f"http://{RENDEZVOUS_ADDRESS}"

#: What the image tells the kernel of connections, as far as a namespace has it of its own.
_CONF = REPOSITORY / "roles" / "common" / "rootfs" / "usr" / "lib" / "sysctl.d" / "60-goldnode.conf"
SYSCTL = [line.replace(" ", "") for line in _CONF.read_text().splitlines() if line.startswith("net.ipv4.tcp_retries2")]
#: Voting power with which a hidden validator is needed for every block: the world's two have 30 together.
NEEDED = 20
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
        with self.console.open("ab") as console:
            self.process = self.fleet.stack.enter_context(self.fleet.inside(self.space, argv, stdout=console))

    def halt(self) -> None:
        """End it."""
        if self.process:
            stop_group(self.process, 40)
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
        return log.read_text(errors="replace").count("ABCI Handshake App Info")

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
        programs: Folder with `cometbft`, and `wireguard` (user space) or `vpncloud`.
        prefix: First part of the namespaces' names.
        mesh: What carries the private network.
    """

    folder: Path
    programs: Path
    prefix: str
    stack: contextlib.ExitStack
    mesh: MeshKind = MeshKind.WIREGUARD
    cluster: Cluster = field(default_factory=Cluster)
    hosts: dict[str, Host] = field(default_factory=dict)
    genesis: str = ""
    rendezvous: subprocess.Popen[bytes] | None = None

    @property
    def world(self) -> str:
        """The namespace outside, where the bridge is."""
        return f"{self.prefix}-world"

    def add(self, name: str, role: str, invite: str = "", **more: object) -> Host:
        """Make a machine with one node on its invite, else a fresh one, or with ``nodes``; it is not booted yet."""
        number = 10 + len(self.hosts)
        tree = Tree(self.folder / name, instance=name, mesh=self.mesh)
        tree.layout.library.joinpath("bin").symlink_to(self.programs)
        tree.write("/etc/goldnode/genesis.json", self.genesis)
        tree.write("/proc/sys/kernel/random/boot_id", f"{number:08d}-0000-4000-8000-{os.getpid():012d}\n")
        join, own = ("", "") if "nodes" in more else (invite or self.cluster.invite(role), name)
        tree.node_yaml(role, join, own, **{"rendezvous": [RENDEZVOUS], "mesh": str(self.mesh), **more})
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
        for pid in run(["ip", "netns", "pids", space]).stdout.split():
            os.kill(int(pid), signal.SIGKILL)
        assert until(lambda: not run(["ip", "netns", "pids", space]).stdout.split(), 20)
        run(["ip", "netns", "del", space])

    @contextlib.contextmanager
    def inside(self, space: str, argv: list[Any], **streams: Any) -> Iterator[subprocess.Popen[bytes]]:
        """Run a program in a namespace."""
        words = ["ip", "netns", "exec", space, *map(str, argv)]
        with spawn(words, cwd=REPOSITORY, **streams) as process:
            yield process

    def ask(self, method: str) -> Any:
        """What the world's first validator answers; silence is an error, never a missing signature."""
        url = f"http://{NETWORK}.{WORLD[0]}:26657/{method}"
        fetch = f"import urllib.request as web; print(web.urlopen({url!r}, timeout=15).read().decode())"
        return json.loads(run(["ip", "netns", "exec", self.world, sys.executable, "-I", "-c", fetch]).stdout)["result"]

    def signers(self) -> set[str]:
        """Who signed the block before the last, as the chain has it: the last one's votes still come in."""
        signatures = self.ask("block")["block"]["last_commit"]["signatures"]
        return {each["validator_address"] for each in signatures if each["block_id_flag"] == 2}

    def outside(self, sentries: list[Host]) -> None:
        """Start the world: two validators that make blocks together, peering with the sentries' public side."""
        peers = [peer for sentry in sentries for peer in sentry.public()]
        for number in WORLD:
            known = [f"{self.world_id(other)}@{NETWORK}.{other}:26656" for other in WORLD if other != number]
            self._outsider(number, [*peers, *known])

    def world_id(self, number: int) -> str:
        """The node ID of one of the world's validators."""
        return run([self.programs / "cometbft", "show-node-id", "--home", self.home(number)]).stdout.strip()

    def home(self, number: int) -> Path:
        """The home of one of the world's validators."""
        return self.folder / f"outside-{number}"

    def _outsider(self, number: int, peers: list[str]) -> None:
        config = self.home(number) / "config" / "config.toml"
        document = tomlkit.parse(config.read_text())
        p2p, rpc, consensus = (document[name] for name in ("p2p", "rpc", "consensus"))
        address = f"tcp://{NETWORK}.{number}"
        p2p.update({"laddr": f"{address}:26656", "persistent_peers": ",".join(peers), "addr_book_strict": False})
        rpc.update({"laddr": f"{address}:26657"})
        consensus.update({"timeout_commit": "2s", "peer_gossip_sleep_duration": world.DISTANCE})
        config.write_text(tomlkit.dumps(document))
        argv = [self.programs / "cometbft", "node", "--proxy_app=kvstore", "--home", self.home(number)]
        with (self.folder / f"outside-{number}.log").open("ab") as log:
            self.stack.enter_context(self.inside(self.world, argv, stdout=log))


def _port(address: str) -> str:
    """The bridge's end of a machine's cable."""
    return f"p{address.rsplit('.', maxsplit=1)[1]}"


def hidden_and_sentries(made: Fleet) -> tuple[Host, list[Host]]:
    """A validator with a key of its own and two sentries, booted and signing."""
    key = Key(seed("hidden"))
    write_genesis(made, {key: 10})
    validator = made.add("val-1", "validator", consensus_key="existing", min_sentries=2)
    sentries = [made.add(name, "sentry") for name in ("s-1", "s-2")]
    _bring(validator, key)
    for host in (*sentries, validator):
        host.boot()
    assert until(lambda: all(sentry.node() for sentry in sentries), 30)
    made.outside(sentries)
    assert until(lambda: validator.node().get("signing"), 120), validator.console.read_text()
    return validator, sentries


def all_on_one_machine(made: Fleet) -> Host:
    """A validator and its two sentries on one machine, named after one of them, signing; no block without it."""
    key = Key(seed("hidden"))
    write_genesis(made, {key: NEEDED})
    nodes: list[dict[str, object]] = [
        {"name": name, "role": role, "join": made.cluster.invite(role)}
        for name, role in (("s-1", "sentry"), ("s-2", "sentry"), ("val-1", "validator"))
    ]
    nodes[-1] |= {"consensus_key": "existing", "min_sentries": 2}
    host = made.add("s-1", "multi-node", nodes=nodes)
    _bring(host, key)
    host.boot()
    assert until(lambda: bool(host.node()), 60), host.console.read_text()
    made.outside([host])
    assert until(lambda: host.node("val-1").get("signing"), 150), host.console.read_text()
    return host


def three_clusters_on_one_machine(made: Fleet) -> tuple[Host, dict[str, Key]]:
    """Validators of three clusters on one machine, their sentries on another, all of them signing.

    There is no block without the first and the third of them.
    """
    keys = {f"v-{n}": Key(seed(f"hidden {n}")) for n in (1, 2, 3)}
    write_genesis(made, dict(zip(keys.values(), (2 * NEEDED, 5, 2 * NEEDED), strict=True)))
    clusters = {name: Cluster(name) for name in keys}
    signing, public = (
        made.add(
            host,
            "multi-node",
            nodes=[
                {"name": name.replace("v", prefix), "role": role, "join": clusters[name].invite(role), **more}
                for name in keys
            ],
        )
        for host, prefix, role, more in (
            ("v-1", "v", "validator", {"consensus_key": "existing"}),
            ("s-1", "s", "sentry", {}),
        )
    )
    for name, key in keys.items():
        _bring(signing, key, name)
    for host in (public, signing):
        host.boot()
    assert until(lambda: bool(public.node()), 60), public.console.read_text()
    made.outside([public])
    assert until(lambda: all(signing.node(name).get("signing") for name in keys), 150), signing.console.read_text()
    return signing, keys


def _bring(host: Host, key: Key, name: str = "val-1") -> None:
    """Configure once, and import a validator's key, as a person would."""
    layout = host.tree.layout
    configure.configure(layout, read_image(layout), host.tree.system)
    archive.bring_unused(layout.node(name), key)


def write_genesis(fleet: Fleet, hidden: Mapping[Key, int]) -> None:
    """A chain of the world's two validators, and the hidden ones with their powers.

    The world's two need each other, and suffice when the hidden ones together have less than 15.
    """
    homes = [fleet.home(number) for number in WORLD]
    documents = []
    for home in homes:
        run([fleet.programs / "cometbft", "init", "--home", home])
        documents.append(json.loads((home / "config" / "genesis.json").read_text()))
    whole = documents[0]
    whole["chain_id"] = "localnet-1"
    whole["validators"] = [{**each["validators"][0], "power": "15"} for each in documents]
    whole["validators"] += [
        {"address": key.address, "pub_key": key.validator_document()["pub_key"], "power": str(power), "name": ""}
        for key, power in hidden.items()
    ]
    fleet.genesis = json.dumps(whole)
    for home in homes:
        (home / "config" / "genesis.json").write_text(fleet.genesis)


@contextlib.contextmanager
def fleet(folder: Path, programs: Path, mesh: MeshKind = MeshKind.WIREGUARD) -> Iterator[Fleet]:
    """An empty fleet with its bridge and its rendezvous."""
    prefix = f"gn{os.getpid()}-{next(_NUMBERS)}"
    with contextlib.ExitStack() as stack:
        made = Fleet(folder, programs, prefix, stack, mesh)
        run(["ip", "netns", "add", made.world])
        stack.callback(run, ["ip", "netns", "del", made.world], check=False)
        run(["ip", "-n", made.world, "link", "set", "lo", "up"])
        run(["ip", "-n", made.world, "link", "add", "br0", "type", "bridge"])
        for number in WORLD:
            run(["ip", "-n", made.world, "address", "add", f"{NETWORK}.{number}/24", "dev", "br0"])
        run(["ip", "-n", made.world, "link", "set", "br0", "up"])
        argv = [sys.executable, "-m", "goldnode.rendezvous", "--listen", RENDEZVOUS_ADDRESS]
        with (folder / "rendezvous.log").open("ab") as log:
            argv += ["--database", str(folder / "rendezvous.db")]
            made.rendezvous = stack.enter_context(made.inside(made.world, argv, stdout=log))
        yield made


def programs(folder: Path, mesh: MeshKind = MeshKind.WIREGUARD) -> Path:
    """A folder with the daemon and user-space WireGuard or VPNCloud, built from what is pinned, or from the cache."""
    localnet = network.load("localnet").daemon
    assert localnet.source
    folder.mkdir(exist_ok=True)
    command, arch = go(SILENT), architecture()
    wanted = [(localnet, localnet.source)]
    if mesh is MeshKind.VPNCLOUD:
        (folder / "vpncloud").symlink_to(vpncloud.build(arch, SILENT).binary)
    else:
        wanted.append((replace(localnet, name="wireguard"), WIREGUARD))
    for daemon, source in wanted:
        built = gomodule.build(daemon, source, arch, go=command, progress=SILENT)
        (folder / daemon.name).symlink_to(built.binary)
    return folder
