"""A release as files in some store: each uploaded once, read back whole, and then made visible.

``ReleaseStore`` hides what differs between stores; the order, the ledger and the comparison are
the same everywhere.  A file that is there already is kept if it is the right one, and refused
if it is not: a published version never changes.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Protocol

from goldnode.errors import PublishError
from goldnode.files import sha256_file
from goldnode.progress import Progress
from goldnode.publish.binding import RELEASE
from goldnode.publish.ledger import Facts, Ledger


class ReleaseStore(Protocol):
    """A store that holds files by name."""

    @property
    def name(self) -> str:
        """The place, as people write it."""

    def prepare(self) -> None:
        """Make the store ready to take files, unless it is."""

    def sha256(self, name: str) -> str | None:
        """SHA-256 of what the store returns for a name, read whole; None if it has no such file."""

    def put(self, path: Path) -> None:
        """Upload a file under its own name."""

    def finish(self) -> str:
        """Make the files public; returns the address to announce."""


def publish_files(folder: Path, store: ReleaseStore, ledger: Ledger, progress: Progress) -> str:
    """Upload every file of a release, read all of them back, then make them visible.

    Args:
        folder: A verified release.
        store: Where to publish.
        ledger: What has been done already.
        progress: Receives progress.

    Returns:
        The address to announce.

    Raises:
        PublishError: The store refused, or holds something other than what was sent.
    """
    # release.json goes last: whoever finds it finds everything that it lists.
    files = sorted((path for path in folder.iterdir()), key=lambda path: (path.name == RELEASE, path.name))
    digests = {path: sha256_file(path) for path in files}
    store.prepare()
    with progress.step(f"sending {len(files)} files to {store.name}") as step:
        for count, path in enumerate(files, start=1):
            step.note(path.name)
            act, find = partial(_send, store, path), partial(_find, store, path, digests[path])
            ledger.once(path.name, act, find=find)
            step.update(count, len(files))
    with progress.step(f"reading {store.name} back") as step:
        for count, path in enumerate(files, start=1):
            if (held := store.sha256(path.name)) != digests[path]:
                raise PublishError(
                    f"{store.name} gives {'nothing' if held is None else 'another content'} for {path.name}",
                    hint=f"rm {ledger.path}, then run the same command again",
                )
            step.update(count, len(files))
    return str(ledger.once("visible", lambda: {"address": store.finish()})["address"])


def _send(store: ReleaseStore, path: Path) -> Facts:
    store.put(path)
    return {"size": path.stat().st_size}


def _find(store: ReleaseStore, path: Path, due: str) -> Facts | None:
    held = store.sha256(path.name)
    if held is None:
        return None
    if held != due:
        raise PublishError(
            f"{store.name} holds another {path.name} already", hint="release under a new --version: this one is taken"
        )
    return {"size": path.stat().st_size}
