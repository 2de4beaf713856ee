"""Folders of the cache: made once, whole or not at all, however many bakes want them at the same time."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

from goldnode.files import locked


def kept(home: Path, is_whole: Callable[[Path], bool], make: Callable[[Path], None]) -> None:
    """Have ``home`` made unless it is there.

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


def remove(tree: Path) -> None:
    """Delete a tree although Go's folders are read-only; nothing happens when there is none."""
    for folder, _, _ in os.walk(tree):
        Path(folder).chmod(0o755)
    shutil.rmtree(tree, ignore_errors=True)
