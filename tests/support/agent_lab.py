"""An agent on a tree, with a clock, a daemon and members that a test makes up."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace

import pytest

from goldnode.errors import HostError
from goldnode.node import cluster
from goldnode.node.agent import block_gap
from goldnode.node.agent.agent import Agent
from goldnode.node.agent.rpc import Rpc, Status
from goldnode.node.plan.peers import Member
from goldnode.node.plan.upgrade import Halt
from tests.support.node_lab import Cluster, Tree

UNIT = "goldnode-node@n-1.service"
NOW = 1_800_000_000.0


class Daemon:
    """A daemon that answers, or does not, and remembers who was dialled."""

    def __init__(self) -> None:
        self.status_: Status | None = None
        self.signs = True
        self.present: frozenset[str] = frozenset()
        self.dialled: list[tuple[str, ...]] = []
        self.store: dict[tuple[str, bytes], bytes] = {}

    def status(self) -> Status:
        """What it was told to say."""
        if self.status_ is None:
            raise HostError("nobody there")
        return self.status_

    def peers(self) -> frozenset[str]:
        """Who is connected."""
        return self.present

    def signed(self, height: int) -> frozenset[str]:
        """Itself at every height, while it signs."""
        assert self.status_
        return frozenset({self.status_.address}) if height and self.signs else frozenset()

    def upgrade_plan(self) -> Halt | None:
        """Nobody votes here."""
        return None

    def query(self, path: str, data: bytes) -> bytes:
        """What a test put there."""
        return self.store.get((path, data), b"")

    def dial(self, peers: tuple[str, ...]) -> None:
        """Remember."""
        self.dialled.append(peers)


class World:
    """A tree with its agent, a clock, a daemon, and members that a test makes up."""

    def __init__(self, tree: Tree, role: str, monkeypatch: pytest.MonkeyPatch, **more: object) -> None:
        self.tree, self.now, self.daemon = tree, NOW, Daemon()
        self.members: tuple[Member, ...] = ()
        tree.node_yaml(role, Cluster().invite(role), "n-1", **more)
        found, _ = tree.configure()
        tree.system.done.clear()
        monkeypatch.setattr(cluster, "members", lambda _: self.members)
        rpc: Rpc = self.daemon
        self.since_power_on = 41.5
        self.agent = Agent(
            tree.layout, found, tree.system, lambda: self.now, lambda: self.since_power_on, lambda _: rpc
        )
        self.own = found.facts["n-1"].node_id
        self.free = 1 << 40
        monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=self.free, total=1 << 40))

    def reconcile(self, seconds: float = 2.0) -> list[str]:
        """Let time pass and the agent look; what it did to units, and said."""
        self.now += seconds
        self.tree.system.done.clear()
        self.agent.reconcile()
        return [each for each in self.tree.system.done if each.split()[0] in ("start", "stop", "restart", "say")]

    def rest(self, seconds: float, height: int = 0) -> list[str]:
        """Let time pass between two rounds, in which blocks may come to be; what was restarted."""
        self.tree.system.done.clear()
        for number in range(round(seconds / block_gap.EVERY)):
            self.since_power_on += block_gap.EVERY
            if height and not number and self.daemon.status_:
                self.daemon.status_ = replace(self.daemon.status_, height=height)
            self.agent.restart_pending()
        return [each for each in self.tree.system.done if each.startswith("restart")]

    def answers(self, height: int = 9, power: int = 0, address: str = "AB" * 20) -> None:
        """The daemon answers from now on, with a fresh block."""
        self.daemon.status_ = Status(self.own, height, self.now, False, address, power)

    def status(self) -> dict[str, object]:
        """What `goldnode status --json` would show of the node."""
        document = json.loads(self.tree.layout.status.read_text())
        found: dict[str, object] = document["nodes"][0]
        return found
