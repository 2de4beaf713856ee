"""The in-toto statement: what a release came from."""

from __future__ import annotations

from typing import Any

import pytest

from goldnode.publish.binding import Bound, FileRole
from goldnode.publish.provenance import PREDICATE, statement

MANIFEST: dict[str, Any] = {
    "network": "osmosis",
    "arch": "amd64",
    "accelerator": {"name": "kvm", "reason": ""},
    "tools": {"packer": "1.6.6"},
    "source": {"commit": "c" * 40, "dirty": False},
    "base": {"suite": "trixie", "disk_sha256": "b" * 64},
    "daemon": {"origin": "release", "name": "osmosisd", "url": "https://example.org/osmosisd", "sum": "d" * 64},
    "genesis": {"url": "https://example.org/genesis.json", "sha256": "e" * 64},
}
FILES = [Bound(FileRole.QCOW2, "osmosis-1-amd64.qcow2", 1, "f" * 64)]


def dependencies(manifest: dict[str, Any]) -> list[Any]:
    """What went in."""
    found: list[Any] = statement(manifest, "1", FILES, "urn:host:x")["predicate"]["buildDefinition"][
        "resolvedDependencies"
    ]
    return found


def test_binds_files_to_their_inputs() -> None:
    """Subjects are the files; the commit, base, daemon and genesis stand there with their digests."""
    document = statement(MANIFEST, "1", FILES, "urn:host:x")

    assert PREDICATE == document["predicateType"]
    assert [{"name": "osmosis-1-amd64.qcow2", "digest": {"sha256": "f" * 64}}] == document["subject"]
    assert [{"gitCommit": "c" * 40}, {"sha256": "b" * 64}, {"sha256": "d" * 64}, {"sha256": "e" * 64}] == [
        each["digest"] for each in dependencies(MANIFEST)
    ]


def test_the_program_of_a_mesh_is_named_by_its_crate() -> None:
    """What is built besides the daemon stands there with the digest of its crate."""
    program = {"name": "vpncloud", "module": "vpncloud@2.3.0", "sum": "a" * 64}
    named = [each for each in dependencies({**MANIFEST, "programs": [program]}) if each.get("name") == "vpncloud"]

    assert [{"name": "vpncloud", "uri": "pkg:cargo/vpncloud@2.3.0", "digest": {"sha256": "a" * 64}}] == named


@pytest.mark.parametrize(
    ("daemon", "named"),
    [
        ({"module": "example.org/d@v1.0.0", "sum": "h1:x"}, ["pkg:golang/example.org/d@v1.0.0"]),
        ({"origin": "jars", "name": "besu"}, []),
    ],
)
def test_daemons_without_a_release(daemon: dict[str, str], named: list[str]) -> None:
    """A daemon built from its module is named by the module; jars are pinned by a file of the commit."""
    uris = [each["uri"] for each in dependencies({**MANIFEST, "daemon": daemon, "genesis": None})]

    assert named == uris[2:]
