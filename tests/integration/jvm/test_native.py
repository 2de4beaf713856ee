"""A program that hosts several nodes by itself, each asked by gRPC: the shape in which Splice deploys Canton.

Canton's release archive is not to be had here, so ``canton.StandIn`` stands in for it: real gRPC servers, no ledger.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from goldnode.bake.programs import jars, jvmhost
from goldnode.config.daemon import Daemon
from goldnode.config.network import NETWORKS
from goldnode.fetch.store import ArtifactStore
from goldnode.node.jvm.jvm import HostedNode, files
from goldnode.paths import cache
from goldnode.progress import SILENT
from goldnode.run import run
from tests.integration.jvm.hosting import PROGRAMS, Hosted, hosting, until

pytestmark = [pytest.mark.long, pytest.mark.timeout(1800)]
FIRST = 90
GROUPS = ("io.grpc", "io.netty", "io.perfmark", "com.google.guava", "com.google.protobuf", "com.google.code.gson")
DAEMON = {
    "name": "participants",
    "version": "1",
    "kind": "jvm",
    "home": ".participants",
    "start_args": ["{name}={port_grpc}"],
    "jvm": {"mode": "native", "main": "canton.StandIn", "jars": "daml.sha256sums", "ready": "grpc"},
}


@pytest.fixture(scope="module")
def classpath(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The stand-in and gRPC's jars, each found by its pinned hash."""
    listed = jars.parse((NETWORKS / "daml.sha256sums").read_text())
    wanted = tuple(jar for jar in listed if jar.group in GROUPS)
    found = jars.collect(wanted, None, ArtifactStore(cache() / "artifacts"), SILENT)
    classes = tmp_path_factory.mktemp("standin")
    source = PROGRAMS / "canton" / "StandIn.java"
    beside = classes / "jars"
    beside.mkdir()
    for jar, path in found.items():
        (beside / jar.filename).symlink_to(path)
    run([jvmhost.compiler(), "--release", "17", "-proc:none", "-cp", f"{beside}/*", "-d", classes, source])
    return [classes, *sorted(beside.iterdir())]


@pytest.fixture
def participants(classpath: list[Path], jar: Path, tmp_path: Path) -> Iterator[Hosted]:
    """Three participants in one process, from the one file that a machine would have."""
    nodes = [HostedNode(name, FIRST + number, tmp_path / name) for number, name in enumerate(("alice", "bob", "carol"))]
    (tmp_path / "nodes").mkdir()
    for name, text in files(Daemon.from_document(DAEMON), {"grpc": 65}, nodes, classpath, tmp_path).items():
        (tmp_path / "nodes" / name).write_text(f"{text}property.standin.folder={tmp_path}\n")
    with hosting(jar, tmp_path) as hosted:
        yield hosted


def inside(host: Hosted) -> dict[str, bool]:
    """Whether each participant is ready."""
    return dict(host.status("participants").inside)


def test_each_participant_is_asked_for_its_own_health(participants: Hosted, tmp_path: Path) -> None:
    """One that accepts connections and says NOT_SERVING is not ready; its siblings are, and it comes back."""
    everyone = {"alice": True, "bob": True, "carol": True}
    until(lambda: inside(participants) == everyone, "all of them ready", 180)

    (tmp_path / "bob.down").touch()
    until(lambda: inside(participants) == {**everyone, "bob": False}, "bob alone not ready", 60)
    whole = participants.status("participants").ready
    (tmp_path / "bob.down").unlink()
    until(lambda: inside(participants) == everyone, "bob ready again", 60)

    assert not whole
    assert participants.status("participants").ready
