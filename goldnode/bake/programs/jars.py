"""What a JVM network adds to the image: the JVM host, and every jar of its pinned list, found by its hash."""

from __future__ import annotations

from pathlib import Path

from goldnode.bake.programs import jvmhost, maven
from goldnode.bake.programs.maven import Jar
from goldnode.bake.programs.payload import LIB, PayloadFile
from goldnode.config.network import Network
from goldnode.errors import ArtifactError
from goldnode.fetch.artifact import Artifact, ArtifactStore
from goldnode.progress import Progress

#: Where jars and host stand on the image; goldnode/node/jvm/jvm.py looks there.
JARS = f"{LIB}/jars"
HOST = f"{LIB}/jvm/goldnode-jvm.jar"


def obtain(network: Network, artifacts_dir: Path | None, store: ArtifactStore, progress: Progress) -> list[PayloadFile]:
    """Have every jar: from the operator's folder, the store, or by Maven; and compile the host.

    Raises:
        ArtifactError: Some cannot be had, or are not what the list says.
        HostError: The Java compiler, or Maven when it is needed, is not installed.
    """
    jvm = network.daemon.jvm
    assert jvm is not None  # noqa: S101 - the caller asked for a JVM network
    listed = maven.parse((network.folder / jvm.jars).read_text(encoding="utf-8"))
    found = collect(listed, artifacts_dir, store, progress)
    return [
        PayloadFile(HOST, jvmhost.build(progress), 0o644),
        *(PayloadFile(f"{JARS}/{jar.filename}", found[jar], 0o644) for jar in listed),
    ]


def collect(
    listed: tuple[Jar, ...], artifacts_dir: Path | None, store: ArtifactStore, progress: Progress
) -> dict[Jar, Path]:
    """Where each jar is, by its hash; Maven is asked only for what is nowhere else.

    Raises:
        ArtifactError: Some cannot be had, or are not what the list says.
        HostError: Maven is needed and not installed.
    """
    found = _present(listed, artifacts_dir, store)
    missing = [jar for jar in listed if jar not in found]
    if missing:
        maven.fetch(missing, lambda folder: found.update(_present(missing, folder, store)), progress)
    absent = [jar.filename for jar in missing if jar not in found]
    if absent:
        raise ArtifactError(
            f"{len(absent)} jars cannot be had, {absent[0]} is the first",
            hint="put them into a folder, and add --artifacts FOLDER",
        )
    return found


def _present(listed: tuple[Jar, ...] | list[Jar], folder: Path | None, store: ArtifactStore) -> dict[Jar, Path]:
    found = {}
    for jar in listed:
        wanted = Artifact(f"https:///{jar.filename}", jar.sha256)
        path = store.get(wanted) or (folder and store.adopt(wanted, folder))
        if path:
            found[jar] = path
    return found
