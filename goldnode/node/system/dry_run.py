"""A fake System that records each request and changes nothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from goldnode.node.plan.mesh import MeshPlan
from goldnode.node.system.unit import Unit


@dataclass(slots=True)
class DryRunSystem:
    """For a tree that is not the running system: records requests, and reports units as running once started."""

    done: list[str] = field(default_factory=list)
    running: set[str] = field(default_factory=set)
    dumps: dict[str, str] = field(default_factory=dict)
    logs: dict[str, str] = field(default_factory=dict)
    ends: dict[str, int] = field(default_factory=dict)

    def make_users(self) -> None:
        """Remember it."""
        self.done.append("users")

    def own(self, path: Path, user: str, group: str) -> bool:  # noqa: ARG002
        """Nobody is asked: the users exist on the machine only."""
        return False

    def own_folder(self, handle: int, user: str, group: str, *, tree: bool) -> bool:  # noqa: ARG002
        """Nobody is asked: the users exist on the machine only."""
        return False

    def load_firewall(self, ruleset: Path) -> None:
        """Remember it."""
        self.done.append(f"firewall {ruleset.name}")

    def raise_mesh(self, mesh: MeshPlan, *, changed: bool) -> None:
        """Remember it."""
        self.done.append(f"mesh {mesh.interface}{' changed' if changed else ''}")

    def lower_mesh(self, node: str, interface: str, table: int) -> None:
        """Remember it."""
        self.done.append(f"lower {interface} of {node}, table {table}")

    def load_sysctls(self, path: Path) -> None:
        """Remember it."""
        self.done.append(f"sysctls {path.name}")

    def reload_units(self) -> None:
        """Remember it."""
        self.done.append("reload units")

    def start(self, unit: str) -> None:
        """Remember it."""
        self.done.append(f"start {unit}")
        self.running.add(unit)

    def stop(self, unit: str) -> None:
        """Remember it."""
        self.done.append(f"stop {unit}")
        self.running.discard(unit)

    def restart(self, unit: str) -> None:
        """Remember it."""
        self.done.append(f"restart {unit}")
        self.running.add(unit)

    def units(self, *names: str) -> dict[str, Unit]:
        """What was started here, and what a test put there."""
        return {name: Unit(name in self.running, self.ends.get(name, 0)) for name in names}

    def say(self, line: str) -> None:
        """Remember it."""
        self.done.append(f"say {line}")

    def reload_login(self) -> None:
        """Do nothing: nobody is logged in."""

    def addresses(self) -> tuple[str, ...]:
        """One address, from a range reserved for documentation."""
        return ("203.0.113.5",)

    def handshakes(self, interface: str) -> str:
        """What a test put there."""
        return self.dumps.get(interface, "")

    def answers(self, address: str, port: int, source: str) -> bool:  # noqa: ARG002
        """Nothing answers."""
        return False

    def log_tail(self, unit: str) -> str:
        """What a test put there."""
        return self.logs.get(unit, "")

    def log_since(self, unit: str, seconds: int, most: int) -> str:  # noqa: ARG002
        """The last lines of what a test put there."""
        return "\n".join(self.logs.get(unit, "").splitlines()[-most:])

    def log_find(self, unit: str, words: str) -> str:
        """The last such line of what a test put there."""
        return next((line for line in reversed(self.logs.get(unit, "").splitlines()) if words in line), "")
