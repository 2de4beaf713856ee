"""A machine of a JVM network: no keys, no mesh, no cluster; nodes that the JVM host keeps."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from goldnode.config.network import Network, load
from goldnode.config.node_config import NodeConfig
from goldnode.config.node_entry import NodeEntry
from goldnode.errors import HostError, InputError, UsageError
from goldnode.node.agent import hosted, metrics_page
from goldnode.node.agent.agent import Agent
from goldnode.node.agent.health import NodeState
from goldnode.node.jvm import jvm_host, jvm_setup
from goldnode.node.jvm.jvm_host import HostedStatus, JvmHost
from goldnode.node.plan import blocks
from goldnode.paths import REPOSITORY
from tests.support.node_lab import Person, Tree

Acts = list[str]


def _status(name: str, state: str = "running", *, ready: bool = True, restarts: int = 0) -> HostedStatus:
    return HostedStatus(name, state, ready, restarts, 5, "" if ready else "why", Path("/log"))


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """A machine with two ledgers in its node.yaml."""
    found = Tree(tmp_path / "machine", "daml")
    nodes = [{"name": "alice", "role": "hosted"}, {"name": "bob", "role": "hosted"}]
    found.write("/etc/goldnode/node.yaml", yaml.safe_dump({"version": 1, "role": "multi-node", "nodes": nodes}))
    return found


@pytest.fixture
def acts(monkeypatch: pytest.MonkeyPatch) -> Acts:
    """What the JVM host was told to do; it has alice and bob."""
    done: Acts = []
    monkeypatch.setattr(JvmHost, "status", lambda _: [_status("alice"), _status("bob")])

    def act(_: JvmHost, verb: str, name: str) -> str:
        done.append(f"{verb} {name}")
        return f"{name}: {verb}"

    monkeypatch.setattr(JvmHost, "act", act)
    monkeypatch.setattr(jvm_setup, "start_postgres", lambda: None)
    monkeypatch.setattr(jvm_setup, "as_postgres", lambda _: None)
    monkeypatch.setattr(jvm_setup, "give_to_service", lambda _: None)
    monkeypatch.setattr(jvm_setup, "share_with_service", lambda _: None)
    return done


def test_a_jvm_machine_needs_no_cluster(tree: Tree) -> None:
    """Configured: no key, no mesh, no user, nothing open; the JVM's unit and the agent are started."""
    machine, _ = tree.configure()

    assert (("alice", "bob"), {}, {}) == (machine.hosted, machine.facts, machine.failures)
    assert ["start goldnode-jvm.service", "start goldnode-agent.service"] == [
        each for each in tree.system.done if not each.startswith(("users", "firewall"))
    ]
    assert not tree.layout.nodes.exists()
    assert "dport 26" not in tree.layout.at("/etc/goldnode/nftables.d/goldnode.nft").read_text()


def test_a_hosted_node_is_open_to_whom_node_yaml_names(tree: Tree) -> None:
    """Who stands in `ports_from` reaches that node's own block of ports; its sibling's stay closed."""
    nodes = [{"name": "alice", "role": "hosted"}, {"name": "bob", "role": "hosted", "ports_from": ["10.0.0.0/24"]}]
    tree.write("/etc/goldnode/node.yaml", yaml.safe_dump({"version": 1, "role": "multi-node", "nodes": nodes}))

    tree.configure()
    rules = tree.layout.at("/etc/goldnode/nftables.d/goldnode.nft").read_text()

    assert [f'ip saddr {{ 10.0.0.0/24 }} tcp dport {26600 + 100 + 65} accept comment "bob ledger"'] == [
        line.strip() for line in rules.splitlines() if "dport 26" in line
    ]


def test_one_ledger_alone_needs_a_name_only(tree: Tree) -> None:
    """`role: hosted` is a list of one."""
    tree.write("/etc/goldnode/node.yaml", "version: 1\nrole: hosted\nname: alice\n")

    assert ("alice",) == tree.configure()[0].hosted


@pytest.mark.parametrize(
    ("network", "document", "said"),
    [
        ("daml", {"role": "sentry", "name": "s-1", "join": "gn1_aa", "rendezvous": ["http://a:1"]}, "run in a JVM"),
        ("localnet", {"role": "hosted", "name": "alice"}, "are daemons"),
        ("daml", {"role": "hosted", "name": "alice", "data": "/dev/sdb"}, "on the root disk"),
    ],
)
def test_a_role_of_the_other_kind_is_refused(tmp_path: Path, network: str, document: dict[str, Any], said: str) -> None:
    """Daemons on a JVM image, and hosted nodes on a daemon's, are named with what to write instead."""
    tree = Tree(tmp_path / "machine", network)
    tree.write("/etc/goldnode/node.yaml", yaml.safe_dump({"version": 1, **document}))

    with pytest.raises(InputError, match=said):
        tree.configure()

    assert [] == tree.system.done


@pytest.mark.parametrize("verb", ["start", "stop", "restart"])
def test_commands_go_to_the_jvm_host(tree: Tree, acts: Acts, capsys: pytest.CaptureFixture[str], verb: str) -> None:
    """The same three words act on a hosted node as on a daemon."""
    tree.configure()

    assert (0, f"bob: {verb}\n") == Person(tree, capsys).types(verb, "bob")
    assert [f"{verb} bob"] == acts


def test_a_hosted_node_is_not_held(tree: Tree, acts: Acts, capsys: pytest.CaptureFixture[str]) -> None:
    """`--hold` is refused where it could not be kept, with the command that can."""
    code, said = Person(tree, capsys).types("stop", "--hold", "bob")

    assert (2, []) == (code, acts)
    assert "goldnode remove bob" in said


def test_a_program_that_hosts_all_is_one_node_of_the_jvm() -> None:
    """In native mode the host knows the program, and every node of node.yaml stands and falls with it."""
    document = json.loads(json.dumps(dict(load("daml").document)))
    document["daemon"]["jvm"]["mode"] = "native"
    network = Network.from_document(document)

    assert ("sandbox", "bob") == (hosted.inside(network, "bob"), hosted.inside(load("daml"), "bob"))


def test_add_and_remove_reach_the_running_jvm(
    tree: Tree, acts: Acts, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """A node is added to, and removed from, the running JVM; siblings keep their ports, data its place."""
    person, file = Person(tree, capsys), tmp_path / "entry.yaml"
    person.types("configure")
    file.write_text("name: carol\nrole: hosted\n")

    added = person.types("add", file)
    removed = person.types("remove", "alice")

    assert (0, 0) == (added[0], removed[0]), (added[1], removed[1])
    assert ["add carol", "remove alice", "add carol"] == acts
    assert {"bob": 1, "carol": 2} == blocks.known(tree.layout)
    assert f"stay in {tree.layout.state / 'jvm' / 'alice'};" in removed[1]
    assert {"bob.properties", "carol.properties"} == {
        path.name for path in tree.layout.at("/run/goldnode/hosted/nodes").iterdir()
    }


def test_a_jvm_that_does_not_run_is_not_asked(
    tree: Tree, acts: Acts, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the JVM is down `remove` changes node.yaml, which its next start reads."""
    person = Person(tree, capsys)
    person.types("configure")
    monkeypatch.setattr(JvmHost, "status", _silent)

    assert 0 == person.types("remove", "alice")[0]
    assert [] == acts


def _silent(_: JvmHost) -> list[HostedStatus]:
    raise HostError("the JVM host does not answer")


@pytest.mark.parametrize(
    ("seen", "state", "healthy"),
    [
        (lambda _: [_status("alice")], NodeState.RUNNING, True),
        (lambda _: [_status("alice", ready=False)], NodeState.STARTING, False),
        (lambda _: [_status("alice", "waiting", ready=False, restarts=4)], NodeState.CRASHING, False),
        (lambda _: [_status("alice", "stuck", ready=False)], NodeState.STUCK, False),
        (lambda _: [_status("alice", "stopped", ready=False)], NodeState.STOPPED, False),
        (lambda _: [], NodeState.STOPPED, False),
        (_silent, NodeState.STARTING, False),
    ],
)
def test_every_state_of_a_hosted_node_is_told(
    monkeypatch: pytest.MonkeyPatch, seen: Callable[[JvmHost], list[HostedStatus]], state: NodeState, healthy: bool
) -> None:
    """What the host says becomes a line of status; a node that is not well has a reason."""
    monkeypatch.setattr(JvmHost, "status", seen)

    (report,) = hosted.reports(load("daml"), ["alice"], JvmHost())

    assert (state, healthy, not healthy) == (report.health.state, report.health.healthy, bool(report.reason))


def test_the_agent_tells_of_hosted_nodes(tree: Tree, acts: Acts, monkeypatch: pytest.MonkeyPatch) -> None:
    """Status has a line per node, the console says ready once, and one page holds the JVM's metrics too."""
    found, _ = tree.configure()
    pages = {jvm_host.METRICS: "goldnode_jvm_heap_bytes 1\n"}
    monkeypatch.setattr(metrics_page, "_ask", lambda port: pages.get(port, ""))
    agent = Agent(tree.layout, found, tree.system, lambda: 9.0, lambda: 41.5)

    agent.reconcile()
    agent.reconcile()

    nodes = json.loads(tree.layout.status.read_text())["nodes"]
    assert [("alice", "running", True), ("bob", "running", True)] == [
        (node["name"], node["state"], node["ready"]) for node in nodes
    ]
    assert 1 == tree.system.done.count("say hosted bob ready 41.5 s after power-on")
    lines = agent.page().splitlines()
    assert {'goldnode_healthy{node="bob",role="hosted",node_id=""} 1', "goldnode_jvm_heap_bytes 1"} <= set(lines)
    assert [] == acts


def test_a_node_of_a_daemon_has_no_jvm(tmp_path: Path) -> None:
    """Where the network runs daemons, nothing is prepared for a JVM."""
    config = NodeConfig("hosted", (NodeEntry("a", "hosted"),))
    with pytest.raises(UsageError, match="localnet does not run in a JVM"):
        jvm_setup.setup(
            load("localnet"),
            config,
            {"a": 0},
            jvm_setup.JvmPaths(tmp_path),
            server=print,
            psql=print,
            give=print,
            share=print,
        )


def test_the_units_port_is_the_one_that_is_read() -> None:
    """The agent reads the JVM's metrics where its unit serves them."""
    unit = REPOSITORY / "roles/common/rootfs/usr/lib/systemd/system/goldnode-jvm.service"

    assert "control.sock 9601\n" in unit.read_text()


def test_nodes_inside_one_program_are_ready_each_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """In native mode each node has its own readiness, and one that the program was not told of is not healthy."""
    document = json.loads(json.dumps(dict(load("daml").document)))
    document["daemon"]["jvm"]["mode"] = "native"
    status = HostedStatus("sandbox", "running", False, 0, 5, "", Path("/log"), inside={"alice": True, "bob": False})
    monkeypatch.setattr(JvmHost, "status", lambda _: [status])

    reports = hosted.reports(Network.from_document(document), ["alice", "bob", "carol"], JvmHost())
    without = "sandbox was started without it: goldnode restart carol, which restarts every node of sandbox"

    assert [
        (NodeState.RUNNING, True, ""),
        (NodeState.STARTING, False, "bob accepts no connections yet"),
        (NodeState.STOPPED, False, without),
    ] == [(each.health.state, each.health.healthy, each.reason) for each in reports]  # fmt: skip
