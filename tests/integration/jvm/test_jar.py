"""The host's jar, and the jars of a network: the same bytes from the same inputs, or a clear refusal."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from goldnode import paths
from goldnode.bake.programs import jars, jvmhost
from goldnode.bake.programs.coordinates import Jar
from goldnode.bake.programs.payload import PayloadFile
from goldnode.config.network import load
from goldnode.errors import ArtifactError, BakeError, HostError
from goldnode.fetch.store import ArtifactStore
from goldnode.files import sha256_file
from goldnode.progress import SILENT

SLF4J = Jar("a223e6df91b84f19d49c5ebc5f5f97c7f4438419f84a52fa05e1cfc6eed38aa9", "org.slf4j", "slf4j-api", "2.0.0")


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of this test's own."""
    monkeypatch.setenv("GOLDNODE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def listed(*contents: bytes) -> tuple[Jar, ...]:
    """Jars that have this content."""
    return tuple(
        Jar(hashlib.sha256(content).hexdigest(), "org.example", f"part{number}", "1")
        for number, content in enumerate(contents)
    )


def test_the_same_sources_give_the_same_jar(jar: Path, cache: Path) -> None:
    """A build elsewhere has the same bytes, and is kept by its inputs."""
    again = jvmhost.build(SILENT)

    assert (sha256_file(jar), jar.parent.name) == (sha256_file(again), again.parent.name)
    assert cache in again.parents


def test_another_source_gives_another_jar(cache: Path, tmp_path: Path) -> None:
    """One changed file is another key, so an old jar is never taken for a new one."""
    (tmp_path / "One.java").write_text("final class One {}")
    first = jvmhost.build(SILENT, sources=tmp_path)
    (tmp_path / "One.java").write_text("final class One { }")

    assert first != jvmhost.build(SILENT, sources=tmp_path)
    assert cache in first.parents


def test_a_program_that_does_not_compile_names_the_line(cache: Path, tmp_path: Path) -> None:
    """The compiler's own words reach the person, and nothing is kept."""
    (tmp_path / "Bad.java").write_text("class Bad { int x = ; }")

    with pytest.raises(BakeError, match=r"Bad\.java:1: error"):
        jvmhost.build(SILENT, sources=tmp_path)

    assert [] == list(cache.rglob("*.jar"))


def test_no_compiler_is_said_with_the_package_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine without a JDK hears what to install."""
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(HostError, match="javac is not installed") as refused:
        jvmhost.compiler()

    assert refused.value.hint == "apt-get install default-jdk-headless"


def test_jars_come_from_the_operators_folder_by_their_hash(tmp_path: Path) -> None:
    """What the operator brought is taken when it is what the list says, and Maven is not asked."""
    wanted = listed(b"one", b"two")
    for jar, content in zip(wanted, (b"one", b"two"), strict=True):
        (tmp_path / jar.filename).write_bytes(content)

    found = jars.collect(wanted, tmp_path, ArtifactStore(tmp_path / "store"), SILENT)

    assert [b"one", b"two"] == [found[jar].read_bytes() for jar in wanted]


def test_a_jar_with_other_bytes_is_refused(tmp_path: Path) -> None:
    """A jar of the right name and the wrong content never gets into an image."""
    (wanted,) = listed(b"one")
    (tmp_path / wanted.filename).write_bytes(b"tampered")

    with pytest.raises(ArtifactError, match=rf"{wanted.filename}.*pinned is {wanted.sha256}"):
        jars.collect((wanted,), tmp_path, ArtifactStore(tmp_path / "store"), SILENT)


def test_missing_jars_without_maven_are_counted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine without Maven hears what to install, and how much is missing."""
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(HostError, match="2 jars are missing, and Maven is not installed"):
        jars.collect(listed(b"one", b"two"), None, ArtifactStore(tmp_path / "store"), SILENT)


@pytest.mark.long
def test_maven_fetches_by_coordinates_and_the_hash_decides(tmp_path: Path) -> None:
    """A jar comes by its coordinates; the same coordinates with another pin are refused."""
    store = ArtifactStore(tmp_path / "store")

    found = jars.collect((SLF4J,), None, store, SILENT)

    assert sha256_file(found[SLF4J]) == SLF4J.sha256
    other = Jar("0" * 64, SLF4J.group, SLF4J.artifact, SLF4J.version)
    with pytest.raises(ArtifactError, match="pinned is 0000"):
        jars.collect((other,), None, store, SILENT)


@pytest.mark.long
def test_coordinates_that_nobody_published_are_an_error() -> None:
    """Maven's own words reach the person."""
    missing = Jar("0" * 64, "org.example.goldnode", "nothing", "1")

    with pytest.raises(ArtifactError, match="Maven could not fetch the jars"):
        jars.fetch([missing], lambda _: None, SILENT)


@pytest.mark.long
def test_an_image_of_daml_gets_the_host_and_every_jar() -> None:
    """The payload of a JVM network is the host and its jars, at the places the node looks for them."""
    payload = jars.obtain(load("daml"), None, ArtifactStore(paths.cache() / "artifacts"), SILENT)

    assert payload[0] == PayloadFile(jars.HOST, jvmhost.build(SILENT), 0o644)
    assert len(payload) == 138
    assert {jars.JARS} == {str(Path(file.path_on_image).parent) for file in payload[1:]}
