"""A second JVM network, brought by a network file alone: Hedera's hashgraph platform, and its limits."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from goldnode.bake.programs import jars, jvmhost
from goldnode.config.network import load
from goldnode.errors import UsageError
from goldnode.fetch.store import ArtifactStore
from goldnode.node.jvm.jvm import HostedNode, files
from goldnode.paths import cache
from goldnode.progress import SILENT
from goldnode.run import run
from tests.integration.jvm.hosting import PROGRAMS, Hosted, hosting, until

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]
NETWORK = Path(__file__).parent / "networks" / "swirlds.yaml"
NAMES = ("alice", "bob", "carol", "dave")
FIRST = 60
SETTINGS = "loadKeysFromPfxFiles, 0\ndoUpnp, 0\nuseLoopbackIp, 1\nrunPauseCheckTimer, 0\n"


@pytest.fixture(scope="module")
def jar_files() -> list[Path]:
    """The platform's jars, each found by its pinned hash."""
    listed = jars.parse(NETWORK.with_suffix(".sha256sums").read_text())
    return list(jars.collect(listed, None, ArtifactStore(cache() / "artifacts"), SILENT).values())


@pytest.fixture
def host(jar_files: list[Path], jar: Path, tmp_path: Path) -> Iterator[Hosted]:
    """Four members of one hashgraph in one JVM; all nodes share its directory, where the platform looks for files."""
    network = load(NETWORK)
    nodes = [HostedNode(name, number, tmp_path / name) for number, name in enumerate(NAMES)]
    ports = {"gossip": 100 * FIRST + network.ports["gossip"]}
    application(jar_files, tmp_path / "data" / "apps" / "Counter.jar", tmp_path / "classes")
    members = [
        f"address, {node.name[0].upper()}, {node.name}, 1, 127.0.0.1, {port}, 127.0.0.1, {port}\n"
        for node in nodes
        for port in [node.port(ports["gossip"])]
    ]
    (tmp_path / "config.txt").write_text("swirld, goldnode\napp, Counter.jar\n" + "".join(members))
    (tmp_path / "settings.txt").write_text(SETTINGS)
    (tmp_path / "nodes").mkdir()
    for name, text in files(network.daemon, ports, nodes, jar_files, tmp_path).items():
        (tmp_path / "nodes" / name).write_text(text + "stop.seconds=4\n")
    with hosting(jar, tmp_path, java=Path("java")) as hosted:
        yield hosted


def test_four_members_in_one_jvm_agree_and_a_stop_is_reported(host: Hosted) -> None:
    """All members reach the same sums; one that cannot be stopped is called stuck, and the others go on."""
    until(lambda: all(len(sums(host, name)) > 20 for name in NAMES), "twenty rounds", seconds=400)
    agreed = [{number: sums(host, name)[number] for number in range(10, 20)} for name in NAMES]
    with pytest.raises(UsageError, match="dave is stuck"):
        host.control.act("stop", "dave")
    before = len(sums(host, "alice"))
    until(lambda: len(sums(host, "alice")) > before + 5, "five more rounds", seconds=120)

    assert [agreed[0]] * 4 == agreed
    assert agreed[0][19] > 0


def sums(host: Hosted, name: str) -> dict[int, int]:
    """What a member printed: round → sum."""
    found = re.findall(r"^round (\d+) sum (\d+)$", host.log(name).read_text(), re.MULTILINE)
    return {int(number): int(total) for number, total in found}


def application(jar_files: list[Path], jar: Path, classes: Path) -> None:
    """Compile the application that runs on the platform into the jar that the platform loads."""
    sources = sorted((PROGRAMS / "hashgraph").glob("*.java"))
    run(
        [
            jvmhost.compiler(),
            "--release",
            "17",
            "-proc:none",
            "-cp",
            ":".join(map(str, jar_files)),
            "-d",
            classes,
            *sources,
        ]
    )
    jar.parent.mkdir(parents=True)
    with zipfile.ZipFile(jar, "w") as archive:
        archive.writestr("META-INF/MANIFEST.MF", "Manifest-Version: 1.0\nMain-Class: hashgraph.Counter\n\n")
        for path in sorted(classes.rglob("*.class")):
            archive.write(path, path.relative_to(classes))
