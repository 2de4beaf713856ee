"""Restores a snapshot into a node's home while the agent's loop continues.

The code that fetches and unpacks it is imported only when needed: every start of an agent would wait
for it, and almost none needs it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

from goldnode.config.catch_up import Snapshot
from goldnode.errors import GoldnodeError
from goldnode.node import catch_up
from goldnode.node.beside import Beside
from goldnode.node.catch_up import CatchUpState, Phase
from goldnode.node.layout import NodeLayout
from goldnode.node.system.system import System


@dataclass(slots=True)
class Restore:
    """Restores a snapshot into one node's home, beside the agent's loop."""

    _work: Beside[bool] = field(default_factory=Beside)
    _came: int = 0
    _of: int | None = None

    @property
    def part(self) -> float:
        """The fraction that has arrived, 0 to 1; 0 if its size is unknown."""
        return min(1.0, self._came / self._of) if self._of else 0.0

    def advance(
        self, node: NodeLayout, snapshot: Snapshot | None, record: CatchUpState, system: System
    ) -> tuple[str, str]:
        """How far it is, for people; and why it failed, empty while it did not."""
        part = node.base / "snapshot.part"
        if self._work.running:
            of = f" of {self._of / 1e9:.1f}" if self._of else ""
            return f"snapshot: {self._came / 1e9:.1f}{of} GB", ""
        try:
            unpacked = self._work.take()
            if unpacked or record.phase is Phase.INSTALLING:
                catch_up.write(node, replace(record, phase=Phase.INSTALLING))
                from goldnode.node import snapshot as archives  # noqa: PLC0415 - see above

                archives.install(part, node)
                catch_up.write(node, replace(record, phase=Phase.DONE))
                return "snapshot: in place", ""
        except GoldnodeError as error:
            return "", error.message
        if snapshot is None:
            return "", "there is no snapshot to take"
        catch_up.write(node, replace(record, phase=Phase.SNAPSHOT))
        self._came, self._of = 0, snapshot.size
        self._work.start(lambda: self._fetch(node, snapshot, part, system))
        return "snapshot: begins", ""

    def _fetch(self, node: NodeLayout, snapshot: Snapshot, part: Path, system: System) -> bool:
        from goldnode.node import snapshot as archives  # noqa: PLC0415 - see above

        archives.unpack(snapshot, part, self._tell)
        for path in [part, *sorted(part.rglob("*"))]:
            system.own(path, node.user, node.user)
        return True

    def _tell(self, came: int, of: int | None) -> None:
        self._came, self._of = came, of
