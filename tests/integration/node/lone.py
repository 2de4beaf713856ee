"""A chain of one real validator, and an agent that looks after it, with a clock that may be wrong."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import tomlkit

from goldnode.bake.vm.ssh_wait import free_port
from goldnode.errors import HostError
from goldnode.node.agent.agent import Agent
from goldnode.node.agent.rpc import LoopbackRpc
from goldnode.run import run, spawn
from tests.integration.node.programs import programs
from tests.support.agent_lab import UNIT, World
from tests.support.node_lab import Tree


@dataclass
class Lone:
    """The daemon, and who looks after it.

    Attributes:
        home: The daemon's home.
        log: What it logs.
        rpc: Where it answers.
        world: The agent's machine.
        agent: The agent.
        offset: Seconds by which the machine's clock is ahead.
    """

    home: Path
    log: Path
    rpc: LoopbackRpc
    world: World
    agent: Agent
    offset: float = 0.0

    def height(self) -> int:
        """Its latest block; 0 while it does not answer."""
        try:
            return self.rpc.status().height
        except HostError:
            return 0

    def reason(self) -> str:
        """What status says of it at the agent's next look."""
        self.world.tree.system.logs[UNIT] = self.log.read_text(errors="replace")
        self.agent.reconcile()
        return str(self.world.status()["reason"])


@contextlib.contextmanager
def lone(folder: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lone]:
    """Run it, as a node whose agent has looked once.

    Args:
        folder: For everything else.
        home: The daemon's home, which is made.
        monkeypatch: For the agent's machine.
    """
    program, port = programs(folder / "programs") / "cometbft", free_port()
    run([program, "init", "--home", home])
    config = home / "config" / "config.toml"
    document = tomlkit.parse(config.read_text())
    document["rpc"]["laddr"], document["rpc"]["pprof_laddr"] = f"tcp://127.0.0.1:{port}", ""
    document["p2p"]["laddr"] = f"tcp://127.0.0.1:{free_port()}"
    config.write_text(tomlkit.dumps(document))
    log, rpc = folder / "log", LoopbackRpc(port)
    world = World(Tree(folder / "machine"), "sentry", monkeypatch)
    found = world.agent.found
    agent = Agent(world.tree.layout, found, world.tree.system, lambda: time.time() + alone.offset, rpc=lambda _: rpc)
    alone = Lone(home, log, rpc, world, agent)
    agent.reconcile()
    with log.open("wb") as stream, spawn([program, "node", "--proxy_app=kvstore", "--home", home], stdout=stream):
        yield alone
