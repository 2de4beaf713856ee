"""A real daemon that lives on after its consensus failed: it answers, makes no block, and the agent says why."""

from __future__ import annotations

from pathlib import Path

import pytest
import tomlkit

from goldnode.bake.ssh_wait import free_port
from goldnode.errors import HostError
from goldnode.node.agent.agent import Agent
from goldnode.node.agent.rpc import LoopbackRpc
from goldnode.run import run, spawn
from tests.integration.node.programs import programs
from tests.support.agent_lab import UNIT, World
from tests.support.node_lab import Tree
from tests.support.waiting import until


def test_a_daemon_without_a_consensus_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its signing state cannot be written: it panics inside, goes on answering, and its own words are the reason."""
    program = programs(tmp_path / "programs") / "cometbft"
    home, port = tmp_path / "home", free_port()
    run([program, "init", "--home", home])
    config = home / "config" / "config.toml"
    document = tomlkit.parse(config.read_text())
    document["rpc"]["laddr"], document["rpc"]["pprof_laddr"] = f"tcp://127.0.0.1:{port}", ""
    document["p2p"]["laddr"] = f"tcp://127.0.0.1:{free_port()}"
    config.write_text(tomlkit.dumps(document))
    log, rpc = tmp_path / "log", LoopbackRpc(port)
    world = World(Tree(tmp_path / "machine"), "sentry", monkeypatch)
    agent = Agent(world.tree.layout, world.agent.found, world.tree.system, rpc=lambda _: rpc)
    agent.reconcile()

    def reason() -> str:
        world.tree.system.logs[UNIT] = log.read_text()
        agent.reconcile()
        return str(world.status()["reason"])

    with log.open("wb") as stream, spawn([program, "node", "--proxy_app=kvstore", "--home", home], stdout=stream):
        assert until(lambda: _height(rpc) >= 2, 60), log.read_text()
        state = home / "data" / "priv_validator_state.json"
        # What a full or a failing disk does to it: it cannot be replaced any more.
        state.unlink()
        state.mkdir()
        assert until(lambda: "its consensus has failed" in reason(), 60), f"{reason()}\n{log.read_text()[-2000:]}"
        stalled = str(world.status()["state"])
        stands = _height(rpc)

    assert "stalled" == stalled
    assert stands >= 2


def _height(rpc: LoopbackRpc) -> int:
    try:
        return rpc.status().height
    except HostError:
        return 0
