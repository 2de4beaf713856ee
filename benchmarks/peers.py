"""What ours is measured against: croc out of its Go module, magic-wormhole in an environment of its own."""

from __future__ import annotations

import json
import platform
import sys
import venv
from pathlib import Path

from goldnode.bake.programs import gomodule, toolchain
from goldnode.bake.programs.compilers import MACHINES
from goldnode.config.daemon import BuildSource, Daemon, DaemonKind, Family
from goldnode.files import locked, sha256_file, write_atomic
from goldnode.paths import REPOSITORY, cache
from goldnode.progress import Progress
from goldnode.run import run

CROC = BuildSource(
    module="github.com/schollz/croc/v10",
    version="v10.3.1",
    sum="h1:Te5kHnOSooMlj50RA3Qabi+DVuwb/cj4eRlpzucODrc=",
    package=".",
    toolchain="go1.25.5",
)
LOCK = REPOSITORY / "requirements/bench.lock"
#: Seconds that fetching an environment or all transfers may take.
TIMEOUT = 600.0


def transfers(runs: int, progress: Progress) -> dict[str, list[float]]:
    """Seconds of each one-way transfer, by tool.

    Args:
        runs: How many of each.
        progress: Hears of what is fetched and built, the first time.

    Raises:
        ArtifactError: croc's module cannot be had, or is not what its sum says.
        BakeError: It does not compile.
        CommandError: A package or a transfer failed.
    """
    croc, wormhole = _croc(progress), _wormhole(progress)
    alone = ["unshare", "--map-root-user", "--net"]
    program = [sys.executable, "-m", "benchmarks.peer_transfers", str(croc), str(wormhole), str(runs)]
    with progress.step("transfer with croc and magic-wormhole"):
        seconds: dict[str, list[float]] = json.loads(run([*alone, *program], cwd=REPOSITORY, timeout=TIMEOUT).stdout)
    return seconds


def _croc(progress: Progress) -> Path:
    """The program, built as gomodule builds daemons: it asks for a daemon's name and source only."""
    program = Daemon(
        name="croc", version="10.3.1", kind=DaemonKind.GO, family=Family.COMETBFT, home="", release={}, source=CROC,
        libraries=(), start_args=(), version_args=(), jvm=None,
    )  # fmt: skip
    arch = MACHINES[platform.machine()]
    return gomodule.build(program, CROC, arch, go=toolchain.go(progress), progress=progress).binary


def _wormhole(progress: Progress) -> Path:
    """The bin folder of an environment that holds exactly what the lock names."""
    home, wanted = cache() / "bench" / "wormhole", sha256_file(LOCK)
    made = home / "lock.sha256"
    with locked(home.with_name("wormhole.lock")):
        if not made.exists() or made.read_text(encoding="ascii") != wanted:
            with progress.step("install magic-wormhole"):
                venv.create(home, clear=True, with_pip=True)
                quietly = ["--quiet", "--disable-pip-version-check", "--no-deps", "--require-hashes"]
                run([home / "bin/python", "-m", "pip", "install", *quietly, "--requirement", LOCK], timeout=TIMEOUT)
                write_atomic(made, wanted)
    return home / "bin"
