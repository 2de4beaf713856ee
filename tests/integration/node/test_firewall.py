"""The firewall dialled for real: two namespaces, two cables between them, and nft with a machine's own ruleset."""

from __future__ import annotations

import contextlib
import itertools
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from goldnode.run import run, spawn
from tests.support.node_lab import Cluster, Tree
from tests.support.waiting import until

pytestmark = pytest.mark.root
_NUMBERS = itertools.count()
#: Addresses of the machine and of the world, on the cable and on the mesh; one more of the world's on the cable.
MACHINE, WORLD, STRANGER = "198.51.100.1", "198.51.100.7", "198.51.100.8"
INSIDE, SENTRY = "fd00::1", "fd00::2"
SSH_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGgoldnodegoldnodegoldnodegoldnodegoldnodegold a"
#: Listens on everything, for good.
LISTEN = """
import socket, sys, time
kept = [socket.create_server(("::", int(p)), family=socket.AF_INET6, dualstack_ipv6=True) for p in sys.argv[1:]]
print("listens", flush=True)
time.sleep(600)
"""
#: Tells how a connection ends: `open`, `refused` at once, or `dropped` without an answer.
DIAL = """
import encodings.idna, os, socket, sys
user, source, host, port = sys.argv[1:]
os.setuid(int(user))
try:
    socket.create_connection((host, int(port)), 2, (source, 0)).close()
    print("open")
except TimeoutError:
    print("dropped")
except OSError:
    print("refused")
"""


@dataclass(frozen=True, slots=True)
class Cable:
    """A machine and the world."""

    machine: str
    world: str

    def load(self, ruleset: Path) -> None:
        """Put a ruleset in force on the machine."""
        run(["ip", "netns", "exec", self.machine, "nft", "-f", ruleset])

    @contextlib.contextmanager
    def listening(self, space: str, *ports: int) -> Iterator[None]:
        """Somebody who takes connections."""
        argv = ["ip", "netns", "exec", space, sys.executable, "-I", "-c", LISTEN, *map(str, ports)]
        with spawn(argv, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            assert b"listens" in process.stdout.readline()
            yield

    def dial(self, space: str, source: str, host: str, port: int, user: int = 0) -> str:
        """How a connection from a source address ends."""
        words = [sys.executable, "-I", "-c", DIAL, str(user), source, host, str(port)]
        return run(["ip", "netns", "exec", space, *words]).stdout.strip()


@pytest.fixture
def cable() -> Iterator[Cable]:
    """Two namespaces with a cable, eth0, and what stands for a mesh, gnmesh0."""
    prefix = f"gnfw{os.getpid()}-{next(_NUMBERS)}"
    made = Cable(f"{prefix}-m", f"{prefix}-w")
    with contextlib.ExitStack() as stack:
        for space in (made.machine, made.world):
            run(["ip", "netns", "add", space])
            stack.callback(run, ["ip", "netns", "del", space], check=False)
            run(["ip", "-n", space, "link", "set", "lo", "up"])
        for name in ("eth0", "gnmesh0"):
            run(
                [
                    "ip",
                    "-n",
                    made.machine,
                    "link",
                    "add",
                    name,
                    "type",
                    "veth",
                    "peer",
                    "name",
                    name,
                    "netns",
                    made.world,
                ]
            )
        for space, name, addresses in (
            (made.machine, "eth0", (f"{MACHINE}/24",)),
            (made.world, "eth0", (f"{WORLD}/24", f"{STRANGER}/24")),
            (made.machine, "gnmesh0", (f"{INSIDE}/64",)),
            (made.world, "gnmesh0", (f"{SENTRY}/64",)),
        ):
            for address in addresses:
                more = ("nodad",) if ":" in address else ()
                run(["ip", "-n", space, "address", "add", address, "dev", name, *more])
            run(["ip", "-n", space, "link", "set", name, "up"])
        assert until(lambda: "UP" in run(["ip", "-n", made.world, "-br", "link", "show", "gnmesh0"]).stdout, 10)
        yield made


def _ruleset(tree: Tree, user: str = "") -> Path:
    """What configure wrote; a node's user, whom this machine lacks, is played by nobody."""
    text = tree.layout.at("/etc/goldnode/nftables.d/goldnode.nft").read_text()
    return tree.write("/rules.nft", text.replace(f'"{user}"', '"nobody"') if user else text)


def test_ssh_is_open_to_whom_node_yaml_names(tmp_path: Path, cable: Cable) -> None:
    """`ssh_from` lets one address of the world in and drops what the next one sends; without it both come in."""
    tree = Tree(tmp_path / "machine")
    tree.node_yaml("rendezvous", ssh_keys=[SSH_KEY], ssh_from=[WORLD])
    tree.configure()
    open_tree = Tree(tmp_path / "open")
    open_tree.node_yaml("rendezvous", ssh_keys=[SSH_KEY])
    open_tree.configure()
    with cable.listening(cable.machine, 22, 23):
        cable.load(_ruleset(tree))
        named = [cable.dial(cable.world, source, MACHINE, 22) for source in (WORLD, STRANGER)]
        other_port = cable.dial(cable.world, WORLD, MACHINE, 23)
        cable.load(_ruleset(open_tree))
        anybody = [cable.dial(cable.world, source, MACHINE, 22) for source in (WORLD, STRANGER)]

    assert (["open", "dropped"], "dropped", ["open", "open"]) == (named, other_port, anybody)


def test_a_strict_validator_reaches_its_mesh_and_nothing_else(tmp_path: Path, cable: Cable) -> None:
    """`outgoing: strict`: the daemon's packets leave by the mesh, never by the cable; root's and an open node's do."""
    dialled = {}
    for outgoing in ("strict", "open"):
        tree = Tree(tmp_path / outgoing)
        tree.node_yaml("validator", Cluster().invite("validator"), "val-1", outgoing=outgoing)
        tree.configure()
        cable.load(_ruleset(tree, "gn-val-1"))
        with cable.listening(cable.world, 26656):
            dialled[outgoing] = [
                cable.dial(cable.machine, source, host, 26656, user)
                for source, host, user in ((INSIDE, SENTRY, 65534), (MACHINE, WORLD, 65534), (MACHINE, WORLD, 0))
            ]

    assert {"strict": ["open", "refused", "open"], "open": ["open", "open", "open"]} == dialled
