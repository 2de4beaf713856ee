"""Artifacts, and the folder an operator may fill."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from goldnode.fetch.artifact import Artifact, Deferred, Format
from goldnode.fetch.download import WrongBytesError
from goldnode.fetch.store import ArtifactStore

CONTENT = b"daemon"
SHA256 = hashlib.sha256(CONTENT).hexdigest()
ARTIFACT = Artifact("https://example.org/v1%2E0/daemon-1.0?raw=true", SHA256)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://h/a.tar.gz", Format.TAR_GZ),
        ("https://h/a.tgz?x=1", Format.TAR_GZ),
        ("https://h/a.JSON.GZ", Format.GZ),
        ("https://h/a.zip#part", Format.ZIP),
        ("https://h/a", Format.RAW),
        ("https://h/a?file=b.zip", Format.RAW),
    ],
)
def test_the_format_is_read_off_the_path(url: str, expected: Format) -> None:
    """Only the path counts, not the query."""
    assert Format.of(url) is expected


def test_what_is_deferred_survives_the_way_onto_the_image() -> None:
    """deferred.json gives the node the same artifact again."""
    deferred = Deferred("daemon", Artifact("https://h/a", SHA256, 6, Format.ZIP, "x/a"), "/usr/lib/a", 0o755)

    assert Deferred.from_document(deferred.document()) == deferred
    assert deferred.document()["mode"] == "0755"


@pytest.mark.parametrize("name", [SHA256, "daemon-1.0"])
def test_the_operators_file_is_taken(tmp_path: Path, name: str) -> None:
    """A file named by its hash, or as the URL names it, is copied into the store."""
    (tmp_path / name).write_bytes(CONTENT)
    store = ArtifactStore(tmp_path / "store")

    path = store.adopt(ARTIFACT, tmp_path)

    assert path == store.get(ARTIFACT) == store.path(SHA256)
    assert path.read_bytes() == CONTENT


@pytest.mark.parametrize("name", [SHA256, "daemon-1.0"])
def test_a_wrong_file_there_is_named_and_refused(tmp_path: Path, name: str) -> None:
    """The message holds the file, what it is, and what it should be."""
    (tmp_path / name).write_bytes(b"other")

    with pytest.raises(WrongBytesError) as caught:
        ArtifactStore(tmp_path / "store").adopt(ARTIFACT, tmp_path)

    for part in (str(tmp_path / name), SHA256, hashlib.sha256(b"other").hexdigest()):
        assert part in caught.value.message


def test_a_folder_without_it_says_nothing(tmp_path: Path) -> None:
    """Other files in the folder are nobody's business."""
    (tmp_path / "unrelated").write_bytes(CONTENT)

    assert ArtifactStore(tmp_path / "store").adopt(ARTIFACT, tmp_path) is None


def test_an_unpinned_artifact_is_never_in_the_store(tmp_path: Path) -> None:
    """Without a hash there is nothing to look for."""
    assert ArtifactStore(tmp_path).get(Artifact("https://h/a")) is None
