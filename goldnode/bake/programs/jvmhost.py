"""The JVM host as one jar: the Java program in ``jvm/``, compiled here, the same bytes from the same inputs.

It depends on nothing but the JDK, so a build tool would be the larger program of the two: the
compiler is called once, and the jar is a zip with its names sorted and its dates fixed.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
import zipfile
from pathlib import Path

from goldnode.errors import BakeError, HostError
from goldnode.files import locked, replacing
from goldnode.paths import REPOSITORY, cache
from goldnode.progress import Progress
from goldnode.run import CommandError, run

SOURCES = REPOSITORY / "jvm" / "src"
#: The oldest Java that runs the result: Debian 12's.
RELEASE = 17
#: Increase this when this module makes a different jar from the same inputs.
RECIPE = 2
#: ``Add-Opens`` is for ``Pools``, ``Keeper``, ``VirtualThreads`` and ``JvmWide``, the agent for ``Agent.java``:
#: each says why.  A line may have 72 bytes and goes on behind a space.
MANIFEST = """\
Manifest-Version: 1.0
Main-Class: goldnode.jvm.Host
Launcher-Agent-Class: goldnode.jvm.Agent
Can-Retransform-Classes: true
Enable-Native-Access: ALL-UNNAMED
Add-Opens: java.base/java.lang java.base/java.util
  java.base/java.util.concurrent java.base/jdk.internal.vm
  java.base/java.net java.base/sun.security.jca
  java.base/jdk.internal.misc

"""
#: The earliest date a zip can hold.
EPOCH = (1980, 1, 1, 0, 0, 0)


def build(progress: Progress, *, sources: Path = SOURCES) -> Path:
    """The jar, from the cache or freshly compiled; concurrent callers compile it once.

    Raises:
        HostError: There is no Java compiler.
        BakeError: The program does not compile.
    """
    javac = compiler()
    files = sorted(sources.rglob("*.java"))
    jar = cache() / "builds" / "jvm" / _key(javac, sources, files) / "goldnode-jvm.jar"
    with locked(jar.parent.with_suffix(".lock")):
        if not jar.is_file():
            with progress.step("compile the JVM host"), tempfile.TemporaryDirectory() as folder:
                compile_java(javac, files, Path(folder))
                pack(Path(folder), jar)
    return jar


def compiler() -> Path:
    """The Java compiler of this machine.

    Raises:
        HostError: It is not installed.
    """
    javac = shutil.which("javac")
    if javac is None:
        raise HostError(
            "javac is not installed, and a JVM network needs it", hint="apt-get install default-jdk-headless"
        )
    return Path(javac)


def compile_java(javac: Path, files: list[Path], output: Path, classpath: str = "") -> None:
    """Compile sources for the oldest supported Java; every warning is an error.

    Texts are joined inline: the usual way makes a class at the first use, which fails where memory is spent.

    Raises:
        BakeError: They do not compile.
    """
    beside = ["-cp", classpath] if classpath else []
    try:
        run(
            [
                javac,
                "--release",
                str(RELEASE),
                "-XDstringConcat=inline",
                "-Xlint:all",
                "-Werror",
                *beside,
                "-d",
                output,
                *files,
            ]
        )
    except CommandError as error:
        raise BakeError(f"the JVM host does not compile: {error.message}") from error


def pack(classes: Path, jar: Path, manifest: str = MANIFEST) -> None:
    """Make a jar: sorted, dated alike, with the manifest first."""
    entries = [(path.relative_to(classes).as_posix(), path.read_bytes()) for path in classes.rglob("*.class")]
    with replacing(jar) as draft, zipfile.ZipFile(draft, "w") as archive:
        for name, content in [("META-INF/MANIFEST.MF", manifest.encode()), *sorted(entries)]:
            entry = zipfile.ZipInfo(name, EPOCH)
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, content, zipfile.ZIP_DEFLATED)


def _key(javac: Path, sources: Path, files: list[Path]) -> str:
    """Digest of everything that decides the jar's bytes: the sources, the compiler's version, this recipe."""
    digest = hashlib.sha256(f"{RECIPE} {RELEASE} {run([javac, '-version']).stdout}{MANIFEST}".encode())
    for path in files:
        content = path.read_bytes()
        digest.update(f"{path.relative_to(sources)} {len(content)}\n".encode() + content)
    return digest.hexdigest()
