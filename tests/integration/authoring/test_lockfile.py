"""Trust on first use, against a real server."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from goldnode.authoring.lockfile import Pin, lock
from goldnode.config import network
from goldnode.errors import ArtifactError
from goldnode.fetch.download import GoneError
from goldnode.fetch.retry import RetryBudget
from goldnode.fetch.store import ArtifactStore
from goldnode.progress import SILENT
from tests.support.programs import elf
from tests.support.release_host import ReleaseHost, serving

DAY = dt.date(2026, 11, 20)
GENESIS = b'{"chain_id": "example-1"}'
SHA256 = hashlib.sha256(GENESIS).hexdigest()


@pytest.fixture
def host() -> Iterator[ReleaseHost]:
    """A host with a genesis."""
    with serving() as running:
        running.add("/genesis.json", GENESIS)
        yield running


def written(folder: Path, host: ReleaseHost, extra: str = "") -> Path:
    """A network file with an unpinned genesis."""
    path = folder / "example.yaml"
    path.write_text(f"""\
version: 1
chain_id: example-1   # ours
daemon:
  name: exampled
  version: 1.0.0
  home: .example
  release:
    amd64: {{url: https://example.org/d, sha256: {"ab" * 32}}}
genesis:
  url: {host.url("/genesis.json")}  # first use
{extra}""")
    return path


def locked(path: Path) -> list[Pin]:
    """Lock a file."""
    store = ArtifactStore(path.parent / "artifacts")
    return lock(path, store, DAY, RetryBudget(quiet=1, sleep=lambda _: None), SILENT)


def test_what_came_is_pinned_and_can_be_baked(tmp_path: Path, host: ReleaseHost) -> None:
    """Hash, size and day stand in the file; comments too; nothing is unpinned any more."""
    path = written(tmp_path, host)
    before = path.read_text()

    (pin,) = locked(path)

    assert (pin.where, pin.sha256, pin.size) == (("genesis",), SHA256, len(GENESIS))
    assert path.read_text() == before + f"  sha256: {SHA256}\n  size: {len(GENESIS)}\n  locked: 2026-11-20\n"
    assert network.load(path).unpinned("amd64") == ()


def test_locking_twice_changes_nothing(tmp_path: Path, host: ReleaseHost) -> None:
    """A pin is never replaced."""
    path = written(tmp_path, host)
    locked(path)
    before = path.read_text()
    host.files["/genesis.json"].content = b'{"chain_id": "example-1", "changed": true}'

    assert locked(path) == []
    assert path.read_text() == before


@pytest.mark.parametrize(
    ("content", "extra", "reason"),
    [
        (b"<html>moved</html>", "", "not a genesis of example-1: it is a web page"),
        (b'{"ibc": {"chain_id": "example-1"}}', "", "it is JSON without its own chain_id"),
        (b'{"chain_id": "other-1"}', "", "its chain_id is other-1"),
        (b'{"jsonrpc": "2.0", "result": {"genesis": {"chain_id": "example-1"}}}', "", "it is an RPC server's answer"),
        (GENESIS, "  size: 5\n", "has 25 bytes, the file says 5"),
        (GENESIS, "  format: tar.gz\n  member: genesis.json\n", "not a readable"),
    ],
)
def test_what_is_not_what_the_file_says_is_not_pinned(
    tmp_path: Path, host: ReleaseHost, content: bytes, extra: str, reason: str
) -> None:
    """A page in place of a genesis, another size, no archive: the file stays as it was."""
    host.files["/genesis.json"].content = content
    path = written(tmp_path, host, extra)
    before = path.read_text()

    with pytest.raises(ArtifactError, match=reason):
        locked(path)

    assert path.read_text() == before


def test_what_is_gone_is_not_pinned(tmp_path: Path, host: ReleaseHost) -> None:
    """The file stays as it was."""
    path = written(tmp_path, host)
    before = path.read_text()
    host.files.clear()

    with pytest.raises(GoneError):
        locked(path)

    assert path.read_text() == before


def test_an_rpc_servers_genesis_is_pinned_when_the_file_says_so(tmp_path: Path, host: ReleaseHost) -> None:
    """The hash is of the answer, the chain_id of the genesis inside it."""
    answer = b'{"jsonrpc": "2.0", "id": -1, "result": {"genesis": {"chain_id": "example-1"}}}'
    host.files["/genesis.json"].content = answer

    (pin,) = locked(written(tmp_path, host, "  format: rpc\n"))

    assert (hashlib.sha256(answer).hexdigest(), len(answer)) == (pin.sha256, pin.size)


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"<!DOCTYPE html><html>", "a web page"),
        (b"!<arch>\ndebian-binary", "a Debian package"),
        (elf(machine=183), "a Linux program for arm64"),
        (elf(machine=3, bits=1), "a 32-bit ELF program for 386"),
        (elf(kind=1), "not executable"),
        (b"\xcf\xfa\xed\xfe", "a macOS program"),
        (b"#!/bin/sh\n", "a script"),
        (b"version https://git-lfs.github.com/spec/v1\n", "a Git LFS pointer"),
        (b"", "empty"),
        (b"\x7fELF", "a broken ELF file"),
    ],
)
def test_what_linux_cannot_execute_is_not_pinned_as_a_daemon(
    tmp_path: Path, host: ReleaseHost, content: bytes, kind: str
) -> None:
    """A page, a package, another machine's program: named, and the file stays as it was."""
    host.add("/daemon", content)
    path = written(tmp_path, host)
    text = path.read_text().replace(f"https://example.org/d, sha256: {'ab' * 32}", host.url("/daemon"))
    path.write_text(text)

    with pytest.raises(ArtifactError, match=kind):
        locked(path)

    assert text == path.read_text()
