"""What a node without state is doing about it, kept on disk: ``catch-up.json`` beside the home.

Decided once, written before the daemon starts, and read by the plan at every boot: a machine that
loses power in the middle continues where it was, and one that has state is never touched.
"""

from __future__ import annotations

import shutil
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from pathlib import Path

from goldnode.errors import SafetyError
from goldnode.files import write_json
from goldnode.node import node_files
from goldnode.node.layout import NodeLayout
from goldnode.node.plan.catch_up import Trust

#: A daemon's databases below ``data/``, whatever their engine.
DATABASES = ("application.db", "blockstore.db", "state.db", "tx_index.db", "evidence.db", "snapshots", "cs.wal")


class Phase(StrEnum):
    """The phases of catching up."""

    NONE = "none"
    STATE_SYNC = "state-sync"
    SNAPSHOT = "snapshot"
    """Being fetched and unpacked beside the home."""
    INSTALLING = "installing"
    """Whole and right, and being moved into the home."""
    DONE = "done"
    REPLAY = "replay"
    """From the genesis, because a person said so."""
    GIVEN_UP = "given-up"


@dataclass(frozen=True, slots=True)
class CatchUpState:
    """What is known about a node's way to the tip.

    Attributes:
        phase: The current phase.
        tries: State syncs attempted so far.
        trust: What the current one trusts.
        reason: Why the last attempt failed; empty if none has.
    """

    phase: Phase = Phase.NONE
    tries: int = 0
    trust: Trust | None = None
    reason: str = ""

    def trying(self, trust: Trust) -> CatchUpState:
        """The state once a state sync begins."""
        return replace(self, phase=Phase.STATE_SYNC, tries=self.tries + 1, trust=trust)

    def failed(self, reason: str) -> CatchUpState:
        """The state once a state sync, or finding whom to trust, has failed."""
        counted = self.tries if self.phase is Phase.STATE_SYNC else self.tries + 1
        return CatchUpState(Phase.NONE, counted, None, reason)


def read(node: NodeLayout) -> CatchUpState:
    """Read the file; empty for a node that never had to catch up, or whose file is damaged."""
    try:
        document = node_files.read_object(node.catch_up) or {}
        trust = document["trust"]
        return CatchUpState(
            Phase(document["phase"]),
            int(document["tries"]),
            Trust(trust["height"], trust["hash"], tuple(trust["servers"]), trust["period"], trust["tip"])
            if trust
            else None,
            str(document["reason"]),
        )
    except (SafetyError, ValueError, KeyError, TypeError):
        return CatchUpState()


def write(node: NodeLayout, record: CatchUpState) -> None:
    """Write the file, durably."""
    write_json(node.catch_up, asdict(record))


def trust_of(node: NodeLayout) -> Trust | None:
    """The values for ``[statesync]`` in the daemon's configuration; None for off."""
    record = read(node)
    return record.trust if record.phase is Phase.STATE_SYNC else None


def has_databases(node: NodeLayout) -> bool:
    """Whether a daemon has ever stored anything here."""
    return any((node.home / "data" / name).exists() for name in DATABASES)


def clear_databases(node: NodeLayout) -> None:
    """Delete what a failed state sync left.

    Only for a home whose daemon never had a block: the caller knows that from the daemon itself and
    from the record.  Keys and signing state are beside the databases and are not touched.
    """
    for name in DATABASES:
        path: Path = node.home / "data" / name
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
