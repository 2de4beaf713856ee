"""Everything that touches the running machine rather than its files, behind one small interface.

`LiveSystem` (``live.py``) is the machine; `DryRunSystem` (``dry_run.py``) is for a tree that is not the
running system (tests, ``--root``): it only records what it was asked to do.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from goldnode.node.plan.mesh import MeshPlan
from goldnode.node.system.dry_run import DryRunSystem
from goldnode.node.system.live import LiveSystem
from goldnode.node.system.unit import Unit


class System(Protocol):
    """The running machine."""

    def make_users(self) -> None:
        """Make the users that /etc/sysusers.d names."""

    def own(self, path: Path, user: str, group: str) -> bool:
        """Give a file to a user; returns whether it was somebody else's."""

    def own_folder(self, handle: int, user: str, group: str, *, tree: bool) -> bool:
        """Give an open folder to a user, with ``tree`` all that is in it; returns whether it was somebody else's."""

    def load_firewall(self, ruleset: Path) -> None:
        """Load a ruleset, in one transaction."""

    def raise_mesh(self, mesh: MeshPlan, *, changed: bool) -> None:
        """Bring a mesh interface to what its plan says."""

    def lower_mesh(self, node: str, interface: str, table: int) -> None:
        """Take away the mesh interface of a node that left, and its way through the routing tables."""

    def load_sysctls(self, path: Path) -> None:
        """Put a file of kernel settings in force."""

    def reload_units(self) -> None:
        """Let systemd read its units again."""

    def start(self, unit: str) -> None:
        """Start a unit without waiting."""

    def stop(self, unit: str) -> None:
        """Stop a unit and wait."""

    def restart(self, unit: str) -> None:
        """Restart a unit without waiting."""

    def units(self, *names: str) -> Mapping[str, Unit]:
        """What systemd says of units, by name."""

    def say(self, line: str) -> None:
        """Tell whoever watches the console."""

    def reload_login(self) -> None:
        """Let login prompts show the new banner."""

    def addresses(self) -> tuple[str, ...]:
        """Addresses of this machine that others can dial."""

    def handshakes(self, interface: str) -> str:
        """What ``wg show INTERFACE dump`` says."""

    def answers(self, address: str, port: int, source: str) -> bool:
        """Whether somebody accepts a TCP connection from one of our addresses."""

    def log_tail(self, unit: str) -> str:
        """The last lines a unit logged."""

    def log_since(self, unit: str, seconds: int, most: int) -> str:
        """What a unit logged in the last seconds, the last lines of it."""

    def log_find(self, unit: str, words: str) -> str:
        """The last line with these words that the unit's present run logged; empty for none."""


def for_root(root: Path) -> System:
    """The machine for ``/``, a dry run for any other root."""
    return LiveSystem() if root == Path("/") else DryRunSystem()
