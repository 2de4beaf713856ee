"""Decides which version of its daemon a node runs, from the ladder, the halted daemon's report, and the height; pure.

All nodes of a chain switch at one height.  A daemon that reaches it without knowing the upgrade names
the plan in ``upgrade-info.json`` and stops; for a release that was not voted on, the ladder says
where to stop.  Once a newer version has started it may have written what the older one misreads:
so versions only go up, unless a person rolls back.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from goldnode.config.network import Upgrade

#: Within this many blocks of an upgrade the height is stored in every round.
NEAR = 200


@dataclass(frozen=True, slots=True)
class Halt:
    """The plan that a halted daemon stopped for, from ``upgrade-info.json``."""

    name: str
    height: int


@dataclass(frozen=True, slots=True)
class StartFacts:
    """What is known when a daemon is about to start.

    Attributes:
        halt: The plan that a daemon last stopped for; None if none ever did.
        height: The latest block that the node is known to have; 0 if unknown.
        started: The newest version that has started on this state; empty if none has.
        rolled_back: The version that a person rolled back to; empty if nobody did.
    """

    halt: Halt | None = None
    height: int = 0
    started: str = ""
    rolled_back: str = ""


@dataclass(frozen=True, slots=True)
class VersionChoice:
    """The version to run.

    Attributes:
        version: The version, as in the network file.
        rung: Its step of the ladder; None for a version below the first.
        halt_height: The height at which it must stop by itself; 0 for none.
    """

    version: str
    rung: Upgrade | None
    halt_height: int = 0


class Binary(StrEnum):
    """The state of a version's program on this machine."""

    VERIFIED = "verified"
    MISSING = "MISSING"
    WRONG = "WRONG HASH"


@dataclass(frozen=True, slots=True)
class Ladder:
    """What a node's preflight needs to know about versions.

    Attributes:
        library: What the bake put on the disk.
        name: The daemon's name.
        base: The image's own version.
        rungs: The steps, lowest height first.
    """

    library: Path
    name: str
    base: str
    rungs: tuple[Upgrade, ...]

    def document(self) -> dict[str, Any]:
        """The form in which the plan writes it."""
        rungs = [
            {"name": each.name, "height": each.height, "version": each.version, "halt_height": each.halt_height,
             "pre_upgrade_copy": each.pre_upgrade_copy}
            for each in self.rungs
        ]  # fmt: skip
        return {"library": str(self.library), "name": self.name, "base": self.base, "rungs": rungs}

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> Ladder:
        """Read what the plan wrote."""
        rungs = tuple(
            Upgrade(
                each["name"],
                each["height"],
                each["version"],
                {},
                halt_height=each["halt_height"],
                pre_upgrade_copy=each["pre_upgrade_copy"],
            )
            for each in document["rungs"]
        )
        return cls(Path(document["library"]), document["name"], document["base"], rungs)


@dataclass(frozen=True, slots=True)
class UnknownPlan:
    """The daemon stopped for an upgrade that the ladder does not name."""

    halt: Halt


@dataclass(frozen=True, slots=True)
class NewerStarted:
    """A version that the ladder does not name, newer than any it would choose, has started on this state.

    Attributes:
        version: The newer version.
        instead: What would have been chosen.
    """

    version: str
    instead: str


def order(version: str) -> tuple[int, ...]:
    """A version as numbers, for comparison; words in it are ignored."""
    return tuple(int(part) for part in re.findall(r"\d+", version)[:4])


def _release(version: str) -> tuple[int, ...]:
    """The first three numbers of a version: a release candidate is not newer than its release."""
    return (*order(version), 0, 0, 0)[:3]


def choose(base: str, ladder: Sequence[Upgrade], seen: StartFacts) -> VersionChoice | UnknownPlan | NewerStarted:
    """Choose the version to run.

    Args:
        base: The image's own version.
        ladder: The steps, lowest height first.
        seen: What is known about the node.
    """
    own = _base(base, ladder)
    wanted = own
    named = _named(seen.halt, ladder)
    if seen.rolled_back:
        at = next((n for n, rung in enumerate(ladder) if rung.version == seen.rolled_back), own)
        if named <= at + 1:
            return VersionChoice(seen.rolled_back, ladder[at] if at >= 0 else None)
    wanted = max(wanted, named)
    if named < 0:
        newer_image = bool(seen.started) and order(base) > order(seen.started)
        if seen.halt and seen.halt.height >= seen.height and not newer_image:
            return UnknownPlan(seen.halt)
        if seen.height:
            wanted = max(wanted, *(n for n, rung in enumerate(ladder) if rung.height <= seen.height + 1), -1)
    started = max((n for n, rung in enumerate(ladder) if rung.version == seen.started), default=-1)
    wanted = max(wanted, started)
    following = ladder[wanted + 1] if wanted + 1 < len(ladder) else None
    halt = following.halt_height if following and following.halt_height else 0
    rung = ladder[wanted] if wanted >= 0 else None
    version = rung.version if rung and wanted > own else base
    if _release(seen.started) > _release(version):
        return NewerStarted(seen.started, version)
    return VersionChoice(version, rung, halt)


def following(base: str, ladder: Sequence[Upgrade], version: str, height: int) -> Upgrade | None:
    """The next step above a running version; None at the end of the ladder."""
    at = max((n for n, rung in enumerate(ladder) if rung.version == version), default=_base(base, ladder))
    return next((rung for rung in ladder[at + 1 :] if rung.height > height), None)


def program(library: Path, name: str, version: str) -> Path:
    """The path of a version of a daemon, beside the image's own in ``bin/``."""
    return library / "daemons" / name / version / "bin" / name


def countdown(rung: Upgrade, height: int, block_time: float, binary: str) -> str:
    """For people: ``v32 at height 48,000,000, in about 3 days: binary verified``."""
    seconds = (rung.height - height) * block_time
    return f"{rung.name} at height {rung.height:,}, in about {duration(seconds)}: binary {binary}"


def duration(seconds: float) -> str:
    """A duration in the most suitable unit."""
    for unit, length in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{max(0.0, seconds):.0f} s"


def _base(base: str, ladder: Sequence[Upgrade]) -> int:
    """The index of the image's own version in the ladder; -1 if it is below the first."""
    return max((n for n, rung in enumerate(ladder) if order(rung.version) <= order(base)), default=-1)


def _named(halt: Halt | None, ladder: Sequence[Upgrade]) -> int:
    return next((n for n, rung in enumerate(ladder) if halt and rung.name == halt.name), -1)
