"""Ask a daemon for its version, and compare the answer with the pin.

A build that succeeds proves nothing (a CosmWasm daemon built without cgo panics when it starts), so
every daemon is started before it is shipped, and a deferred one before its first real start.
Standard library only.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from goldnode.errors import ArtifactError
from goldnode.run import CommandError, run

#: Seconds a daemon may take to print its version.
TIMEOUT = 60.0


def check(
    binary: Path,
    version: str,
    args: Sequence[str] = ("version",),
    libraries: Path | None = None,
    *,
    prefix: Sequence[str] = (),
) -> None:
    """Start ``binary`` in a temporary home and compare what it prints.

    Args:
        binary: The daemon.
        version: The pin, without a leading ``v``.
        args: What makes it tell its version.
        libraries: Folder with libraries it needs and the loader does not know yet.
        prefix: Words that stand before it, as of what confines it.

    Raises:
        ArtifactError: It does not start, or is another version.
    """
    with tempfile.TemporaryDirectory(prefix="goldnode-version-") as home:
        env = {"HOME": home} | ({"LD_LIBRARY_PATH": str(libraries)} if libraries else {})
        try:
            done = run([*prefix, binary, *args], cwd=Path(home), env=env, timeout=TIMEOUT)
        except CommandError as error:
            raise ArtifactError(f"{binary.name} does not start: {error.message}") from error
        except OSError as error:
            raise ArtifactError(
                f"{binary.name} is not a program that this machine can run: {error.strerror}"
            ) from error
    if not agrees(f"{done.stdout}\n{done.stderr}", version):
        said = " ".join((done.stdout.strip() or done.stderr.strip()).split())[:80]
        raise ArtifactError(
            f"{binary.name} says it is version {said or 'nothing'}, its network file says {version}",
            hint="./invoke network check, after correcting daemon.version or the release",
        )


def agrees(answer: str, version: str) -> bool:
    """Whether one line of the answer is the version, with or without a leading ``v``.

    Some daemons answer on stderr, and some print warnings around it.
    """
    return any(line.strip().removeprefix("v") == version for line in answer.splitlines())
