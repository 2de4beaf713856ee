"""The program of a JVM network whose jars have none: one Java source beside the network file, compiled here.

Jars of today are made for Java 21, and the javac of an older Java cannot read them (Debian 12 has 17).
Eclipse's compiler reads and writes every version on any Java from 17 on, so a bake needs no second
JDK, and gets the same bytes from whichever it has.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from goldnode.bake.programs import jvmhost
from goldnode.bake.programs.coordinates import Jar
from goldnode.errors import BakeError, HostError
from goldnode.files import locked
from goldnode.paths import cache
from goldnode.progress import Progress
from goldnode.run import run

#: What compiles; pinned and fetched as the network's own jars are.
COMPILER = Jar("05cc22a24e7982970f63a405fc6c820bc80b806f27f3c5a6236fc475f8f7152b", "org.eclipse.jdt", "ecj", "3.40.0")
#: Java of the images, Debian 13's.
RELEASE = 21
#: Goes up when this module makes another jar from the same inputs.
RECIPE = 1
#: A line may have 72 bytes and goes on behind a space.
MANIFEST = "Manifest-Version: 1.0\n\n"


def build(source: Path, compiler: Path, found: Mapping[Jar, Path], progress: Progress) -> Path:
    """Have the program's jar, from the cache or freshly compiled.

    Args:
        source: The Java source.
        compiler: The jar of ``COMPILER``.
        found: The network's jars, where each is.
        progress: Told of the compilation.

    Raises:
        HostError: There is no Java.
        BakeError: The program does not compile.
    """
    java = shutil.which("java")
    if java is None:
        raise HostError(
            "java is not installed, and a JVM network needs it", hint="apt-get install default-jdk-headless"
        )
    jar = cache() / "builds" / "jvm" / _key(source, found) / f"{source.stem.lower()}-program.jar"
    with locked(jar.parent.with_suffix(".lock")):
        if not jar.is_file():
            with progress.step(f"compile {source.name}"), tempfile.TemporaryDirectory() as name:
                _compile(Path(java), compiler, source, found, Path(name))
                jvmhost.pack(Path(name) / "classes", jar, MANIFEST)
    return jar


def _compile(java: Path, compiler: Path, source: Path, found: Mapping[Jar, Path], folder: Path) -> None:
    """Compile into ``classes``; the compiler takes no jar whose name does not end as a jar's does."""
    beside = [folder / f"{jar.artifact}-{number}.jar" for number, jar in enumerate(found)]
    for link, path in zip(beside, found.values(), strict=True):
        link.symlink_to(path)
    done = run([java, "-jar", compiler, f"-{RELEASE}", "-g", "-proc:none", "-nowarn", "-d", folder / "classes",
                "-cp", os.pathsep.join(map(str, beside)), source], check=False)  # fmt: skip
    if done.returncode:
        raise BakeError(f"{source} does not compile: {done.stderr.strip()[:2000]}", hint=f"mend {source.name}")


def _key(source: Path, found: Mapping[Jar, Path]) -> str:
    """Digest of all that decides the jar's bytes."""
    jars = " ".join(jar.sha256 for jar in (COMPILER, *found))
    return hashlib.sha256(f"{RECIPE} {RELEASE} {MANIFEST} {jars}\n".encode() + source.read_bytes()).hexdigest()
