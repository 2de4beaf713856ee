"""Folders of the cache: made once, whole or not at all, however many bakes want them at the same time."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from goldnode.files import locked, sha256_file, write_json


def cached(home: Path, is_whole: Callable[[Path], bool], make: Callable[[Path], None]) -> None:
    """Make ``home`` unless it exists.

    Args:
        home: A folder of the cache, named by its inputs.
        is_whole: Whether what is there can be used.
        make: Fills an empty folder, which then gets the name ``home``.
    """
    with locked(home.with_name(f"{home.name}.lock")):
        if is_whole(home):
            return
        draft = home.with_name(f"{home.name}.part")
        remove(draft)
        draft.mkdir(parents=True)
        try:
            make(draft)
            remove(home)
            draft.rename(home)
        finally:
            remove(draft)


def record(draft: Path, files: Sequence[Path]) -> None:
    """Record what was built, so that a damaged cache is noticed."""
    write_json(draft / "build.json", {str(path.relative_to(draft)): sha256_file(path) for path in files})


def is_whole(home: Path) -> bool:
    """Whether a recorded build is present and unchanged."""
    try:
        sums: dict[str, str] = json.loads((home / "build.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return all((home / name).is_file() and sha256_file(home / name) == value for name, value in sums.items())


def remove(tree: Path) -> None:
    """Delete a tree, if there is one, even though Go's folders are read-only."""
    for folder, _, _ in os.walk(tree):
        Path(folder).chmod(0o755)
    shutil.rmtree(tree, ignore_errors=True)
