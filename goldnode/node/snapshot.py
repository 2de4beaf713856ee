"""A snapshot of a node's state: streamed, hashed, unpacked beside the home, moved in once complete and verified.

An archive from a stranger may hold anything.  Only databases are accepted: links, paths that lead
elsewhere, and anything that looks like a key or a signing state make us refuse the whole archive.  This
node's keys and signing state are out of reach until the last moment, which only renames databases into a
home that has none.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import re
import shutil
import tarfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from goldnode.config.catch_up import Snapshot, SnapshotFormat
from goldnode.errors import ArtifactError, GoldnodeError, HostError, SafetyError
from goldnode.fetch.stream import stream
from goldnode.files import CHUNK
from goldnode.node.layout import NodeLayout
from goldnode.run import spawn

#: Bytes to keep free while a snapshot is unpacked, for the machine's other nodes.
SPARE = 1 << 30
#: Bytes unpacked between checks of the free space.
LOOK = 64 << 20
#: What a snapshot may hold at its top level.
ROOTS = ("data", "wasm", "ibc_08-wasm")
#: What belongs to the node that made it: its votes in flight, and its address book.
LEFT_OUT = ("cs.wal", "addrbook.json")
#: Names of keys, signing states and keyrings, anywhere in the archive.
FORBIDDEN = re.compile(
    r"(?:.*priv[-_]?val(?:idator)?.*|node_key.*|.*_key\.json|keyring-.*|keyhash|.*\.(?:pem|key|info|address)"
    r"|id_(?:rsa|ed25519|ecdsa).*|.*mnemonic.*|.*secret.*)",
    re.IGNORECASE,
)
#: Suffixes of text files, which no database has, and what makes one a key whatever its name.
TEXTS = (".json", ".toml", ".txt", ".yaml", ".yml", "")
SECRETS = re.compile(rb"PrivKey|priv_key|PRIVATE KEY|mnemonic", re.IGNORECASE)
SMALL = 64 << 10
_FILTERS = {SnapshotFormat.TAR_ZST: ["zstd", "-dcq", "--long=31"], SnapshotFormat.TAR_LZ4: ["lz4", "-dcq"]}

Tell = Callable[[int, int | None], None]
Free = Callable[[Path], int]


def free_bytes(path: Path) -> int:
    """Free bytes on the filesystem that holds a path."""
    return shutil.disk_usage(path).free


def unpack(snapshot: Snapshot, target: Path, tell: Tell, free: Free = free_bytes) -> None:
    """Fetch a snapshot and unpack it into a folder; if anything is wrong, the folder is deleted.

    Args:
        snapshot: Where it is, and its hash.
        target: A folder of ours, emptied first.
        tell: Receives the bytes that arrived, and the total.
        free: Free bytes on the filesystem that holds a path.

    Raises:
        SafetyError: It holds what looks like a key or a signing state, or leads elsewhere.
        ArtifactError: It cannot be downloaded, or does not match its hash.
        HostError: The disk would be full.
    """
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(mode=0o700, parents=True)
    try:
        _check_space(target, snapshot.size or 0, free)
        _unpack(snapshot, target, tell, free)
        os.sync()
    except OSError as error:
        shutil.rmtree(target, ignore_errors=True)
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise _too_small(target, "no room left") from error
        raise HostError(f"the snapshot cannot be unpacked: {error}") from error
    except BaseException:
        shutil.rmtree(target, ignore_errors=True)
        raise


def install(source: Path, node: NodeLayout) -> None:
    """Move an unpacked snapshot into a home; if interrupted, it continues where it was.

    Raises:
        SafetyError: The home has a file of that name.
    """
    for root in ROOTS:
        folder = source / root
        if folder.is_dir() and not (node.home / root).exists():
            # With its owner: a folder that we made here would be root's, and closed to the daemon.
            folder.rename(node.home / root)
        for path in sorted(folder.iterdir()) if folder.is_dir() else []:
            goal = node.home / root / path.name
            if goal.exists():
                raise SafetyError(f"{goal} exists; a snapshot replaces nothing", hint=f"goldnode status {node.name}")
            path.rename(goal)
    os.sync()
    shutil.rmtree(source, ignore_errors=True)


def target_path(name: str) -> PurePosixPath | None:
    """Where a member of the archive goes below the home; None if it is skipped.

    Raises:
        SafetyError: It looks like a key or a signing state, or leads elsewhere.
    """
    path = PurePosixPath(name)
    parts = [part for part in path.parts if part != "."]
    if path.is_absolute() or ".." in parts or "\\" in name or "\0" in name:
        raise SafetyError(f"the snapshot leads out of its folder: {name[:80]!r}")
    for part in parts:
        if FORBIDDEN.fullmatch(part) and not part.endswith((".ldb", ".sst")):
            raise SafetyError(f"the snapshot holds {name[:80]!r}: keys and signing states come from nobody else")
    if parts and parts[0] not in ROOTS and (parts[0].endswith(".db") or parts[0] in ("snapshots", *LEFT_OUT)):
        parts.insert(0, "data")
    if not parts or any(part in LEFT_OUT for part in parts):
        return None
    if parts[0] not in ROOTS and parts != ["upgrade-info.json"]:
        raise SafetyError(f"the snapshot holds {name[:80]!r}, which is not part of a node's state")
    return PurePosixPath("data", *parts) if parts[0] == "upgrade-info.json" else PurePosixPath(*parts)


def _unpack(snapshot: Snapshot, target: Path, tell: Tell, free: Free) -> None:
    digest, outcome = hashlib.sha256(), _Outcome()
    reading, writing = os.pipe()
    with contextlib.ExitStack() as stack:
        pipe = stack.enter_context(os.fdopen(reading, "rb"))
        feeder = threading.Thread(target=_feed, args=(snapshot, writing, digest, tell, outcome), daemon=True)
        feeder.start()
        try:
            with _filtered(pipe, snapshot.format) as plain:
                mode = "r|gz" if snapshot.format is SnapshotFormat.TAR_GZ else "r|"
                with tarfile.open(fileobj=plain, mode=mode) as archive:  # type: ignore[call-overload]  # a stream mode
                    _members(archive, target, free)
                while plain.read(CHUNK):
                    """What follows the end of the archive belongs to its hash."""
        except (tarfile.TarError, EOFError, ValueError) as error:
            outcome.error = outcome.error or ArtifactError(f"{snapshot.url} is not a complete archive: {error}")
        finally:
            pipe.close()
            feeder.join()
    if outcome.error:
        raise outcome.error
    if digest.hexdigest() != snapshot.sha256:
        raise ArtifactError(
            f"{snapshot.url} is not what its hash says: sha256 is {digest.hexdigest()}, expected {snapshot.sha256}",
            hint="a snapshot changes with every one that its provider makes: take url and sha256 of one moment",
        )


@dataclass(slots=True)
class _Outcome:
    """How the thread that feeds the archive ended."""

    error: GoldnodeError | None = None


def _feed(snapshot: Snapshot, writing: int, digest: hashlib._Hash, tell: Tell, outcome: _Outcome) -> None:
    try:
        with os.fdopen(writing, "wb") as sink:
            for chunk in stream(snapshot.url, snapshot.size, tell):
                digest.update(chunk)
                with contextlib.suppress(
                    BrokenPipeError
                ):  # The archive has ended, but the hash needs the rest of the download.
                    sink.write(chunk)
    except BrokenPipeError:
        """Whoever reads has found a fault, and says which."""
    except GoldnodeError as error:
        outcome.error = error


@contextlib.contextmanager
def _filtered(pipe: IO[bytes], packed: SnapshotFormat) -> Iterator[IO[bytes]]:
    argv = _FILTERS.get(packed)
    if argv is None:
        yield pipe
        return
    with spawn(argv, stdin=pipe, stdout=-1) as process:
        assert process.stdout  # noqa: S101 - asked for above
        yield process.stdout


def _members(archive: tarfile.TarFile, target: Path, free: Free) -> None:
    since = 0
    for member in archive:
        goal = target_path(member.name)
        if goal is None or member.isdir():
            if goal is not None:
                (target / goal).mkdir(parents=True, exist_ok=True)
            continue
        if not member.isreg():
            raise SafetyError(f"the snapshot holds {member.name[:80]!r}, which is neither a file nor a folder")
        source, path = archive.extractfile(member), target / goal
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("xb") as sink:
            while source and (chunk := source.read(CHUNK)):
                _no_secret(member, chunk)
                sink.write(chunk)
                since += len(chunk)
                if since >= LOOK:
                    since = 0
                    _check_space(target, 0, free)


def _no_secret(member: tarfile.TarInfo, chunk: bytes) -> None:
    if member.size <= SMALL and PurePosixPath(member.name).suffix in TEXTS and SECRETS.search(chunk):
        raise SafetyError(f"the snapshot holds a key in {member.name[:80]!r}: keys come from nobody else")


def _check_space(path: Path, more: int, free: Free) -> None:
    if (left := free(path)) < SPARE + more:
        needed = f"{SPARE + more >> 20} MiB are needed, {SPARE >> 20} MiB of them to stay free"
        raise _too_small(path, f"{left >> 20} MiB free, but {needed}")


def _too_small(path: Path, has: str) -> HostError:
    return HostError(f"the disk is too small for the snapshot: {path.parent} has {has}", hint=f"df -h {path.parent}")
