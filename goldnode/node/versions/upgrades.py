"""Switches from one version of a daemon to the next, such that a power cut at any moment loses nothing.

The preflight does it: looks at why the daemon halted, verifies the program, keeps a copy if
the ladder asks for one, records durably that the newer version is about to start, and only then
becomes it.  Every step can be repeated; the recorded version never goes down.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from goldnode.config.network import Upgrade
from goldnode.discovery.plain_file import read_plain
from goldnode.errors import ArtifactError, HostError, SafetyError
from goldnode.files import sha256_file, write_json
from goldnode.node import node_files
from goldnode.node.keys import keys, signing_state
from goldnode.node.keys.signing_state import MUTED, SigningState
from goldnode.node.layout import NodeLayout
from goldnode.node.plan.upgrade import (
    Binary,
    Halt,
    Ladder,
    NewerStarted,
    StartFacts,
    UnknownPlan,
    VersionChoice,
    choose,
    program,
)

#: Files that a copy for the way back does not contain: a signature must never be forgotten.
KEPT = ("priv_validator_state.json", "started.json", "loaded.json")
#: Files that their databases never change once written: a hard link is as good as a copy.
UNCHANGING = (".ldb", ".sst")
#: The ioctl that shares a file's blocks (FICLONE, linux/fs.h).
FICLONE = 0x40049409

Tell = Callable[[str], None]


def seen(node: NodeLayout) -> StartFacts:
    """What is known about a node's version and height.

    Raises:
        SafetyError: A mark is damaged, so nobody knows which version may run on this state.
    """
    state = _signed(node)
    height = max(_number(node.height), state.height - 1 if state else 0)
    back = node_files.read_object(node.rollback, hint=_aside(node.rollback)) or {}
    mark = node_files.read_object(node.started, hint=_aside(node.started)) or {}
    return StartFacts(halt(node), height, str(mark.get("version") or ""), str(back.get("version") or ""))


def halt(node: NodeLayout) -> Halt | None:
    """The plan that the daemon last halted for, as it recorded itself."""
    document = _document(node.home / "data" / "upgrade-info.json")
    try:
        return Halt(str(document["name"]), int(document["height"]))
    except (ValueError, KeyError, TypeError):
        return None


def started(node: NodeLayout) -> str:
    """The newest version that has started on this node's state; empty if none has."""
    return _text(node.started, "version")


def running(node: NodeLayout) -> str:
    """The version that the node runs, taking rollbacks into account; empty if none has started."""
    rung = skipped(node)
    # A later step, started since, was not rolled back.
    return _text(node.rollback, "version") if rung and rung == _text(node.started, "rung") else started(node)


def skipped(node: NodeLayout) -> str:
    """The plan that a person rolled back; empty if nobody did."""
    return _text(node.rollback, "rung")


def note_height(node: NodeLayout, height: int) -> None:
    """Store the latest height for the preflight; after a power cut an older one does no harm."""
    draft = node.height.with_name(f".{node.height.name}.new")
    draft.write_text(f"{height}\n")
    draft.replace(node.height)


def switch(node: NodeLayout, ladder: Ladder, tell: Tell = lambda _: None) -> tuple[Path, list[str]]:
    """Do everything up to the moment before the daemon starts.

    Args:
        node: The node.
        ladder: The versions it may run.
        tell: Receives each step once it is done; tests cut the power there.

    Returns:
        The program, and additional arguments.

    Raises:
        HostError: The version that is needed is not on this machine, or the ladder does not know it.
        ArtifactError: It is not what was verified when it came.
        SafetyError: A mark is damaged, so nobody knows which version may run on this state.
    """
    choice = choose(ladder.base, ladder.rungs, seen(node))
    if isinstance(choice, NewerStarted):
        raise HostError(
            f"{ladder.name} {choice.version} has run on the state of {node.name}; {choice.instead} could misread it,"
            " and no step of the ladder names the newer one",
            hint="goldnode fetch --network FILE, with that step among its upgrades:",
        )
    if isinstance(choice, UnknownPlan):
        raise HostError(
            f"{node.name} halted for upgrade {choice.halt.name} at height {choice.halt.height},"
            " which is not in the ladder",
            hint="goldnode fetch --network FILE, with that step among its upgrades:",
        )
    path = _program(node, ladder, choice)
    tell("verified")
    if choice.rung and choice.rung.pre_upgrade_copy and started(node) not in ("", choice.version):
        keep_copy(node, choice.rung)
        tell("copied")
    if started(node) != choice.version and choice.version != _text(node.rollback, "version"):
        _mark(node, ladder, choice)
    tell("marked")
    words = ["--halt-height", str(choice.halt_height)] if choice.halt_height else []
    skip = _text(node.rollback, "skip")
    return path, [*words, *(["--unsafe-skip-upgrades", skip] if skip else [])]


def verify(library: Path, name: str, version: str) -> Binary:
    """The state of a version's program on this machine."""
    path = program(library, name, version)
    if not path.is_file():
        return Binary.MISSING
    try:
        pinned = json.loads((path.parent.parent / "verified.json").read_text())["sha256"]
    except (OSError, ValueError, KeyError, TypeError):
        return Binary.WRONG
    return Binary.VERIFIED if sha256_file(path) == pinned else Binary.WRONG


def keep_copy(node: NodeLayout, rung: Upgrade) -> None:
    """Keep a copy of the state from before an upgrade; whole or not at all, and only once."""
    goal = copy_of(node, rung.name)
    if goal.exists():
        return
    draft = goal.with_name(f"{goal.name}.part")
    shutil.rmtree(draft, ignore_errors=True)
    source = node.home / "data"
    for path in sorted(source.rglob("*")):
        relative = path.relative_to(source)
        if relative.parts[0] in KEPT or path.is_symlink():
            continue
        if path.is_dir():
            (draft / relative).mkdir(parents=True, exist_ok=True)
        elif path.is_file():
            (draft / relative).parent.mkdir(parents=True, exist_ok=True)
            _share(path, draft / relative)
    os.sync()
    draft.replace(goal)


def copy_of(node: NodeLayout, rung: str) -> Path:
    """Where the state from before an upgrade is kept."""
    safe = "".join(letter if letter.isalnum() or letter in "-." else "-" for letter in rung)
    return node.home / f"before-{safe}"


def roll_back(node: NodeLayout, ladder: Ladder) -> str:
    """Go back to the state and the version from before the last upgrade.

    Returns:
        The version that the node now runs.

    Raises:
        SafetyError: The newer version signed something.
        HostError: There is nothing to go back to.
    """
    rung = next((each for each in reversed(ladder.rungs) if each.version == started(node)), None)
    if rung is None:
        raise HostError(f"{node.name} has not passed an upgrade", hint="goldnode status")
    kept = copy_of(node, rung.name)
    mark = node_files.read_object(node.started, hint=_aside(node.started)) or {}
    going_back = _text(node.rollback, "rung") == rung.name
    if going_back and not kept.is_dir():
        return _text(node.rollback, "version")
    _refuse_signed(node, rung, mark)
    if not kept.is_dir():
        raise HostError(
            f"no copy from before {rung.name} was kept: pre_upgrade_copy: true in the ladder asks for one",
            hint=f"goldnode logs {node.name}",
        )
    version = str(mark.get("before") or ladder.base)
    # After a power cut from here on, the same command completes the job; the newer version cannot start.
    write_json(node.rollback, {"version": version, "skip": str(rung.height), "rung": rung.name})
    _restore(kept, node)
    return version


def _refuse_signed(node: NodeLayout, rung: Upgrade, mark: Mapping[str, Any]) -> None:
    """Refuse to go back past a signature of the newer version.

    The previous version voted for the upgrade's own height: it halts when it is to apply that block.
    """
    record, state = keys.read_record(node), keys.read_state(node)
    if record is None:
        return
    if state is None or state == MUTED:
        raise SafetyError(f"what {node.name} signed last is unknown: going back could sign it twice",
                          hint=f"goldnode key show {node.name}")  # fmt: skip
    known = mark.get("signed")
    before = signing_state.parse(json.dumps(known), str(node.started)) if known else SigningState(rung.height)
    last = max(record.state, state)
    if last > before:
        raise SafetyError(
            f"{node.name} signed height {last.height} with {rung.version}: going back could sign it twice",
            hint="wait for the chain, and the next version",
        )


def _mark(node: NodeLayout, ladder: Ladder, choice: VersionChoice) -> None:
    """Record durably that a version is about to start, what ran before it, and what was signed by then."""
    signed = _signed(node)
    write_json(
        node.started,
        {
            "version": choice.version,
            "rung": choice.rung.name if choice.rung else "",
            "before": running(node) or ladder.base,
            "signed": signing_state.to_document(signed) if signed else None,
        },
    )


def _signed(node: NodeLayout) -> SigningState | None:
    """What the key signed last; None if that is unknown."""
    # With a lease the signing state is the signer's, and the daemon's user cannot read it.
    state = keys.read_state(node) if os.access(node.signing_state, os.R_OK) else None
    return None if state == MUTED else state


def _restore(kept: Path, node: NodeLayout) -> None:
    data = node.home / "data"
    for path in sorted(kept.iterdir()) if kept.is_dir() else []:
        goal = data / path.name
        if goal.is_dir() and not goal.is_symlink():
            shutil.rmtree(goal)
        path.replace(goal)
    shutil.rmtree(kept, ignore_errors=True)
    os.sync()


def _program(node: NodeLayout, ladder: Ladder, choice: VersionChoice) -> Path:
    if choice.version == ladder.base:
        return ladder.library / "bin" / ladder.name
    height = choice.rung.height if choice.rung else 0
    what = f"{ladder.name} {choice.version}, which {node.name} needs from height {height} on,"
    match verify(ladder.library, ladder.name, choice.version):
        case Binary.MISSING:
            raise HostError(f"{what} is not on this machine", hint="goldnode fetch --network FILE")
        case Binary.WRONG:
            raise ArtifactError(f"{what} is not what was verified when it came", hint="goldnode fetch --network FILE")
        case _:
            return program(ladder.library, ladder.name, choice.version)


def libraries(path: Path) -> Path | None:
    """The folder with a version's own shared libraries; None if it has none."""
    folder = path.parent.parent / "lib"
    return folder if folder.is_dir() and folder.parent.parent.parent.name == "daemons" else None


def _share(source: Path, target: Path) -> None:
    """Duplicate a file: sharing its blocks if possible, else by a hard link if it never changes, else by copying."""
    with source.open("rb") as reading, target.open("xb") as writing, contextlib.suppress(OSError):
        fcntl.ioctl(writing.fileno(), FICLONE, reading.fileno())
        return
    target.unlink()
    if source.suffix in UNCHANGING:
        os.link(source, target)
    else:
        shutil.copy2(source, target)


def _number(path: Path) -> int:
    try:
        return int(read_plain(path))
    except (OSError, HostError, ValueError):
        return 0


def _text(path: Path, key: str) -> str:
    return str(_document(path).get(key) or "")


def _document(path: Path) -> dict[str, Any]:
    """Read a small document where the daemon may have left anything; empty if it is not one."""
    try:
        document = json.loads(read_plain(path))
    except (OSError, HostError, ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def _aside(path: Path) -> str:
    return f"mv {path} {path}.damaged, if you know that no later version than the ladder's present one ran here"
