"""What a publication has done so far, on disk before it happens in the cloud.

A publication is a series of steps.  Each is looked up in the cloud, announced here, done, and recorded
here with its result; the file is append-only JSON lines, each on disk before the next call leaves
this machine.  So a publisher that is killed anywhere resumes where it was, a second run does
nothing, and a run whose ledger was lost (another CI machine) adopts what it finds.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from goldnode.errors import PublishError

Facts = Mapping[str, Any]


def _nothing() -> Facts | None:
    return None


class Ledger:
    """The steps of publishing one release to one kind of target; safe to share between threads.

    Args:
        path: The file, created if absent.  A last line cut short by a crash is dropped.
        release: sha256 of the release.json it is about.

    Raises:
        PublishError: The file is about another release, or is not a ledger.
    """

    def __init__(self, path: Path, release: str) -> None:
        self.path, self.release = path, release
        self._lock = threading.Lock()
        self._done: dict[str, Facts] = {}
        self._marks: dict[str, set[int]] = {}
        self._held = ""
        whole = self._load()
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as stream:
            stream.truncate(whole)
        if whole == 0:
            self._append({"ledger": 1, "release": release})
        elif self._held != release:
            raise PublishError(
                f"{path} belongs to another release ({self._held[:12]}…, this one is {release[:12]}…)",
                hint=f"mv {path} {path}.old",
            )

    def once(self, step: str, act: Callable[[], Facts], *, find: Callable[[], Facts | None] = _nothing) -> Facts:
        """Make sure that a step is done exactly once, and return its result.

        Args:
            step: Its name, as `eu-west-1/image`.
            act: Does it; called only if neither the ledger nor the cloud has a result.
            find: Looks in the target itself for what an earlier run has done there.
        """
        if (known := self.result(step)) is not None:
            return known
        facts = find()
        if facts is None:
            self._append({"begin": step})
            facts = act()
        self._append({"done": step, "facts": dict(facts)})
        return facts

    def result(self, step: str) -> Facts | None:
        """The result of a step; None if it is not done."""
        with self._lock:
            return self._done.get(step)

    def forget(self, step: str) -> None:
        """Discard a bad result: the step, and what was marked under it, is to be done again."""
        self._append({"forget": step})

    def mark(self, step: str, numbers: Iterable[int]) -> None:
        """Record parts of a long step (indices of blocks) as done."""
        self._append({"mark": step, "numbers": sorted(numbers)})

    def marked(self, step: str) -> frozenset[int]:
        """The parts of a long step that are done."""
        with self._lock:
            return frozenset(self._marks.get(step, ()))

    def _load(self) -> int:
        """Read the file; returns the length of its complete lines."""
        if not self.path.exists():
            return 0
        whole = 0
        for line in self.path.read_bytes().splitlines(keepends=True):
            if not line.endswith(b"\n"):
                break
            try:
                record = json.loads(line)
                if whole == 0:
                    self._held = str(record["release"])
                self._take(record)
            except (ValueError, KeyError, TypeError) as broken:
                raise PublishError(
                    f"{self.path} is damaged at byte {whole}", hint=f"mv {self.path} {self.path}.old"
                ) from broken
            whole += len(line)
        return whole

    def _append(self, record: Facts) -> None:
        with self._lock:
            with self.path.open("ab") as stream:
                stream.write(json.dumps(record, separators=(",", ":")).encode() + b"\n")
                stream.flush()
                os.fsync(stream.fileno())
            self._take(record)

    def _take(self, record: Facts) -> None:
        if "done" in record:
            self._done[record["done"]] = record["facts"]
        elif "mark" in record:
            self._marks.setdefault(record["mark"], set()).update(record["numbers"])
        elif "forget" in record:
            self._done.pop(record["forget"], None)
            self._marks.pop(record["forget"], None)
        elif not {"begin", "ledger"} & set(record):
            raise ValueError(f"not a ledger record: {record}")
