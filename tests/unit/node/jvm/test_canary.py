"""One node's own version of one jar."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from goldnode.config.network import load
from goldnode.config.node_config import NodeConfig
from goldnode.config.node_entry import NodeEntry
from goldnode.errors import ArtifactError, UsageError
from goldnode.node.jvm import canary, jvm_setup
from goldnode.node.jvm.jvm_setup import JvmPaths

NEW = b"the next version"
SHA256 = hashlib.sha256(NEW).hexdigest()


@pytest.fixture
def paths(tmp_path: Path) -> JvmPaths:
    """A machine's folders, with two jars, and the next version of one of them beside."""
    names = ("state", "run", "jars", "secrets", "canaries")
    found = JvmPaths(*(tmp_path / name for name in names))
    found.jars.mkdir()
    for name in ("core-1.0.jar", "other-1.0.jar"):
        (found.jars / name).write_bytes(b"a version")
    (tmp_path / "core-1.1.jar").write_bytes(NEW)
    return found


def jars(paths: JvmPaths) -> list[Path]:
    """The image's jars."""
    return sorted(paths.jars.glob("*.jar"))


def begin(paths: JvmPaths, old: str = "core-1.0.jar", sha256: str = SHA256, file: str = "core-1.1.jar") -> None:
    """Give bob the next version."""
    canary.begin(paths.canaries / "bob", old, paths.jars.parent / file, sha256, jars(paths))


def started(paths: JvmPaths) -> dict[str, list[str]]:
    """What each node's file says of its jars, after a start of the service."""
    config = NodeConfig("multi-node", (NodeEntry("alice", "hosted"), NodeEntry("bob", "hosted")))
    jvm_setup.setup(load("mokamint"), config, {"alice": 0, "bob": 1}, paths, server=lambda: None, psql=print,
                    give=lambda _: None, share=lambda _: None)  # fmt: skip
    files = sorted(paths.runtime.glob("nodes/*"))
    return {
        file.stem: [Path(jar).name for jar in line[5:].replace("\\", "").split(":")]
        for file in files
        for line in file.read_text().splitlines()
        if line.startswith("jars=")
    }


def test_one_node_has_another_version_until_the_trial_ends(paths: JvmPaths) -> None:
    """Its jar stands in the place of the image's, a sibling's class path stays, and the end brings the image's back."""
    begin(paths)
    during = started(paths)
    canary.end(paths.canaries / "bob")

    assert {"alice": ["core-1.0.jar", "other-1.0.jar"], "bob": ["core-1.1.jar", "other-1.0.jar"]} == during
    assert {"alice": ["core-1.0.jar", "other-1.0.jar"], "bob": ["core-1.0.jar", "other-1.0.jar"]} == started(paths)


def test_a_new_image_ends_the_trial(paths: JvmPaths) -> None:
    """Where the image has no such jar any more, all nodes run what the image has."""
    begin(paths)
    (paths.jars / "core-1.0.jar").rename(paths.jars / "core-2.0.jar")

    assert started(paths)["alice"] == started(paths)["bob"] == ["core-2.0.jar", "other-1.0.jar"]


def test_a_jar_that_was_changed_leaves_its_node_out(paths: JvmPaths, capsys: pytest.CaptureFixture[str]) -> None:
    """Which version would run is in doubt, so the node does not start; its siblings do."""
    begin(paths)
    (paths.canaries / "bob" / "core-1.1.jar").write_bytes(b"something else")

    assert ["alice"] == list(started(paths))
    assert "bob is left out: " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("attempt", "kind", "sentence"),
    [
        (lambda paths: begin(paths, old="cora-1.0.jar"), UsageError, "the image has no cora-1.0.jar"),
        (lambda paths: begin(paths, sha256="0" * 64), ArtifactError, "has sha256 "),
        (lambda paths: begin(paths, file="core-1.2.jar"), UsageError, "core-1.2.jar is no jar"),
        (lambda paths: canary.end(paths.canaries / "bob"), UsageError, "bob runs the image's jars"),
    ],
)
def test_what_cannot_be_is_refused(
    paths: JvmPaths, attempt: Callable[[JvmPaths], None], kind: type[Exception], sentence: str
) -> None:
    """An unknown jar, other bytes than their hash says, a missing file, and an end without a trial."""
    with pytest.raises(kind, match=sentence):
        attempt(paths)
    assert not (paths.canaries / "bob").exists()
