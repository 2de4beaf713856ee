"""Makes a pinned build of a repository and a tag: what ``network lock`` does with ``daemon.source``.

The Go module proxy is asked first, because it keeps what it once gave; where it has no such module,
git gives the commit.  Both must agree on what the tag names, and a tag that was moved since it was
pinned is refused by name.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from goldnode.authoring import go_tree
from goldnode.authoring.go_tree import GoTree, Required
from goldnode.bake.programs import gitsource, gomodule
from goldnode.errors import ArtifactError, SafetyError
from goldnode.fetch.download import UnreachableError
from goldnode.progress import Progress

#: Names of CosmWasm's library inside its module, per architecture; older modules keep them in api/.
WASMVM_FILES = {"amd64": "libwasmvm.x86_64.so", "arm64": "libwasmvm.aarch64.so"}
DECLARED = re.compile(r"module declares its path as: (\S+)")


@dataclass(frozen=True, slots=True)
class Sources:
    """Where the sources of a tag are, and how the tag is pinned.

    Attributes:
        folder: The files.
        pin: The fields of ``daemon.source`` that say where they come from.
    """

    folder: Path
    pin: Mapping[str, str]


@dataclass(slots=True)
class Resolver:
    """Turns drafts into pinned sources.

    Attributes:
        go: The go command.
        progress: Receives progress.
        remarks: What was guessed or is in doubt.
    """

    go: Path
    progress: Progress
    remarks: list[str] = field(default_factory=list)

    def resolved(self, draft: Mapping[str, Any], daemon: str, version: str) -> dict[str, Any]:
        """The daemon's ``source`` and ``libraries``; what a person wrote into the draft is kept.

        Args:
            draft: ``git`` and ``tag``, and whatever a person knows better.
            daemon: The daemon's name.
            version: What it has to answer.

        Raises:
            ArtifactError: The sources are not available, or are not a Go daemon.
            SafetyError: The tag was moved.
        """
        what = f"{draft['git']} at {draft['tag']}"
        with tempfile.TemporaryDirectory(prefix="goldnode-source-") as place:
            with self.progress.step(f"fetch {what}"):
                sources, tree = self._sources(draft, daemon, Path(place), what)
            package = draft.get("package") or go_tree.package(tree, daemon, what)
            libraries = self._libraries(tree.wasmvm, what)
            tags = tuple(draft.get("tags") or ["netgo", *(["sys_wasmvm"] if libraries else [])])
            commit = sources.pin.get("commit", "")
            source = {
                **sources.pin,
                "package": self._inside(package, sources, tree),
                "toolchain": draft.get("toolchain") or tree.toolchain,
                "cgo": draft.get("cgo", go_tree.needs_cgo(tree)),
                "tags": list(tags),
                "ldflags": draft.get("ldflags") or go_tree.ldflags(tree, daemon, version, commit, tags),
            }
        self.remarks.append(f"{what}: version stamps are guessed; the bake starts {daemon} and asks it")
        return {"source": {**source, **draft}} | ({"libraries": libraries} if libraries else {})

    def _sources(self, draft: Mapping[str, Any], daemon: str, place: Path, what: str) -> tuple[Sources, GoTree]:
        """The files: from the module proxy if it has the whole build, else from git."""
        commit = self._commit(draft)
        found = self._from_proxy(draft, commit, what)
        if found:
            tree = go_tree.read(found.folder, self.go, what)
            lacking = self._lacking(tree, draft, daemon, what)
            if not lacking:
                return found, tree
            if not commit:
                raise ArtifactError(f"{what}: {lacking}", hint=f"git ls-remote {draft['git']}")
            self.remarks.append(f"{what}: {lacking}, so the sources come from git")
        if not commit:
            raise UnreachableError(
                f"{what} is available neither from the module proxy nor by git",
                hint=f"git ls-remote {draft['git']}; go env GOPROXY",
            )
        folder = place / "source"
        gitsource.checkout(draft["git"], commit, draft["tag"], folder)
        pin = {"git": draft["git"], "tag": draft["tag"], "commit": commit, "sum": gitsource.tree_sum(folder)}
        named = draft.get("package")
        module = gomodule.module_folder(folder, named) if named else go_tree.module_of(folder, daemon)
        return Sources(folder, pin), go_tree.read(module, self.go, what)

    def _lacking(self, tree: GoTree, draft: Mapping[str, Any], daemon: str, what: str) -> str:
        """What the build needs and a module's zip lacks: folders with their own go.mod are not in it."""
        if tree.local_replaces:
            return f"go.mod replaces a module by the folder {tree.local_replaces[0]}"
        try:
            return "" if draft.get("package") else go_tree.package(tree, daemon, what) and ""
        except ArtifactError as error:
            return error.message.removeprefix(f"{what} ")

    def _commit(self, draft: Mapping[str, Any]) -> str:
        """The commit that the tag names today; empty if git cannot be asked."""
        try:
            return gitsource.tag_commit(draft["git"], draft["tag"])
        except UnreachableError as error:
            self.remarks.append(f"git could not be asked what {draft['tag']} names: {error.message}")
            return ""

    def _from_proxy(self, draft: Mapping[str, Any], commit: str, what: str) -> Sources | None:
        env = gomodule.host_settings() | {"GOWORK": "off", "GOFLAGS": "-mod=mod"}
        asked = list(candidates(draft["git"], draft["tag"], commit))
        for path, version in asked:
            answer = gomodule.ask(path, version, go=self.go, env=env)
            declared = DECLARED.search(answer.get("Error", ""))
            if declared and (declared[1], version) not in asked:
                asked.append((declared[1], version))  # a module's path may differ from its repository's
            if "Error" in answer:
                continue
            origin = answer.get("Origin", {}).get("Hash", "")
            if origin and commit and origin != commit:
                raise SafetyError(
                    f"tag {draft['tag']} of {draft['git']} was moved: git names commit {commit}, "
                    f"the module proxy keeps {origin}",
                    hint="ask the project which of the two is its release",
                )
            pin = {"git": draft["git"], "tag": draft["tag"], "commit": commit or origin, "module": answer["Path"],
                   "version": answer["Version"], "sum": answer["Sum"]}  # fmt: skip
            return Sources(Path(answer["Dir"]), {key: value for key, value in pin.items() if value})
        if asked:
            self.remarks.append(f"{what}: the module proxy has none of {', '.join(path for path, _ in asked)}")
        return None

    def _inside(self, package: str, sources: Sources, tree: GoTree) -> str:
        """A package's folder relative to the sources' root."""
        prefix = tree.folder.relative_to(sources.folder).as_posix()
        return package if prefix == "." or package.startswith(f"./{prefix}") else f"./{prefix}/{package[2:]}"

    def _libraries(self, wasmvm: Required | None, what: str) -> list[dict[str, Any]]:
        """CosmWasm's library, from its own module."""
        if wasmvm is None:
            return []
        answer = gomodule.ask(wasmvm.path, wasmvm.version, go=self.go, env=gomodule.host_settings())
        if "Error" in answer:
            raise UnreachableError(
                f"{what} needs {wasmvm.path}@{wasmvm.version}, which is not available: {answer['Error']}",
                hint="go env GOPROXY",
            )
        root = Path(answer["Dir"])
        files = {
            arch: inside
            for arch, name in WASMVM_FILES.items()
            for inside in (f"internal/api/{name}", f"api/{name}")
            if (root / inside).is_file()
        }
        if not files:
            raise ArtifactError(f"{wasmvm.path}@{wasmvm.version} contains no library for Linux")
        return [{"name": "libwasmvm.so", "module": answer["Path"], "version": answer["Version"], "sum": answer["Sum"],
                 "files": files}]  # fmt: skip


def candidates(git: str, tag: str, commit: str) -> Iterator[tuple[str, str]]:
    """Possible module paths and versions for a repository's tag, likeliest first.

    ``protocol/v9.6.1`` is version 9.6.1 of the module in the folder protocol.  A tag without the
    major version in its module's path is known by its commit only (a pseudo-version).
    """
    parts = urlsplit(git)
    base = f"{parts.netloc.rpartition('@')[2]}{parts.path}".rstrip("/").removesuffix(".git")
    if parts.scheme == "file":
        return
    folder, _, last = tag.rpartition("/")
    base = f"{base}/{folder}" if folder else base
    found = re.fullmatch(r"v?([0-9]+)\.([0-9]+)(?:\.([0-9]+.*))?", last)
    if found:
        version = f"v{found[1]}.{found[2]}.{found[3] or 0}"
        if int(found[1]) > 1:
            yield f"{base}/v{found[1]}", version
        else:
            yield base, version
    if commit:
        yield base, commit
        if found and int(found[1]) > 1:
            yield f"{base}/v{found[1]}", commit


def check_tags(sources: Sequence[Mapping[str, Any]]) -> list[str]:
    """Ask git whether the tags of pinned sources still name the same commits.

    Returns:
        A remark for each repository that could not be asked.

    Raises:
        SafetyError: A tag was moved.
    """
    remarks = []
    for source in sources:
        if not (source.get("commit") and source.get("tag")):
            continue
        try:
            commit = gitsource.tag_commit(source["git"], source["tag"])
        except UnreachableError as error:
            remarks.append(f"git could not be asked what {source['tag']} names: {error.message}")
            continue
        if commit != source["commit"]:
            raise SafetyError(
                f"tag {source['tag']} of {source['git']} was moved: it names commit {commit}, "
                f"pinned is {source['commit']}",
                hint="ask the project why; a release that changes after it was published is a warning sign",
            )
    return remarks
