"""`goldnode fetch --network FILE`: a version announced later, by its hash, on a machine that runs."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from goldnode.bake.programs import next_versions
from goldnode.bake.programs.payload import Origin, Provenance
from goldnode.config.network import Network
from goldnode.node.plan.inputs import read_image
from goldnode.node.plan.upgrade import Binary, program
from goldnode.node.system.machine import architecture
from goldnode.node.versions import rungs, upgrades
from goldnode.paths import REPOSITORY
from tests.support.node_lab import Cluster, Person, Tree
from tests.support.release_host import ReleaseHost, serving

PROGRAM = b"#!/bin/sh\necho 0.62.0\n"


@pytest.fixture
def host() -> Iterator[ReleaseHost]:
    """Where the new version is published."""
    with serving() as found:
        yield found


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """A sentry of localwasm, configured, with its daemon."""
    found = Tree(tmp_path / "machine", "localwasm")
    own = found.write("/usr/lib/goldnode/bin/wasmd", "#!/bin/sh\necho 0.61.14\n")
    own.chmod(0o755)
    found.node_yaml("sentry", Cluster().invite("sentry"), "s-1")
    found.configure()
    return found


def network(folder: Path, host: ReleaseHost, **changes: Any) -> Path:
    """The network file with the step that was announced."""
    document = yaml.safe_load((REPOSITORY / "networks" / "localwasm.yaml").read_text())
    host.add("/wasmd", PROGRAM)
    release = {"url": host.url("/wasmd"), "sha256": hashlib.sha256(PROGRAM).hexdigest()}
    step = {"name": "next", "height": 1000, "version": "0.62.0", "release": {"amd64": release, "arm64": release}}
    file = folder / "localwasm.yaml"
    file.write_text(yaml.safe_dump({**document, "upgrades": [step], **changes}))
    return file


def test_a_version_announced_later_is_fetched_and_known(
    tree: Tree, host: ReleaseHost, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One command: the ladder is in force, the binary is here, verified, and said; again, it does nothing."""
    person, file = Person(tree, capsys), network(tmp_path, host)
    said = person.types("fetch", "--network", file)
    image = read_image(tree.layout)

    assert (0, True) == (said[0], "wasmd 0.62.0, for height 1,000: fetched and verified" in said[1])
    assert ["next"] == [step.name for step in image.network.upgrades]
    assert Binary.VERIFIED is upgrades.verify(tree.layout.library, "wasmd", "0.62.0")
    assert [] == rungs.missing(image)
    requests = len(host.requests)
    assert 0 == person.types("fetch", "--network", file)[0]
    assert requests == len(host.requests)


def test_a_baked_version_and_a_fetched_one_stand_side_by_side(
    tree: Tree, host: ReleaseHost, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each has a folder and a hash of its own: a fetch leaves what the bake put there, and asks nobody for it."""
    file = network(tmp_path, host)
    document = yaml.safe_load(file.read_text())
    (announced,) = document["upgrades"]
    later = PROGRAM.replace(b"0.62.0", b"0.63.0")
    host.add("/later", later)
    release = {"url": host.url("/later"), "sha256": hashlib.sha256(later).hexdigest()}
    step = {"name": "later", "height": 2000, "version": "0.63.0", "release": {"amd64": release, "arm64": release}}
    file.write_text(yaml.safe_dump({**document, "upgrades": [announced, step]}))
    binary, library = tmp_path / "baked", tmp_path / "libwasmvm.so"
    binary.write_bytes(PROGRAM)
    library.write_bytes(b"library")
    proof = Provenance(Origin.RELEASE, "wasmd", "0.62.0", sha256=hashlib.sha256(PROGRAM).hexdigest())
    steps = Network.from_document({**document, "name": "localwasm"})
    arch = architecture()
    files, _, _ = next_versions.obtain(steps, arch, lambda _: next_versions.Obtained(binary, (library,), proof))
    for each in files:
        tree.write(each.path_on_image, each.source.read_text()).chmod(each.mode)
    before = {each.path_on_image: tree.layout.at(each.path_on_image).read_bytes() for each in files}

    assert 0 == Person(tree, capsys).types("fetch", "--network", file)[0]
    assert [Binary.VERIFIED] * 2 == [
        upgrades.verify(tree.layout.library, "wasmd", version) for version in ("0.62.0", "0.63.0")
    ]
    assert before == {path: tree.layout.at(path).read_bytes() for path in before}
    assert 3 == len(before)
    assert {"/later"} == {path for path, _ in host.requests}


def test_what_is_not_its_hash_or_not_its_version_gets_no_name(
    tree: Tree, host: ReleaseHost, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Both are refused with one sentence; the ladder still counts down, and tells that the binary is missing."""
    person, file = Person(tree, capsys), network(tmp_path, host)
    host.add("/wasmd", PROGRAM + b"#")
    wrong = person.types("fetch", "--network", file)
    other = b"#!/bin/sh\necho 0.61.99\n"
    document = yaml.safe_load(file.read_text())
    for release in document["upgrades"][0]["release"].values():
        release["sha256"] = hashlib.sha256(other).hexdigest()
    file.write_text(yaml.safe_dump(document))
    host.add("/wasmd", other)
    version = person.types("fetch", "--network", file)

    assert (5, True) == (wrong[0], "is not what its pin says" in wrong[1])
    assert (5, True) == (version[0], "says it is 0.61.99" in version[1])
    assert Binary.MISSING is upgrades.verify(tree.layout.library, "wasmd", "0.62.0")
    assert not program(tree.layout.library, "wasmd", "0.62.0").exists()


@pytest.mark.parametrize(
    ("text", "said"),
    [("chain_id: other-1", "has chain_id other-1, and this machine runs localwasm-1"), ("- a", "is not a network file"),
     ("a: [", "is not valid YAML"), ("a: 1", "is not a network file")],
)  # fmt: skip
def test_another_chains_file_is_refused(
    tree: Tree, host: ReleaseHost, tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, said: str
) -> None:
    """Nothing of it is put in force."""
    file = network(tmp_path, host)
    if text.startswith("chain_id"):
        file = network(tmp_path, host, chain_id="other-1")
    else:
        file.write_text(text)
    code, printed = Person(tree, capsys).types("fetch", "--network", file)

    assert (3, True) == (code, said in printed)
    assert () == read_image(tree.layout).network.upgrades
