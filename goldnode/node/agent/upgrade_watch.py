"""Watches for upgrades: which one comes next, whether its binary is here, and whether the daemon has halted for it.

A daemon that reaches an upgrade it does not know may end, or live on without ever making a block.
Either shows in its file and its log within a round or two, and the preflight before its next start picks
the version.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from goldnode.errors import HostError
from goldnode.node.agent.health import BLOCK_TIME, Health
from goldnode.node.agent.rpc import Rpc
from goldnode.node.plan.inputs import ImageFacts, NodeFacts
from goldnode.node.plan.upgrade import NEAR, Binary, Halt, countdown, following, program
from goldnode.node.system.system import System
from goldnode.node.versions import upgrades

#: Seconds between queries to the chain for its next upgrade, and between restarts for one.
ASK, AGAIN = 30.0, 30.0
#: Blocks between updates of the stored height, far from any upgrade.
SELDOM = 50
_HALTED = re.compile(r"halt per configuration height (\d+)")


@dataclass(frozen=True, slots=True)
class Coming:
    """The next upgrade of a node.

    Attributes:
        name: The plan's name.
        height: First height of the new version.
        version: The new version; empty if the ladder does not know the plan.
        blocks: The number of blocks until then.
        binary: The state of its program on this machine.
        said: All of this in one line, for people.
    """

    name: str
    height: int
    version: str
    blocks: int
    binary: Binary
    said: str


@dataclass(frozen=True, slots=True)
class View:
    """A node's upgrades, as observed.

    Attributes:
        version: The version that runs.
        coming: The next upgrade; None if none is known.
        halted: Why the daemon has halted; empty if it has not.
        restart: Whether to restart now, so that the preflight picks the version again.
    """

    version: str = ""
    coming: Coming | None = None
    halted: str = ""
    restart: bool = False


@dataclass(slots=True)
class UpgradeWatch:
    """Watches one node's upgrades.

    Attributes:
        image: What the bake put on the disk.
        system: The running machine.
        rpc: The daemon's RPC.
    """

    image: ImageFacts
    system: System
    rpc: Rpc
    _plan: Halt | None = None
    _asked: float = float("-inf")
    _restarted: float = float("-inf")
    _noted: int = 0
    _verified: dict[str, tuple[tuple[int, int], Binary]] = field(default_factory=dict)

    def observe(self, facts: NodeFacts, health: Health, now: float) -> View:
        """Observe a running daemon."""
        if self.image.ladder is None:
            return View()
        base = self.image.network.daemon.version
        version = upgrades.running(facts.layout) or base
        height = max(health.height, self._noted)
        coming = self._coming(version, height, now) if height else None
        self._note(facts, health.height, coming)
        halt = upgrades.halt(facts.layout)
        # A daemon that halts has stored the block that it could not apply, and reports its height.
        if halt and halt.height >= health.height and halt.name != upgrades.skipped(facts.layout):
            return self._halted(halt, version, coming, now)
        if coming and self._stopped_by_itself(facts, coming, health):
            upgrades.note_height(facts.layout, coming.height - 1)
            return View(version, coming, f"halted for {coming.name}", restart=self._may_restart(now))
        return View(version, coming)

    def _halted(self, halt: Halt, version: str, coming: Coming | None, now: float) -> View:
        """The view once the daemon has named a plan that it does not know."""
        rung = next((rung for rung in self.image.network.upgrades if rung.name == halt.name), None)
        if rung is None:
            said = f"halted for upgrade {halt.name} at height {halt.height:,}, which no ladder names: goldnode fetch"
            return View(version, coming, said)
        if rung.version == version:
            # The new version is running already: it has not made its first block yet.
            return View(version, coming)
        binary = self.binary(rung.version)
        said = f"halted for upgrade {halt.name} at height {halt.height:,}: {rung.version} {binary}"
        return View(version, coming, said, restart=binary is Binary.VERIFIED and self._may_restart(now))

    def _stopped_by_itself(self, facts: NodeFacts, coming: Coming, health: Health) -> bool:
        rung = next((rung for rung in self.image.network.upgrades if rung.name == coming.name), None)
        if rung is None or not rung.halt_height or coming.height - health.height > NEAR:
            return False
        found = _HALTED.findall(self.system.log_tail(facts.layout.unit))
        return bool(found) and int(found[-1]) == rung.halt_height

    def _may_restart(self, now: float) -> bool:
        if now - self._restarted < AGAIN:
            return False
        self._restarted = now
        return True

    def _coming(self, version: str, height: int, now: float) -> Coming | None:
        network = self.image.network
        pace = network.block_time or BLOCK_TIME
        if now - self._asked >= ASK:
            self._asked = now
            self._plan = self._planned()
        rung = following(network.daemon.version, network.upgrades, version, height)
        plan = self._plan if self._plan and self._plan.height > height else None
        if plan and any(step.name == plan.name and step.version == version for step in network.upgrades):
            # Its version is running already, and has not made its first block yet.
            plan = None
        if plan and (rung is None or (plan.name != rung.name and plan.height <= rung.height)):
            said = f"{plan.name} at height {plan.height:,} is voted for, and no ladder names it: binary MISSING"
            return Coming(plan.name, plan.height, "", plan.height - height, Binary.MISSING, said)
        if rung is None:
            return None
        binary = self.binary(rung.version)
        said = countdown(rung, height, pace, binary)
        if plan and plan.name == rung.name and plan.height != rung.height:
            said += f"; the chain says height {plan.height:,}"
        return Coming(rung.name, rung.height, rung.version, rung.height - height, binary, said)

    def _planned(self) -> Halt | None:
        try:
            return self.rpc.upgrade_plan()
        except HostError:
            return None

    def binary(self, version: str) -> Binary:
        """The state of a version's program; hashed once, as long as it does not change."""
        name = self.image.network.daemon.name
        path: Path = program(self.image.library, name, version)
        try:
            found = path.stat()
        except OSError:
            return Binary.MISSING
        stamp = (found.st_mtime_ns, found.st_size)
        if version not in self._verified or self._verified[version][0] != stamp:
            self._verified[version] = (stamp, upgrades.verify(self.image.library, name, version))
        return self._verified[version][1]

    def _note(self, facts: NodeFacts, height: int, coming: Coming | None) -> None:
        near = coming is not None and coming.blocks <= NEAR
        if height > self._noted and (near or height - self._noted >= SELDOM or not self._noted):
            self._noted = height
            upgrades.note_height(facts.layout, height)
