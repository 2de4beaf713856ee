"""An image that fetches its daemon: verified, asked for its version, and asked for its own defaults."""

from __future__ import annotations

import hashlib
import json
import shutil
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path

import pytest

from goldnode.errors import ArtifactError
from goldnode.node.commands.fetch import fetch
from goldnode.node.plan.inputs import read_image
from tests.support.node_lab import Tree
from tests.support.release_host import ReleaseHost, serving

#: Does of a daemon what the fetch asks for.
DAEMON = """#!/bin/sh
case $1 in
version) echo v0.38.19 ;;
init)
  mkdir -p "$3/config"
  echo 'moniker = "fresh"' > "$3/config/config.toml"
  echo secret > "$3/config/node_key.json"
  ;;
esac
"""


@pytest.fixture
def host() -> Iterator[ReleaseHost]:
    """Where the daemon was released."""
    with serving() as made:
        yield made


def _tree(folder: Path, host: ReleaseHost, program: str) -> Tree:
    """A machine whose image has neither the daemon nor its defaults."""
    tree = Tree(folder / "machine")
    shutil.rmtree(tree.layout.library / "defaults")
    host.add("/cometbft", program.encode())
    entry = {
        "name": "daemon",
        "url": host.url("/cometbft"),
        "sha256": hashlib.sha256(program.encode()).hexdigest(),
        "size": len(program),
        "format": "raw",
        "member": "",
        "path": "/usr/lib/goldnode/bin/cometbft",
        "mode": "0755",
    }
    tree.write("/usr/lib/goldnode/deferred.json", json.dumps([entry]))
    return tree


def test_a_deferred_daemon_is_fetched_once(tmp_path: Path, host: ReleaseHost) -> None:
    """Put in place, asked for its defaults, its keys thrown away; a second run asks nobody."""
    tree = _tree(tmp_path, host, DAEMON)

    fetch(tree.layout, Namespace())
    asked = len(host.requests)
    fetch(tree.layout, Namespace())

    assert asked == len(host.requests)
    assert {"config.toml": 'moniker = "fresh"\n'} == read_image(tree.layout).defaults
    assert 0o755 == (tree.layout.library / "bin" / "cometbft").stat().st_mode & 0o777


def test_nobodys_home_directory_is_written_into(
    tmp_path: Path, host: ReleaseHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A daemon that leaves configuration in its caller's home directory finds one that is thrown away."""
    monkeypatch.setenv("HOME", str(tmp_path))
    fetch(_tree(tmp_path, host, DAEMON.replace("case $1", 'touch "$HOME/left"\ncase $1')).layout, Namespace())

    assert not (tmp_path / "left").exists()


def test_another_version_is_refused(tmp_path: Path, host: ReleaseHost) -> None:
    """A daemon that says it is another version than the network file's is not used."""
    tree = _tree(tmp_path, host, DAEMON.replace("0.38.19", "0.38.2"))

    with pytest.raises(ArtifactError, match=r"says it is v0\.38\.2"):
        fetch(tree.layout, Namespace())
