"""What a JVM network adds to the image: the JVM host, and every jar on its pinned list, identified by its hash.

Maven knows where the operator's machine gets jars from, by its own settings.  It resolves nothing
here: the list names every jar, transitive ones too, and each is taken only when its bytes are what
the list says.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from xml.sax.saxutils import escape

from goldnode.bake.programs import javaprogram, jvmhost
from goldnode.bake.programs.coordinates import Jar
from goldnode.bake.programs.payload import LIB, PayloadFile
from goldnode.config.network import Network
from goldnode.errors import ArtifactError, HostError
from goldnode.fetch.artifact import Artifact
from goldnode.fetch.store import ArtifactStore
from goldnode.paths import cache
from goldnode.progress import Progress
from goldnode.run import CommandError, run

#: Where jars and host are on the image; goldnode/node/jvm/jvm.py looks there.
JARS = f"{LIB}/jars"
HOST = f"{LIB}/jvm/goldnode-jvm.jar"
#: Seconds that Maven may take; it retries by itself.
TIMEOUT = 1800.0
#: The goal, with its version: another version could name files differently.
GOAL = "org.apache.maven.plugins:maven-dependency-plugin:2.8:copy-dependencies"


def obtain(network: Network, artifacts_dir: Path | None, store: ArtifactStore, progress: Progress) -> list[PayloadFile]:
    """Get every jar from the operator's folder, the store, or Maven; and compile the host.

    Raises:
        ArtifactError: Some cannot be obtained, or do not match the list.
        HostError: The Java compiler is not installed, or Maven is needed and not installed.
    """
    return [
        PayloadFile(HOST, jvmhost.build(progress), 0o644),
        *(
            PayloadFile(f"{JARS}/{name}", path, 0o644)
            for name, path in classpath(network, artifacts_dir, store, progress).items()
        ),
    ]


def classpath(
    network: Network, artifacts_dir: Path | None, store: ArtifactStore, progress: Progress
) -> dict[str, Path]:
    """What a node's classes come from: file name on the image → file here, the network's own program among them.

    Raises:
        ArtifactError: Some cannot be obtained, or are not what the list says.
        HostError: Java, or Maven when it is needed, is not installed.
        BakeError: The network's program does not compile.
    """
    jvm = network.daemon.jvm
    assert jvm is not None  # noqa: S101 - the caller asked for a JVM network
    listed = parse((network.folder / jvm.jars).read_text(encoding="utf-8"))
    wanted = (*listed, javaprogram.COMPILER) if jvm.program else listed
    found = collect(wanted, artifacts_dir, store, progress)
    named = {jar.filename: found[jar] for jar in listed}
    if jvm.program:
        beside = {jar: found[jar] for jar in listed}
        program = javaprogram.build(network.folder / jvm.program, found[javaprogram.COMPILER], beside, progress)
        named[program.name] = program
    return named


def collect(
    listed: tuple[Jar, ...], artifacts_dir: Path | None, store: ArtifactStore, progress: Progress
) -> dict[Jar, Path]:
    """Where each jar is, by its hash; Maven is only asked for those found nowhere else.

    Raises:
        ArtifactError: Some cannot be obtained, or are not what the list says.
        HostError: Maven is needed and not installed.
    """
    found = _present(listed, artifacts_dir, store)
    missing = [jar for jar in listed if jar not in found]
    if missing:
        fetch(missing, lambda folder: found.update(_present(missing, folder, store)), progress)
    absent = [jar.filename for jar in missing if jar not in found]
    if absent:
        raise ArtifactError(
            f"{len(absent)} jars cannot be obtained, {absent[0]} is the first",
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


def parse(text: str) -> tuple[Jar, ...]:
    """Read a list that the network checker accepted: ``SHA256  group:artifact:version[:classifier]`` per line."""
    lines = (line.split() for line in text.splitlines() if line and not line.startswith("#"))
    return tuple(Jar(sha256, *coordinate.split(":")) for sha256, coordinate in lines)


def fetch(jars: Sequence[Jar], take: Callable[[Path], None], progress: Progress) -> None:
    """Download jars into a temporary folder, which is passed to ``take``; ``take`` checks what is in it.

    Raises:
        HostError: Maven is not installed.
        ArtifactError: Maven could not get all of them.
    """
    maven = shutil.which("mvn")
    if maven is None:
        raise HostError(f"{len(jars)} jars are missing, and Maven is not installed", hint="apt-get install maven")
    with progress.step(f"fetch {len(jars)} jars"), tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "pom.xml").write_text(project(jars), encoding="utf-8")
        try:
            run([maven, "--batch-mode", "--quiet", f"-Dmaven.repo.local={cache() / 'maven'}", GOAL,
                 "-DexcludeTransitive=true", f"-DoutputDirectory={folder / 'jars'}"],
                cwd=folder, timeout=TIMEOUT)  # fmt: skip
        except CommandError as error:
            raise ArtifactError(f"Maven could not fetch the jars: {error.message}") from error
        take(folder / "jars")


def project(jars: Sequence[Jar]) -> str:
    """A Maven project that depends on exactly these jars and on nothing that they depend on."""
    dependencies = "".join(map(_dependency, jars))
    return (
        '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>'
        "<groupId>goldnode</groupId><artifactId>jars</artifactId><version>1</version><packaging>pom</packaging>"
        f"<dependencies>{dependencies}</dependencies></project>\n"
    )


def _dependency(jar: Jar) -> str:
    classifier = f"<classifier>{escape(jar.classifier)}</classifier>" if jar.classifier else ""
    return (
        f"<dependency><groupId>{escape(jar.group)}</groupId><artifactId>{escape(jar.artifact)}</artifactId>"
        f"<version>{escape(jar.version)}</version>{classifier}<exclusions><exclusion><groupId>*</groupId>"
        "<artifactId>*</artifactId></exclusion></exclusions></dependency>"
    )
