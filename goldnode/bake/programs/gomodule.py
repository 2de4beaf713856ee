"""Builds a daemon from source: fetched by the pinned sum, built as the main module, cached by its inputs.

Every chain's go.mod has ``replace`` lines, so ``go install MODULE@VERSION`` is refused; the module
is copied and built in its own folder with its own go.sum.  The same inputs give the same bytes: no
paths, no build id, no VCS stamps, a pinned toolchain.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from goldnode.bake.programs import gitsource
from goldnode.bake.programs.build_cache import cached, is_whole, record, remove
from goldnode.bake.programs.compilers import CROSS_COMPILERS, c_compiler, follow, native
from goldnode.config.daemon import BuildSource, Daemon, Library
from goldnode.errors import ArtifactError
from goldnode.fetch.download import UnreachableError, WrongBytesError
from goldnode.paths import cache
from goldnode.progress import Progress
from goldnode.run import run

#: Increase this when this module builds different bytes from the same inputs.
RECIPE = 1
#: How this host reaches modules and where it keeps them is the operator's choice: handed on unchanged.
HOST_SETTINGS = ("GOPROXY", "GONOPROXY", "GOPRIVATE", "GOSUMDB", "GONOSUMDB", "GOINSECURE", "GOAUTH",
                 "GOPATH", "GOMODCACHE", "GOCACHE", "GOTMPDIR")  # fmt: skip


@dataclass(frozen=True, slots=True)
class BuiltModule:
    """What a build left in the cache.

    Attributes:
        binary: The daemon.
        libraries: Shared libraries it needs, under the names that the loader looks for.
    """

    binary: Path
    libraries: tuple[Path, ...]


def build(daemon: Daemon, source: BuildSource, arch: str, *, go: Path, progress: Progress) -> BuiltModule:
    """The daemon, from the cache or freshly built; concurrent callers build it once.

    Raises:
        ArtifactError: The module cannot be obtained, or does not match its sum.
        BakeError: It does not compile.
        HostError: cgo is needed and there is no C compiler.
    """
    home = cache() / "builds" / key(daemon, source, arch, c_compiler(arch) if source.cgo else "")

    def make(draft: Path) -> None:
        _make(daemon, source, arch, draft, go=go, progress=progress)

    cached(home, is_whole, make)
    return BuiltModule(home / daemon.name, tuple(home / "lib" / library.name for library in daemon.libraries))


def libraries(daemon: Daemon, arch: str, *, go: Path, progress: Progress) -> tuple[Path, ...]:
    """Only the libraries, for a daemon that was released as a binary.

    Raises:
        ArtifactError: A module cannot be obtained, or does not match its sum.
    """
    if not daemon.libraries:
        return ()
    wanted = json.dumps([arch, *map(asdict, daemon.libraries)], sort_keys=True)
    home = cache() / "libraries" / hashlib.sha256(wanted.encode()).hexdigest()

    def take(draft: Path) -> None:
        with progress.step(f"fetch libraries of {daemon.name}"):
            record(draft, _take(daemon.libraries, arch, draft / "lib", go))

    cached(home, is_whole, take)
    return tuple(home / "lib" / library.name for library in daemon.libraries)


def key(daemon: Daemon, source: BuildSource, arch: str, compiler: str) -> str:
    """Digest of everything that decides the bytes of a build."""
    shipped = [asdict(library) for library in daemon.libraries]
    sources = {name: value for name, value in asdict(source).items() if value != ""}
    inputs = {"recipe": RECIPE, "name": daemon.name, "arch": arch, "compiler": compiler, "libraries": shipped,
              **sources}  # fmt: skip
    return hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()


def command(source: BuildSource, output: Path) -> list[str]:
    """The arguments of ``go``: stripped, without paths or build id, the network file's flags last."""
    ldflags = " ".join(["-s", "-w", "-buildid=", *source.ldflags])
    return ["build", "-v", "-trimpath", "-buildvcs=false", *_tags(source), f"-ldflags={ldflags}", "-o", str(output),
            source.package]  # fmt: skip


def environment(source: BuildSource, arch: str) -> dict[str, str]:
    """The go command's environment, whatever `go env -w` says on this host."""
    fixed = {
        "GOWORK": "off", "GOFLAGS": "-mod=readonly", "GOTOOLCHAIN": source.toolchain, "GOOS": "linux", "GOARCH": arch,
        "GOAMD64": "v1", "GOARM64": "v8.0", "GOEXPERIMENT": "", "CGO_ENABLED": "1" if source.cgo else "0",
        "CGO_CFLAGS": "-O2 -g", "CGO_LDFLAGS": "",
    }  # fmt: skip
    if source.cgo and not native(arch):
        fixed["CC"] = CROSS_COMPILERS[arch]
    return host_settings() | fixed


def host_settings() -> dict[str, str]:
    """The variables of the caller's environment that say where modules come from and where they are kept."""
    return {name: os.environ[name] for name in HOST_SETTINGS if name in os.environ}


def ask(module: str, version: str, *, go: Path, env: dict[str, str]) -> dict[str, Any]:
    """Download a module into Go's own cache; returns the go command's description, with ``Error`` if it failed."""
    done = run(
        [go, "mod", "download", "-json", f"{module}@{version}"], cwd=Path("/"), env=env, check=False, timeout=600
    )
    try:
        answer: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        return {"Error": done.stderr.strip() or "no answer"}
    return answer


def download(module: str, version: str, pinned: str, *, go: Path, env: dict[str, str]) -> Path:
    """Download a module into Go's own cache and compare its sum with the pin.

    Returns:
        Its folder, read-only.

    Raises:
        UnreachableError: The module proxy does not give it.
        WrongBytesError: It is another module than was pinned.
    """
    answer = ask(module, version, go=go, env=env)
    if "Error" in answer:
        raise UnreachableError(f"{module}@{version} cannot be obtained: {answer['Error']}", hint="go env GOPROXY")
    if answer["Sum"] != pinned:
        raise WrongBytesError(
            f"{module}@{version} is not what its pin says: sum is {answer['Sum']}, pinned is {pinned}",
            hint="compare both with the sum in a go.sum you trust; never change a pin to make an error go away",
        )
    return Path(answer["Dir"])


def sources(source: BuildSource, folder: Path, *, go: Path, env: dict[str, str]) -> None:
    """Put the pinned sources into ``folder``, which must not exist yet: from a module's zip, or from git.

    Raises:
        UnreachableError: Nobody gives them.
        WrongBytesError: They are not what the pin says.
    """
    if source.module:
        shutil.copytree(download(source.module, source.version, source.sum, go=go, env=env), folder,
                        copy_function=shutil.copyfile)  # fmt: skip
        return
    gitsource.checkout(source.git, source.commit, source.tag, folder)
    found = gitsource.tree_sum(folder)
    if found != source.sum:
        raise WrongBytesError(
            f"{source.label} is not what its pin says: the sum of its files is {found}, pinned is {source.sum}",
            hint="a submodule may have been moved; never change a pin to make an error go away",
        )


def module_folder(work: Path, package: str) -> Path:
    """The folder with the go.mod that a package belongs to; a repository may hold several modules."""
    place = work / package
    while place != work and not (place / "go.mod").is_file():
        place = place.parent
    return place


def _make(daemon: Daemon, source: BuildSource, arch: str, draft: Path, *, go: Path, progress: Progress) -> None:
    """Fill ``draft`` with the daemon, lib/ and build.json."""
    env = environment(source, arch)
    work, binary = draft / "source", draft / daemon.name
    with progress.step(f"fetch {source.label}"):
        sources(source, work, go=go, env=env)
        shipped = _take(daemon.libraries, arch, draft / "lib", go)
    if shipped:
        env["LIBRARY_PATH"] = str(draft / "lib")
    module = module_folder(work, source.package)
    source = replace(source, package=f"./{(work / source.package).relative_to(module).as_posix()}")
    with progress.step(f"build {daemon.name} {daemon.version}") as step:
        packages = _packages(go, source, module, env)
        argv = [str(go), *command(source, binary)]
        compiled = follow(argv, what=source.package, cwd=module, env=env, step=step, total=packages, compiles=_begins)
        step.note(f"{compiled} of {packages} packages compiled, the others came from the build cache")
    remove(work)
    record(draft, [binary, *shipped])


def _take(wanted: Sequence[Library], arch: str, folder: Path, go: Path) -> list[Path]:
    """Copy libraries from their modules, under the names the loader looks for."""
    taken = []
    for library in wanted:
        tree = download(library.module, library.version, library.sum, go=go, env=host_settings())
        inside = tree / library.files.get(arch, "")
        if not inside.is_file():
            raise ArtifactError(f"{library.module}@{library.version} has no {library.name} for {arch}")
        folder.mkdir(exist_ok=True)
        target = folder / library.name
        shutil.copyfile(inside, target)
        target.chmod(0o644)
        taken.append(target)
    return taken


def _tags(source: BuildSource) -> list[str]:
    return [f"-tags={','.join(source.tags)}"] if source.tags else []


def _packages(go: Path, source: BuildSource, work: Path, env: dict[str, str]) -> int:
    """The number of packages the daemon consists of; some may be compiled already."""
    listed = run([go, "list", "-deps", *_tags(source), source.package], cwd=work, env=env, check=False)
    return len(listed.stdout.splitlines())


def _begins(line: str) -> bool:
    """Whether `go build -v` names a package in this line, which is the only progress it reports."""
    return bool(line) and " " not in line
