"""A clean checkout of what is tested: the files as they are now, in a commit of their own."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from goldnode.paths import REPOSITORY
from goldnode.run import run


def checkout(folder: Path) -> Path:
    """Make a repository with one commit that holds every file of this one, changed and new ones too.

    Args:
        folder: Does not exist yet.

    Returns:
        The folder; ``./invoke`` works in it, with the environment that runs the tests.
    """
    listed = run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=REPOSITORY).stdout
    for name in filter(None, listed.split("\0")):
        source, target = REPOSITORY / name, folder / name
        if source.is_symlink() or source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target, follow_symlinks=False)
    (folder / ".venv").symlink_to(sys.prefix)
    run(["git", "init", "--quiet"], cwd=folder)
    commit(folder, "what is tested")
    return folder


def commit(folder: Path, subject: str) -> None:
    """Commit everything in a repository."""
    run(["git", "add", "--all"], cwd=folder)
    who = ["-c", "user.name=test", "-c", "user.email=test@example.org", "-c", "commit.gpgsign=false"]
    run(["git", *who, "commit", "--quiet", "--message", subject], cwd=folder)
