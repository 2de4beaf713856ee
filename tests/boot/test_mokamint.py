"""A chain of JVM nodes from its sealed image: three nodes of one machine mine it, and two of another machine join.

The image runs as two containers with a cable between them: the same systemd, sandbox, firewall and JVM as on machines.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from goldnode.bake import golden
from goldnode.cluster import user_data
from goldnode.config import network as networks
from goldnode.errors import HostError
from goldnode.node.jvm.jvm_host import SOCKET, HostedStatus, JvmHost
from goldnode.progress import SILENT
from goldnode.run import run
from tests.boot.container import Container, container
from tests.support import sealed
from tests.support.waiting import until

pytestmark = [pytest.mark.root, pytest.mark.long, pytest.mark.timeout(2400)]
FIRST, SECOND = "10.77.0.1", "10.77.0.2"
FOUNDERS, JOINERS = ("n0", "n1", "n2"), ("m0", "m1")
#: Of a machine's first node.
PORT = 26666
#: Seconds until nodes have plots and keys, a JVM and a block.
START = 400.0


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sealed image's files."""
    image = golden.bake(golden.BakeOptions(networks.load("mokamint")), SILENT).image
    return sealed.unpacked(image, tmp_path_factory.mktemp("sealed"))


def pasted(names: Sequence[str], address: str, other: str, *words: str) -> str:
    """User-data of a machine whose nodes say where they are, and let the other machine in."""
    extra = {"arguments": [*words, f"--address={address}"], "ports_from": [other]}
    nodes = [user_data.NodeSpec(name, "hosted", "", extra) for name in names]
    return user_data.render(user_data.UserData("none", "mokamint", "multi-node", nodes, []))


def cable(*ends: tuple[Container, str]) -> None:
    """Connect two containers; the link goes with them."""
    names = [f"gn{os.getpid()}-{number}" for number in range(2)]
    run(["ip", "link", "add", names[0], "type", "veth", "peer", "name", names[1]])
    for name, (box, address) in zip(names, ends, strict=True):
        run(["ip", "link", "set", name, "netns", str(box.leader)])
        box.ask("ip", "address", "add", f"{address}/24", "dev", name)
        box.ask("ip", "link", "set", name, "up")


@pytest.fixture(scope="module")
def machines(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Container, Container]]:
    """Both, with all nodes ready."""
    begun = pasted(FOUNDERS, FIRST, SECOND)
    joining = pasted(JOINERS, SECOND, FIRST, "--found=no", f"--peers={FIRST}:{PORT}")
    with container(tree, tmp_path_factory.mktemp("first"), begun) as first:
        for name in FOUNDERS:
            first.wait_for(f"goldnode: hosted {name} ready", START)
        with container(tree, tmp_path_factory.mktemp("second"), joining) as second:
            cable((first, FIRST), (second, SECOND))
            for name in JOINERS:
                second.wait_for(f"goldnode: hosted {name} ready", START)
            yield first, second


def states(*boxes: Container) -> dict[str, HostedStatus]:
    """Every node's state, as the machines' JVMs tell it; nothing of one that does not run."""
    found: dict[str, HostedStatus] = {}
    for box in boxes:
        with contextlib.suppress(HostError):
            found |= {node.name: node for node in JvmHost(Path(f"/proc/{box.leader}/root{SOCKET}")).status()}
    return found


def common(*boxes: Container) -> int:
    """The height of the newest block that all five nodes have; -1 while they differ."""
    seen = states(*boxes)
    heads = {(node.height, node.head) for node in seen.values()}
    return next(iter(heads))[0] if len(heads) == 1 and len(seen) == len(FOUNDERS + JOINERS) else -1


def test_nodes_of_two_machines_mine_one_chain(machines: tuple[Container, Container]) -> None:
    """Five nodes in two JVMs, from one image: all have the same newest block, and then a further one."""
    assert until(lambda: common(*machines) >= 0, 300), states(*machines)
    before = common(*machines)
    assert until(lambda: common(*machines) > max(before, 0), 300), states(*machines)


def test_a_machine_that_was_off_catches_up(machines: tuple[Container, Container]) -> None:
    """The JVM of one machine is killed: the other mines on, and the killed nodes come back to its chain."""
    first, second = machines
    before = max(node.height for node in states(first).values())
    pid = second.ask("systemctl", "show", "-P", "MainPID", "goldnode-jvm.service").strip()
    second.ask("kill", "-KILL", pid)

    assert until(lambda: min(node.height for node in states(first).values()) > before, 300), states(first)
    assert until(lambda: common(*machines) > before, START), states(*machines)
