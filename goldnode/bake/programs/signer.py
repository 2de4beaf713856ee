"""The validator's signer, built from ``signer/`` in this repository: on CometBFT's own ``privval`` package.

Its modules are pinned by ``signer/go.sum``; the Go command compares each with its sum.  The same
source, toolchain and modules give the same bytes.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

from goldnode.bake.programs import gomodule
from goldnode.bake.programs.build_cache import cached, is_whole, record, remove
from goldnode.bake.programs.compilers import follow
from goldnode.config.daemon import BuildSource
from goldnode.fetch.download import UnreachableError
from goldnode.files import sha256_file
from goldnode.paths import REPOSITORY, cache
from goldnode.progress import Progress
from goldnode.run import run

NAME = "goldnode-signer"
#: What it prints for ``-version``; the same as in ``signer/main.go``.
VERSION = "1.0.0"
SOURCE = REPOSITORY / "signer"
#: How it is built; the module is a local folder, so it has neither version nor sum.
RECIPE = BuildSource(module="goldnode.invalid/signer", version=VERSION, sum="", package=".", toolchain="go1.25.5")


def files() -> list[Path]:
    """The files that decide the bytes: the sources without their tests, and the pins."""
    sources = [path for path in SOURCE.glob("*.go") if not path.name.endswith("_test.go")]
    return sorted([*sources, SOURCE / "go.mod", SOURCE / "go.sum"])


def build(arch: str, *, go: Path, progress: Progress) -> Path:
    """The signer, from the cache or freshly built.

    Raises:
        UnreachableError: Its modules, or its Go, cannot be obtained.
        BakeError: It does not compile, or a module does not match its sum.
    """
    inputs = [arch, RECIPE.toolchain, *((path.name, sha256_file(path)) for path in files())]
    home = cache() / "builds" / hashlib.sha256(json.dumps(inputs).encode()).hexdigest()

    def make(draft: Path) -> None:
        env = gomodule.environment(RECIPE, arch)
        work = draft / "source"
        work.mkdir()
        for path in files():
            shutil.copyfile(path, work / path.name)
        with progress.step(f"build {NAME} {VERSION}") as step:
            listed = run([go, "list", "-deps", "."], cwd=work, env=env, check=False)
            if listed.returncode and "checksum mismatch" not in listed.stderr:
                raise UnreachableError(f"what {NAME} is built from cannot be obtained: {listed.stderr.strip()}",
                                       hint="go env GOPROXY")  # fmt: skip
            argv = [str(go), *gomodule.command(RECIPE, draft / NAME)]
            follow(argv, what=NAME, cwd=work, env=env, step=step, total=len(listed.stdout.splitlines()),
                   compiles=lambda line: bool(line) and " " not in line)  # fmt: skip
        remove(work)
        record(draft, [draft / NAME])

    cached(home, is_whole, make)
    return home / NAME
