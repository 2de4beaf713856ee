"""The agent's looks, on a tree: what it starts, restarts, dials, says and writes."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from goldnode.discovery.alarm import Alarm, AlarmKind
from goldnode.files import write_json
from goldnode.node.agent.agent import AT_FIRST, INTERVAL, SOON, Agent
from goldnode.node.agent.rules import CRASH_WINDOW, MISSING
from goldnode.node.keys import keys
from goldnode.node.plan.peers import Member
from goldnode.protocol.facts import Facts
from tests.support.agent_lab import NOW, UNIT, Daemon, World
from tests.support.node_lab import Cluster, Tree


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """A machine."""
    return Tree(tmp_path / "machine")


VALIDATOR = Member("a" * 40, "validator", mesh_key="V" * 43 + "=", mesh_port=51820, p2p_port=26656)


def _holder(own: str) -> Member:
    return Member("b" * 40, "sentry", mesh_key="S" * 43 + "=", mesh_port=51820, p2p_port=26656,
                  addresses=("203.0.113.8",), loaded=frozenset({own}))  # fmt: skip


def test_a_sentry_starts_alone(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    """With no roster and no rendezvous, a sentry starts at the first look."""
    assert f"start {UNIT}" in World(tree, "sentry", monkeypatch).reconcile()


def test_it_looks_often_while_a_young_machine_is_waited_for(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    """In its first minute it looks more often until all nodes are ready; one that never is costs no more."""
    world, up = World(tree, "sentry", monkeypatch), [41.5]
    world.agent.since_power_on = lambda: up[0]
    young = world.agent.pause()
    world.agent._ready.add("n-1")
    ready = world.agent.pause()
    world.agent._ready.clear()
    up[0] += AT_FIRST

    assert (SOON, INTERVAL, INTERVAL) == (young, ready, world.agent.pause())


def test_a_validator_waits_and_says_for_whom(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    """No sentry holds it: it does not start, and the console and status say so."""
    world = World(tree, "validator", monkeypatch)

    (said,) = world.reconcile()

    assert "waiting for sentries: 0 of 1 sentries hold it" in said
    assert said.startswith("say validator n-1: stopped")
    assert "waiting for sentries" in str(world.status()["reason"])


def test_a_validator_starts_once_it_is_held_and_reached(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sentry that holds it enters the mesh; after a handshake the validator starts, its key marked as used."""
    world = World(tree, "validator", monkeypatch)
    world.members = (_holder(world.own),)
    assert f"start {UNIT}" not in world.reconcile()
    assert "[Peer]" in tree.layout.node("n-1").mesh_config("wireguard").read_text()

    tree.system.dumps["gnmesh0"] = f"x\n{'S' * 43}=\t-\t-\t-\t{int(world.now)}\t0\t0\t25\n"

    assert f"start {UNIT}" in world.reconcile()
    record = keys.read_record(tree.layout.node("n-1"))
    assert record
    assert record.used


def test_a_sentry_that_does_not_hold_it_never_enters_the_mesh(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before it has acknowledged, a sentry is no peer of the validator's mesh: it would tell others."""
    world = World(tree, "validator", monkeypatch)
    world.members = (replace(_holder(world.own), loaded=frozenset()),)

    world.reconcile()

    assert "[Peer]" not in tree.layout.node("n-1").mesh_config("wireguard").read_text()


def test_a_sentry_restarts_once_for_a_new_validator(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file has the validator as private first; then the daemon is restarted; then never again for it."""
    world = World(tree, "sentry", monkeypatch)
    world.reconcile()
    write_json(tree.layout.node("n-1").loaded, [])
    world.answers()
    world.members = (VALIDATOR,)
    assert [] == [each for each in world.reconcile() if each.startswith("restart")]
    config = tree.layout.node("n-1").home / "config" / "config.toml"
    assert f'private_peer_ids = "{VALIDATOR.node_id}"' in config.read_text()

    assert f"restart {UNIT}" in world.reconcile(10)
    write_json(tree.layout.node("n-1").loaded, [VALIDATOR.node_id])

    assert [] == [each for each in world.reconcile(100) if each.startswith("restart")]
    assert [VALIDATOR.node_id] == world.status()["loaded"]


def test_a_slow_start_is_waited_for(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    """A daemon that has read no configuration yet, or makes its database, is not restarted for a new validator."""
    world = World(tree, "sentry", monkeypatch)
    assert f"start {UNIT}" in world.reconcile()
    world.members = (VALIDATOR,)
    slow = [each for _ in range(5) for each in world.reconcile(20) if each.startswith("restart")]
    write_json(tree.layout.node("n-1").loaded, [])
    slow += [each for _ in range(5) for each in world.reconcile(20) if each.startswith("restart")]
    world.answers()
    restarted = world.reconcile(20)
    again = [each for _ in range(5) for each in world.reconcile(20) if each.startswith("restart")]

    assert [] == slow
    assert f"restart {UNIT}" in restarted
    assert [] == again


def test_a_validator_is_not_restarted_for_a_new_sentry(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sentry that joins later changes files and mesh, and restarts nothing."""
    world = World(tree, "validator", monkeypatch)
    tree.system.running.add(UNIT)
    world.answers(power=10)
    world.reconcile()
    world.members = (_holder(world.own),)

    assert [] == [each for each in world.reconcile(500) if each.startswith(("restart", "stop"))]


def test_a_missing_validator_is_dialled_again(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a minute without it the sentry dials, by RPC, without a restart."""
    world = World(tree, "sentry", monkeypatch)
    world.reconcile()
    world.members = (VALIDATOR,)
    write_json(tree.layout.node("n-1").loaded, [VALIDATOR.node_id])
    world.answers()
    world.reconcile()
    assert [] == world.daemon.dialled

    world.answers()
    world.reconcile(MISSING + 1)

    assert 1 == len(world.daemon.dialled)
    assert world.daemon.dialled[0][0].startswith(f"{VALIDATOR.node_id}@[fd")


def test_a_held_node_stays_stopped(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a hold nor a pause is overridden by the agent."""
    world = World(tree, "sentry", monkeypatch)
    tree.layout.node("n-1").paused.write_text("")

    assert f"start {UNIT}" not in world.reconcile()
    assert True is world.status()["paused"]


def test_a_full_disk_stops_the_node(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the daemon can corrupt its database, it is stopped, and status says why until it starts by itself."""
    world = World(tree, "sentry", monkeypatch)
    world.reconcile()
    world.free = 1000

    done = world.reconcile()

    assert f"stop {UNIT}" in done
    assert "the disk is almost full" in done[-1]
    assert [] == world.reconcile()
    assert "the disk is almost full" in str(world.status()["reason"])
    world.free = 1 << 40
    assert f"start {UNIT}" in world.reconcile()


def test_a_second_holder_of_the_identity_stops_a_validator(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two machines with one identity: the validator stops, for good, and says so."""
    world = World(tree, "validator", monkeypatch)
    tree.system.running.add(UNIT)
    membership = world.agent.found.memberships["n-1"]
    monkeypatch.setattr(membership, "alarms", lambda: {Alarm(AlarmKind.CLONE, world.own)})

    done = world.reconcile()

    assert f"stop {UNIT}" in done
    assert tree.layout.node("n-1").hold.exists()
    assert f"start {UNIT}" not in world.reconcile()


def test_a_refused_key_is_said_and_not_started(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key that lost its state after the boot is not started."""
    world = World(tree, "validator", monkeypatch, min_sentries=0)
    keys.mark_used(tree.layout.node("n-1"))
    tree.layout.node("n-1").signing_state.unlink()

    (said,) = world.reconcile()

    assert "refused: the key" in said


def test_an_existing_key_is_waited_for(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    """`consensus_key: existing` without a key waits for a person, with the command to type."""
    world = World(tree, "validator", monkeypatch, min_sentries=0, consensus_key="existing")

    (said,) = world.reconcile()

    assert "goldnode key import" in said


def test_ready_is_said_once(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the daemon answers with this node's ID and the record was accepted, the console says ready, once."""
    world = World(tree, "sentry", monkeypatch)
    monkeypatch.setattr(Agent, "_published", lambda *_: True)
    world.reconcile()
    world.answers()

    assert f"say sentry n-1 ready 41.5 s after power-on, node id {world.own}, 0 peers" in world.reconcile()
    world.answers()
    assert [] == world.reconcile()
    assert True is world.status()["ready"]


def test_a_chain_that_makes_fewer_blocks_has_not_stalled(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    """An agent remembers how far apart blocks are at present: the next may take as long again, and a few times that."""
    world = World(tree, "sentry", monkeypatch)
    world.reconcile()
    for height in (9, 10, 11):
        world.answers(height)
        world.reconcile(10.0)

    world.reconcile(35.0)
    assert "following" == world.status()["state"]

    world.reconcile(30.0)
    assert "stalled" == world.status()["state"]


def test_another_nodes_answer_is_not_ready(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    """An RPC that answers with another ID is somebody else's."""
    world = World(tree, "sentry", monkeypatch)
    monkeypatch.setattr(Agent, "_published", lambda *_: True)
    world.reconcile()
    world.answers()
    world.daemon.status_ = replace(world.daemon.status_, node_id="c" * 40) if world.daemon.status_ else None

    assert [] == [each for each in world.reconcile() if " ready " in each]


def test_a_deferred_daemon_is_waited_for(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    """Until what the bake deferred is there, nothing starts."""
    world = World(tree, "sentry", monkeypatch)
    entry = {"name": "daemon", "url": "http://x/y", "sha256": "0" * 64, "size": 1, "format": "raw", "member": "",
             "path": "/usr/lib/goldnode/bin/cometbft", "mode": "0755"}  # fmt: skip
    tree.write("/usr/lib/goldnode/deferred.json", json.dumps([entry]))

    (said,) = world.reconcile()

    assert "waiting for the daemon to be fetched" in said


def test_the_record_says_what_others_need(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sentry's record names addresses, mesh and whom it holds; nobody is held by a daemon that is stopped."""
    world = World(tree, "sentry", monkeypatch)
    write_json(tree.layout.node("n-1").loaded, [VALIDATOR.node_id])
    said: list[Facts] = []
    monkeypatch.setattr(world.agent.found.memberships["n-1"], "publish", said.append)
    world.reconcile()
    world.answers()
    world.reconcile()

    before, after = said
    assert after.mesh
    assert (("203.0.113.5",), 26656, "wireguard") == (after.addresses, after.p2p_port, after.mesh.type)
    assert ((), (VALIDATOR.node_id,)) == (before.loaded, after.loaded)


def test_metrics_and_banner(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page has the node, the login banner its headline."""
    world = World(tree, "sentry", monkeypatch)
    world.reconcile()

    assert f'node_id="{world.own}"' in world.agent.page()
    assert "sentry n-1: stopped" in tree.layout.at("/run/issue.d/goldnode.issue").read_text()


def test_a_crash_loop_is_told(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    """A daemon that ends again and again, and does not say why, is named as such; it is not when it recovers."""
    world = World(tree, "sentry", monkeypatch)
    world.reconcile()
    tree.system.ends[UNIT] = 2
    world.reconcile()
    assert "starting" == world.status()["state"]

    tree.system.ends[UNIT] = 3
    world.reconcile()

    assert ("crash loop", 3) == (world.status()["state"], world.status()["restarts"])
    assert "goldnode logs n-1" in str(world.status()["reason"])
    assert "goldnode_restarts" in world.agent.page()
    world.reconcile(CRASH_WINDOW)
    assert "starting" == world.status()["state"]


def test_waiting_is_no_crash_loop(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    """A daemon that restarts while it waits for something is said to wait for it."""
    world = World(tree, "sentry", monkeypatch)
    world.reconcile()
    tree.system.ends[UNIT] = 9
    tree.system.logs[UNIT] = "found signature from the same key"

    world.reconcile()

    assert "starting" == world.status()["state"]
    assert "double-sign check" in str(world.status()["reason"])


def test_a_refused_node_has_its_line(tree: Tree) -> None:
    """A node that may not run stands in status and metrics with its reason, beside siblings that run."""
    nodes = [{"name": f"s-{n}", "role": "sentry", "join": Cluster(str(n)).invite("sentry")} for n in (1, 2)]
    tree.node_yaml("multi-node", nodes=nodes)
    tree.configure()
    tree.layout.node("s-1").node_key.unlink()
    found, _ = tree.configure()
    agent = Agent(tree.layout, found, tree.system, lambda: NOW, lambda: 41.5, lambda _: Daemon())

    agent.reconcile()

    lines = {node["name"]: node for node in json.loads(tree.layout.status.read_text())["nodes"]}
    assert ("refused", False, "sentry") == tuple(lines["s-1"][key] for key in ("state", "healthy", "role"))
    assert "is gone:" in lines["s-1"]["reason"]
    assert "stopped" == lines["s-2"]["state"]
    assert 'goldnode_state{node="s-1",role="sentry",node_id="",state="refused"} 1' in agent.page().splitlines()


def test_a_machine_whose_every_node_is_refused_says_so(tree: Tree) -> None:
    """The agent runs there too: without it nobody would tell why nothing runs."""
    tree.node_yaml("validator", Cluster().invite("sentry"), "val-1")

    tree.configure()

    assert "start goldnode-agent.service" in tree.system.done
