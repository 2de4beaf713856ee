"""How long `./invoke` takes before a command begins: its list and an explanation, beside a Python that does nothing."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from goldnode import paths
from goldnode.progress import Progress
from goldnode.run import run

#: Seconds a person may wait for the list or an explanation, more than an empty Python takes.
GOAL = 0.4
EMPTY = (sys.executable, "-c", "pass")
INVOKE = (str(paths.REPOSITORY / "invoke"),)
ASKED = {"--list": (*INVOKE, "--list"), "bake --help": (*INVOKE, "bake", "--help"), "--help": (*INVOKE, "--help")}


@dataclass(frozen=True, slots=True)
class Commands:
    """Seconds more than an empty Python, by what was typed; each the median of the turns."""

    more: dict[str, float]
    load: float

    def document(self) -> dict[str, object]:
        """For programs."""
        return {"goal_seconds": GOAL, "load": self.load, "seconds_above_python": self.more}

    def rows(self) -> list[tuple[str, str, str]]:
        """For people."""
        return [(f"./invoke {typed}", f"{more:.2f} s", f"{GOAL} s") for typed, more in self.more.items()]


def measure(turns: int, told: Progress) -> Commands:
    """Time each in turn, so that a machine that slows down slows all of them."""
    seconds: dict[str, list[float]] = {typed: [] for typed in ASKED}
    with told.step("start ./invoke") as step:
        for turn in range(turns):
            empty = _seconds(EMPTY)
            for typed, argv in ASKED.items():
                seconds[typed].append(_seconds(argv) - empty)
            step.update(turn + 1, turns)
    return Commands({typed: median(each) for typed, each in seconds.items()}, os.getloadavg()[0])


def _seconds(argv: Sequence[str]) -> float:
    started = time.perf_counter()
    run(argv)
    return time.perf_counter() - started
