"""What a chain's sources tell about their own build: module path, toolchain, package, CosmWasm, version stamps.

Read from go.mod by the go command itself, and from the Makefile by its habits; what is only guessed is
proven later, when the daemon is started and asked for its version.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from goldnode.errors import ArtifactError
from goldnode.run import CommandError, run

#: CosmWasm's virtual machine, at any major version.
WASMVM = re.compile(r"github\.com/CosmWasm/wasmvm(/v[0-9]+)?")
#: The first Go whose releases are toolchains by an exact name, and what older modules are built with.
EXACT = (1, 21)
OLD_MODULES = "go1.21.13"
SKIPPED = {".git", "vendor", "node_modules", "testdata"}
MAIN = re.compile(rb"^package main\b", re.MULTILINE)
#: Linker stamps of a Makefile whose value is a variable about the version.
STAMP = re.compile(r"-X[ =]'?\"?([\w./-]+\.[\w]+)=\$[({](\w*VERSION\w*)[)}]")
SDK = "github.com/cosmos/cosmos-sdk/version"


@dataclass(frozen=True, slots=True)
class Required:
    """A module that another one requires, after ``replace``."""

    path: str
    version: str


@dataclass(frozen=True, slots=True)
class GoTree:
    """A chain's sources.

    Attributes:
        folder: The folder with go.mod.
        module: The path that go.mod gives itself, whatever the repository is called.
        toolchain: Exact toolchain, as ``go1.23.4``.
        requires: What it requires, with ``replace`` applied.
        local_replaces: Folders that ``replace`` points to; they are not in a module's zip.
    """

    folder: Path
    module: str
    toolchain: str
    requires: tuple[Required, ...]
    local_replaces: tuple[str, ...]

    @property
    def wasmvm(self) -> Required | None:
        """CosmWasm's virtual machine, if the chain has one."""
        return next((entry for entry in self.requires if WASMVM.fullmatch(entry.path)), None)


def read(folder: Path, go: Path, what: str) -> GoTree:
    """Read the go.mod of a folder.

    Raises:
        ArtifactError: There is none (a Rust chain is named as such), or it cannot be read.
    """
    if not (folder / "go.mod").is_file():
        if (folder / "Cargo.toml").is_file():
            raise ArtifactError(
                f"{what} is written in Rust; goldnode can build only Go daemons",
                hint="name a published binary: daemon.release in networks/README.md",
            )
        raise ArtifactError(f"{what} has no go.mod: goldnode can build only Go modules")
    try:
        listed = run([go, "mod", "edit", "-json", str(folder / "go.mod")], cwd=Path("/"), env={"GOFLAGS": ""})
        content: dict[str, Any] = json.loads(listed.stdout)
    except (CommandError, ValueError) as error:
        raise ArtifactError(f"the go.mod of {what} cannot be read: {str(error)[:200]}") from error
    replaces = {entry["Old"]["Path"]: entry["New"] for entry in content.get("Replace") or ()}
    requires = tuple(_replaced(entry, replaces) for entry in content.get("Require") or ())
    local = tuple(new["Path"] for new in replaces.values() if new["Path"].startswith((".", "/")))
    return GoTree(folder, content["Module"]["Path"], toolchain(content), requires, local)


def toolchain(content: Mapping[str, Any]) -> str:
    """The exact toolchain that go.mod asks for; where it leaves the patch level open, the first release."""
    named = str(content.get("Toolchain") or "").removeprefix("go")
    number = named if re.fullmatch(r"1\.[0-9]+\.[0-9]+", named) else str(content.get("Go") or "")
    found = re.fullmatch(r"1\.([0-9]+)(?:\.([0-9]+))?", number)
    if not found or (1, int(found[1])) < EXACT:
        return OLD_MODULES
    return f"go1.{found[1]}.{found[2] or 0}"


def package(tree: GoTree, daemon: str, what: str) -> str:
    """The folder of the daemon's main package, as ``./cmd/wasmd``.

    Raises:
        ArtifactError: None belongs to the daemon; the message names those there are.
    """
    mains = sorted(_mains(tree.folder))
    named = named_package(mains, daemon)
    if named:
        return named
    commands = [path for path in mains if path == "cmd" or path.startswith("cmd/")]
    if len(commands) == 1:
        return f"./{commands[0]}"
    shown = ", ".join(mains[:8]) or "none"
    raise ArtifactError(
        f"{what} has no main package for {daemon}; it has {shown}", hint="write daemon.source.package, as ./cmd/wasmd"
    )


def named_package(mains: Sequence[str], daemon: str) -> str:
    """The one main package named like the daemon, best match first; empty if there is none."""
    name = daemon.lower()
    ranks = (
        [path for path in mains if path == f"cmd/{daemon}"],
        [path for path in mains if path.endswith(f"/cmd/{daemon}")],
        [path for path in mains if path.rpartition("/")[2].lower() == name],
    )
    one = next((found[0] for found in ranks if len(found) == 1), "")
    return f"./{one}" if one else ""


def module_of(folder: Path, daemon: str) -> Path:
    """The module that holds the daemon: the repository's root, or a folder with its own go.mod."""
    inner = sorted(path.parent for pattern in ("*/go.mod", "*/*/go.mod") for path in folder.glob(pattern))
    modules = [*([folder] if (folder / "go.mod").is_file() else []), *inner]
    holders = [place for place in modules if named_package(sorted(_mains(place)), daemon)]
    return next(iter(holders or modules), folder)


def needs_cgo(tree: GoTree) -> bool:
    """Whether the daemon is built with a C compiler: CosmWasm, or the Makefile says so."""
    return tree.wasmvm is not None or "CGO_ENABLED=1" in _makefile(tree.folder)


def ldflags(tree: GoTree, daemon: str, version: str, commit: str, tags: tuple[str, ...]) -> list[str]:
    """Version stamps, as the Makefile would set them."""
    flags = []
    if any("bytedance/sonic" in entry.path for entry in tree.requires):
        flags.append("-checklinkname=0")  # sonic reaches into the runtime, which Go 1.23 and later forbid
    if any(entry.path == "github.com/cosmos/cosmos-sdk" or "cosmos-sdk" in entry.path for entry in tree.requires):
        stamps = {
            "Name": daemon.removesuffix("d"), "AppName": daemon, "Version": version, "Commit": commit,
            "BuildTags": ",".join(tag for tag in tags if tag != "sys_wasmvm"),
        }  # fmt: skip
        flags += [f"-X {SDK}.{name}={value}" for name, value in stamps.items() if value]
    own = dict.fromkeys(variable for variable, _ in STAMP.findall(_makefile(tree.folder)) if SDK not in variable)
    return flags + [f"-X {variable}={version}" for variable in own if variable.startswith((tree.module, "main."))]


def _replaced(entry: Mapping[str, Any], replaces: Mapping[str, Mapping[str, Any]]) -> Required:
    new = replaces.get(entry["Path"])
    if new and new.get("Version"):
        return Required(new["Path"], new["Version"])
    return Required(entry["Path"], entry["Version"])


def _mains(folder: Path) -> Iterator[str]:
    """Folders with a main package below ``folder``; nested modules are skipped."""
    stack = [folder]
    while stack:
        place = stack.pop()
        if place != folder and (place / "go.mod").exists():
            continue
        inner = (path for path in place.iterdir() if path.name not in SKIPPED)
        stack += [path for path in inner if path.is_dir() and not path.is_symlink()]
        sources = (path for path in place.glob("*.go") if not path.name.endswith("_test.go"))
        if any(MAIN.search(path.read_bytes()) for path in sources if path.is_file()):
            yield place.relative_to(folder).as_posix()


def _makefile(folder: Path) -> str:
    path = folder / "Makefile"
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
