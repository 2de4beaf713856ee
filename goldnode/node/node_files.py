"""Reads one node's files such that anything found in a file's place ends in one sentence about that node.

A power cut leaves files empty or full of NUL bytes, people restore the wrong ones, and a daemon that
somebody broke into may put a FIFO or a link where root will read next.  So every file of a node is
opened without following links and without waiting, and checked before it is used: the result is its
content, None for "absent", or a refusal with the file, the reason and the command to type.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from goldnode.config.choices import MeshKind
from goldnode.discovery.plain_file import read_plain
from goldnode.errors import HostError, SafetyError
from goldnode.node.layout import NodeLayout

RESTORE = "put it back from a backup, then: goldnode configure"


def read_text(path: Path, *, hint: str = RESTORE, ours: bool = False) -> str | None:
    """A node's text file; None if it is absent.

    Args:
        path: The file.
        hint: What to type if it cannot be used.
        ours: Whether it must belong to root or to the calling user.

    Raises:
        SafetyError: It is not a plain file, belongs to somebody else, is empty, is not text, or cannot be read.
    """
    try:
        data = read_plain(path, frozenset({0, os.geteuid()}) if ours else None)
    except FileNotFoundError:
        return None
    except HostError as error:
        raise SafetyError(error.message, hint=_hint_for(path, hint)) from error
    if not data.strip():
        raise unusable(path, "it is empty", hint)
    if b"\0" in data:
        raise unusable(path, "it holds NUL bytes, as a power cut leaves them", hint)
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise unusable(path, "it is not UTF-8 text", hint) from error


def read_object(path: Path, *, hint: str = RESTORE, ours: bool = False) -> dict[str, Any] | None:
    """A JSON object from a node's file; None if the file is absent.

    Raises:
        SafetyError: See ``read_text``; or it is not a JSON object.
    """
    text = read_text(path, hint=hint, ours=ours)
    if text is None:
        return None
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise unusable(path, f"it is not JSON: {error}", hint) from error
    if not isinstance(document, dict):
        raise unusable(path, f"it holds {json.dumps(document)[:40]}, not a JSON object", hint)
    return document


def unusable(path: Path, reason: str, hint: str) -> SafetyError:
    """The refusal that names a damaged file."""
    return SafetyError(f"{path} cannot be used: {reason}", hint=hint)


@contextmanager
def contained(node: NodeLayout) -> Iterator[None]:
    """Turn an operating system error about a node's files into that node's refusal.

    Raises:
        HostError: Reading or writing one of them failed; the file is named.
    """
    try:
        yield
    except OSError as error:
        file = error.filename or node.base
        raise HostError(
            f"{file}: {error.strerror or error}", hint=f"ls -la {Path(file).parent}; df -h {file}"
        ) from error


def check_places(node: NodeLayout) -> None:
    """Check that every folder of a node is a folder, and that nothing irreplaceable is where files are written.

    Raises:
        SafetyError: A folder is a file, a FIFO or a link; or there is a folder in place of a file.
    """
    folders = (node.base, node.home, node.home / "config", node.home / "data", node.member, node.signer, node.store)
    for folder in folders:
        if os.path.lexists(folder) and not stat.S_ISDIR(folder.lstat().st_mode):
            raise unusable(folder, "it is not a directory", aside(folder))
    for file in _rewritten(node):
        if os.path.lexists(file) and stat.S_ISDIR(file.lstat().st_mode):
            raise unusable(file, "it is a directory", aside(file))


def aside(path: Path) -> str:
    """The command that moves something out of the way; nothing is deleted."""
    return f"mv {path} {path}.damaged, then: goldnode configure"


def free_name(path: Path) -> Path:
    """A free name beside a file, to set it aside under with its content."""
    names = [
        path.with_name(f"{path.name}.damaged"),
        *(path.with_name(f"{path.name}.damaged.{n}") for n in range(2, 99)),
    ]
    return next(name for name in names if not os.path.lexists(name))


def set_aside(path: Path) -> Path:
    """Move a damaged file out of the way, unchanged, and return where it is now."""
    target = free_name(path)
    path.rename(target)
    return target


def _rewritten(node: NodeLayout) -> Iterable[Path]:
    """Files rewritten at each boot, or at each start of the daemon: they may replace anything but a directory."""
    config = node.home / "config"
    yield from (config / "config.toml", config / "app.toml", config / "client.toml", node.genesis, node.loaded)
    yield from (node.launch, node.failure, node.paused, node.hold)
    yield from (node.lease_settings, node.lease_status, node.store_config)
    yield from (node.mesh_config(kind) for kind in MeshKind)


def _hint_for(path: Path, hint: str) -> str:
    """What to type about something that is not a plain file of ours."""
    if os.path.lexists(path) and not stat.S_ISREG(path.lstat().st_mode):
        return f"mv {path} {path}.damaged, then: {hint}"
    return f"chown root: {path}, if it is yours; or {hint}"
