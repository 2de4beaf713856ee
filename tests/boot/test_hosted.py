"""A machine of a JVM network from its sealed image: databases, one JVM, and a life of its own for each node.

The image runs as a container: the same systemd, sandbox, PostgreSQL and JVM as on a machine, at native speed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from goldnode.bake import golden
from goldnode.cluster import user_data
from goldnode.config import network as networks
from goldnode.progress import SILENT
from goldnode.run import run
from tests.boot.container import Container, container
from tests.support import sealed
from tests.support.waiting import until

pytestmark = [pytest.mark.root, pytest.mark.long]
NAMES = ("alice", "bob", "carol")
#: What accepts connections when a node is ready: gRPC, one block of 100 each.
PORTS = {"alice": 26665, "bob": 26765, "carol": 26865}
#: Seconds until a database cluster is made and three ledgers are ready; 55 on two idle cores.
START = 400.0
#: Asks both ports every 50 ms until its input ends, and prints how often, and how often nobody answered.
KNOCK = """
import select, socket, sys
asked = silent = 0
while not select.select([sys.stdin], [], [], 0.05)[0]:
    for port in map(int, sys.argv[1:]):
        asked += 1
        try:
            socket.create_connection(("127.0.0.1", port), 2).close()
        except OSError:
            silent += 1
print(asked, silent)
"""
DATABASES = "SELECT datname, oid FROM pg_database WHERE datname LIKE 'gn_%' ORDER BY 1"


@pytest.fixture(scope="module")
def jvm_tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sealed image's files."""
    image = golden.bake(golden.BakeOptions(networks.load("daml")), SILENT).image
    return sealed.unpacked(image, tmp_path_factory.mktemp("sealed"))


def pasted() -> str:
    """User-data as `cluster user-data` makes it."""
    nodes = [user_data.NodeSpec(name, "hosted", "") for name in NAMES]
    return user_data.render(user_data.UserData("none", "daml", "multi-node", nodes, []))


@pytest.fixture(scope="module")
def machine(jvm_tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Container]:
    """Three nodes on one machine, all of them ready."""
    with container(jvm_tree, tmp_path_factory.mktemp("boot"), pasted()) as box:
        for name in NAMES:
            box.wait_for(f"goldnode: hosted {name} ready", START)
        yield box


def status(box: Container) -> dict[str, dict[str, Any]]:
    """What the agent tells of every node, by name."""
    return {node["name"]: node for node in json.loads(box.ask("goldnode", "status", "--json"))["nodes"]}


def databases(box: Container) -> str:
    """Databases of nodes, with the numbers that tell an old one from one made anew."""
    return box.ask("runuser", "-u", "postgres", "--", "psql", "-Atc", DATABASES)


def pid(box: Container) -> str:
    """The JVM."""
    return box.ask("systemctl", "show", "-P", "MainPID", "goldnode-jvm.service").strip()


def test_every_node_is_ready_and_has_a_database_of_its_own(machine: Container) -> None:
    """Three lines in the status, three databases with their owners, one JVM; nobody outside is listened to."""
    found = status(machine)

    assert dict.fromkeys(NAMES, ("running", True, True)) == {
        name: (node["state"], node["healthy"], node["ready"]) for name, node in found.items()
    }
    assert [f"gn_{name}" for name in NAMES] == [line.partition("|")[0] for line in databases(machine).splitlines()]
    assert "1" == machine.ask("pgrep", "-c", "java").strip()
    assert [] == machine.listening()


def test_one_page_has_the_metrics_of_all_nodes(machine: Container) -> None:
    """Prometheus asks one port and gets every node's state, and the JVM's memory."""
    page = machine.ask("curl", "-s", "http://127.0.0.1:9600/metrics")

    assert {f'goldnode_healthy{{node="{name}",role="hosted",node_id=""}} 1' for name in NAMES} <= set(page.splitlines())
    assert "goldnode_jvm_heap_bytes" in page


def test_a_restart_of_one_leaves_its_siblings(machine: Container) -> None:
    """Bob is started anew, while the ports of the others answer every time and the JVM stays the same."""
    before, jvm = databases(machine), pid(machine)
    others = [str(PORTS[name]) for name in NAMES if name != "bob"]
    with machine.running("python3", "-c", KNOCK, *others) as knocking:
        machine.ask("goldnode", "restart", "bob")
        assert until(lambda: status(machine)["bob"]["restarts"] == 1 and status(machine)["bob"]["healthy"], 180)
        asked, silent = map(int, knocking.communicate(b"\n")[0].split())

    assert asked > 20
    assert 0 == silent
    assert {"alice": 0, "bob": 1, "carol": 0} == {name: node["restarts"] for name, node in status(machine).items()}
    assert (before, jvm) == (databases(machine), pid(machine))


def test_a_node_comes_and_goes_beside_its_siblings(machine: Container) -> None:
    """`goldnode add` brings a fourth with its database, `goldnode remove` takes it; the JVM is the same."""
    jvm = pid(machine)
    machine.ask("sh", "-c", "printf 'name: dave\\nrole: hosted\\n' >/run/dave.yaml; goldnode add /run/dave.yaml")
    came = until(lambda: status(machine).get("dave", {}).get("healthy"), 180)
    had = databases(machine)
    machine.ask("goldnode", "remove", "dave")

    assert came
    assert "gn_dave|" in had
    assert until(lambda: set(NAMES) == set(status(machine)), 20)
    assert jvm == pid(machine)


def test_a_killed_jvm_starts_again_with_its_ledgers(machine: Container) -> None:
    """A native crash ends all nodes; systemd starts another JVM, and each node finds its database."""
    before, jvm = databases(machine), pid(machine)
    machine.ask("kill", "-KILL", jvm)

    assert until(lambda: pid(machine) not in ("0", jvm), 120)
    assert until(lambda: all(node["healthy"] for node in status(machine).values()), START)
    assert set(NAMES) == set(status(machine))
    assert before == databases(machine)


def test_a_new_image_is_the_update_of_every_node(jvm_tree: Path, tmp_path: Path) -> None:
    """One jar replaced, a new image under the old state: every node runs it, and finds its ledger again."""
    old, new = "sandbox_2.13-1.13.1.jar", "sandbox_2.13-1.13.2.jar"
    with container(jvm_tree, tmp_path / "first", pasted()) as box:
        for name in NAMES:
            box.wait_for(f"goldnode: hosted {name} ready", START)
        before = (databases(box), runs(box, old), runs(box, new))
        box.ask("systemctl", "poweroff")
        box.process.wait(60)
    updated = tmp_path / "updated"
    run(["cp", "-al", jvm_tree, updated])
    jars = updated / "usr/lib/goldnode/jars"
    (jars / old).rename(jars / new)
    with container(updated, tmp_path / "first", pasted()) as box:
        for name in NAMES:
            box.wait_for(f"goldnode: hosted {name} ready", START)
        after = (databases(box), runs(box, old), runs(box, new))

    assert (before[0], list(NAMES), []) == before
    assert (before[0], [], list(NAMES)) == after


def runs(box: Container, jar: str) -> list[str]:
    """Nodes whose class path has a jar, if the JVM has it open at all."""
    if f"/{jar}\n" not in box.ask("sh", "-c", f"ls -l /proc/{pid(box)}/fd"):
        return []
    files = box.ask("sh", "-c", f"grep -l /{jar} /run/goldnode/hosted/nodes/*").split()
    return sorted(Path(file).stem for file in files)
