"""What the builds of Go and Rust programs share: which C compiler, and how a compiler is followed."""

from __future__ import annotations

import platform
import subprocess
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from goldnode.errors import BakeError, HostError
from goldnode.progress import Step
from goldnode.run import CommandError, run, spawn

#: C compilers for another architecture, as Debian names them.
CROSS_COMPILERS = {"amd64": "x86_64-linux-gnu-gcc", "arm64": "aarch64-linux-gnu-gcc"}
MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}
#: Lines of a compiler's output to show when it fails.
TAIL = 15


def native(arch: str) -> bool:
    """Whether this machine runs programs of ``arch``."""
    return MACHINES.get(platform.machine()) == arch


def c_compiler(arch: str) -> str:
    """The C compiler's description of itself, because it decides the bytes too.

    Raises:
        HostError: There is none.
    """
    name = "gcc" if native(arch) else CROSS_COMPILERS[arch]
    package = "gcc libc6-dev" if native(arch) else f"gcc-{name.removesuffix('-gcc').replace('_', '-')}"
    try:
        return run([name, "--version"]).stdout.splitlines()[0]
    except (HostError, CommandError) as error:
        raise HostError(f"{name} is required, but not installed", hint=f"apt-get install {package}") from error


def follow(
    argv: Sequence[str],
    *,
    what: str,
    cwd: Path,
    env: Mapping[str, str],
    step: Step,
    total: int,
    compiles: Callable[[str], bool],
) -> int:
    """Run a compiler to its end and report progress.

    Args:
        argv: The command.
        what: What it makes, for the message.
        cwd: Where it runs.
        env: What it is told besides.
        step: Told how many packages it has begun.
        total: How many there are; some may be compiled already.
        compiles: Whether a line of its output says that a package is begun.

    Returns:
        How many packages it compiled.

    Raises:
        BakeError: It failed; shows its last lines.
    """
    last: deque[str] = deque(maxlen=TAIL)
    compiled = 0
    with spawn(argv, cwd=cwd, env=env, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None  # noqa: S101 - asked for a pipe
        with process.stdout:
            for line in process.stdout:
                text = line.decode("utf-8", "replace").rstrip()
                last.append(text)
                if compiles(text):
                    compiled += 1
                    step.update(compiled, total)
        returncode = process.wait()
    if returncode:
        shown = "\n  ".join(last)
        command = f"{Path(argv[0]).name} {argv[1]}"
        raise BakeError(f"{what} does not compile ({command} exited {returncode}):\n  {shown}")
    return compiled
