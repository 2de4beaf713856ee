"""What is behind what: real repositories, a registry's folder, and manifests of images."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from goldnode.authoring import outdated
from goldnode.bake.programs import gitsource
from goldnode.config import network
from goldnode.errors import InputError
from tests.support.repositories import Repository


def example(folder: Path, version: str, git: str) -> network.Network:
    """A network file that builds a version of a repository."""
    path = folder / "example.yaml"
    path.write_text(
        f"version: 1\nchain_id: example-1\ndaemon: {{name: exampled, version: {version}, home: .example, "
        f'source: {{git: "{git}", tag: v{version}}}}}\ngenesis: {{private: true}}\n'
    )
    return network.load(path)


def registry(folder: Path, version: str) -> Path:
    """A registry that recommends a version."""
    chain = {"chain_id": "example-1", "codebase": {"recommended_version": f"v{version}"}}
    (folder / "registry" / "example").mkdir(parents=True)
    (folder / "registry" / "example" / "chain.json").write_text(json.dumps(chain))
    return folder / "registry"


def baked(folder: Path, *versions: str) -> Path:
    """A folder with manifests of images."""
    for version in versions:
        manifest: dict[str, Any] = {"network": "example", "daemon": {"version": version}}
        (folder / f"example-{version}.manifest.json").write_text(json.dumps(manifest))
    (folder / "broken.manifest.json").write_text("{")
    return folder


@pytest.mark.parametrize(
    ("file", "recommended", "advice"),
    [
        ("1.2.0", "1.3.0", "./invoke network import example --from REGISTRY --update"),
        ("1.3.0", "1.3.0", "the newest tag is 1.10.0: ask the chain's validators"),
        ("1.10.0", "1.3.0", "./invoke bake --network example"),
    ],
)
def test_the_four_versions_stand_side_by_side(tmp_path: Path, file: str, recommended: str, advice: str) -> None:
    """File, registry, newest release tag (10 is above 9; a candidate does not count), images; and what to do."""
    repository = Repository(tmp_path / "repository")
    for tag in ("v1.2.0", "v1.3.0", "v1.9.0", "v1.10.0", "v2.0.0-rc.1", "nightly"):
        repository.commit({}, tag)
    known = outdated.recommendations(registry(tmp_path, recommended))
    images = outdated.images(baked(tmp_path, "1.2.0"))

    (row,) = outdated.rows([example(tmp_path, file, repository.url)], known, images, gitsource.tags)

    assert (file, recommended, "1.10.0", ("1.2.0",)) == (row.file, row.recommended, row.tagged, row.baked)
    assert row.advice.startswith(advice)


def test_a_repository_that_does_not_answer_hides_nothing(tmp_path: Path) -> None:
    """The other columns stay, and the reason is said."""
    (row,) = outdated.rows([example(tmp_path, "1.2.0", (tmp_path / "gone").as_uri())], {}, {}, gitsource.tags)

    assert ("", "") == (row.tagged, row.recommended)
    assert "cannot be read" in row.reason


def test_a_folder_without_chains_is_no_registry(tmp_path: Path) -> None:
    """One sentence, not an empty table."""
    with pytest.raises(InputError, match="does not hold a chain"):
        outdated.recommendations(tmp_path)


def test_releases_tell_their_repository() -> None:
    """Of a file that names binaries only."""
    asked: list[str] = []

    def tags(git: str) -> list[str]:
        asked.append(git)
        return ["v31.0.2"]

    (row,) = outdated.rows([network.load("osmosis")], {}, {}, tags)

    assert ["https://github.com/osmosis-labs/osmosis"] == asked
    assert "31.0.2" in row.advice
