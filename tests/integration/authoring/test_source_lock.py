"""Builds pinned out of a repository and a tag, with real repositories, a module proxy and the go command."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from goldnode.authoring import lockfile
from goldnode.authoring.source_lock import Resolver, check_tags
from goldnode.bake.programs import gitsource, gomodule, toolchain
from goldnode.config import network
from goldnode.errors import ArtifactError, BakeError, SafetyError
from goldnode.fetch import version
from goldnode.fetch.download import UnreachableError, WrongBytesError
from goldnode.progress import SILENT
from tests.integration.bake.goproxy import GoProxy
from tests.support.repositories import DAEMON, Repository, daemon_files, go_version

FILE = """\
# A chain of mine.
version: 1
chain_id: example-1
daemon:
  name: exampled
  version: 1.2.0
  home: .example
  source: {{git: "{git}", tag: {tag}}} # where they release
genesis: {{private: true}}
"""


@pytest.fixture(scope="module")
def go() -> Path:
    """A go command."""
    return toolchain.go(SILENT)


@pytest.fixture
def proxy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> GoProxy:
    """An empty module proxy, and a cache of our own."""
    made = GoProxy(tmp_path / "proxy")
    made.root.mkdir()
    for name, value in {**made.env, "GOFLAGS": "-modcacherw", "GOLDNODE_CACHE": str(tmp_path / "cache")}.items():
        monkeypatch.setenv(name, value)
    return made


@pytest.fixture
def repository(tmp_path: Path, go: Path) -> Repository:
    """A repository with the release v1.2.0."""
    made = Repository(tmp_path / "repository")
    made.commit(daemon_files("example.org/elsewhere/chain", go_version(go)), "v1.2.0")
    return made


def lock(folder: Path, git: str, go: Path, tag: str = "v1.2.0") -> tuple[network.Network, list[str]]:
    """Lock a file that names a repository and a tag; what it is then, and the remarks."""
    path = folder / "example.yaml"
    path.write_text(FILE.format(git=git, tag=tag))
    resolver = Resolver(go, SILENT)
    lockfile.lock_sources(path, resolver.resolved)
    return network.load(path), resolver.remarks


def built(made: network.Network, go: Path) -> Path:
    """Build what a file pins."""
    assert made.daemon.source is not None
    return gomodule.build(made.daemon, made.daemon.source, "amd64", go=go, progress=SILENT).binary


@pytest.mark.usefixtures("proxy")
def test_a_repository_and_a_tag_become_a_pinned_build(tmp_path: Path, repository: Repository, go: Path) -> None:
    """Whatever go.mod calls the module: commit and sum are pinned, it builds, and it is the version it should be."""
    made, _ = lock(tmp_path, repository.url, go)
    source = made.daemon.source
    assert source is not None

    version.check(built(made, go), "1.2.0", [])

    assert (repository.git("rev-parse", "v1.2.0^{commit}"), "./cmd/exampled") == (source.commit, source.package)
    assert (f"go{go_version(go)}", "", False) == (source.toolchain, source.module, source.cgo)
    assert made.unpinned("amd64") == ()
    assert "# where they release" in (tmp_path / "example.yaml").read_text()


@pytest.mark.usefixtures("proxy")
def test_a_moved_tag_is_refused_by_name(tmp_path: Path, repository: Repository, go: Path) -> None:
    """The pinned commit stays; the tag that names another one is named, with both."""
    made, _ = lock(tmp_path, repository.url, go)
    pinned = made.document["daemon"]["source"]
    moved = repository.commit({"extra.txt": "x"}, "v1.2.0", force=True)

    with pytest.raises(
        SafetyError, match=f"tag v1.2.0 of .* was moved: it names commit {moved}, pinned is {pinned['commit']}"
    ):
        check_tags([pinned])

    version.check(built(made, go), "1.2.0", [])


@pytest.mark.usefixtures("proxy")
def test_what_only_the_tag_gives_must_be_the_pinned_commit(tmp_path: Path, repository: Repository) -> None:
    """Where a server gives no commits by hash, a moved tag is found out at the bake."""
    repository.commit({"extra.txt": "x"}, "v1.2.0", force=True)

    with pytest.raises(WrongBytesError, match=r"tag v1\.2\.0 of .* was moved"):
        gitsource.checkout(repository.url, "0" * 40, "v1.2.0", tmp_path / "out")


@pytest.mark.usefixtures("proxy")
def test_a_replaced_fork_inside_the_repository_is_built(tmp_path: Path, repository: Repository, go: Path) -> None:
    """`replace` counts, because the daemon is built as the main module."""
    files = {
        "go.mod": f"module example.org/chain\n\ngo {go_version(go)}\n\nrequire example.org/sdk v1.0.0\n\n"
        "replace example.org/sdk => ./fork\n",
        "fork/go.mod": "module example.org/sdk\n",
        "fork/sdk.go": 'package sdk\n\nvar Version = "forked"\n',
        "cmd/exampled/main.go": 'package main\n\nimport (\n"fmt"\n"example.org/sdk"\n)\n\n'
        "func main() { fmt.Println(sdk.Version) }\n",
    }
    repository.commit(files, "v1.3.0")

    made, _ = lock(tmp_path, repository.url, go, "v1.3.0")

    version.check(built(made, go), "forked", [])


@pytest.mark.usefixtures("proxy")
def test_a_submodule_is_part_of_the_pin(tmp_path: Path, repository: Repository, go: Path) -> None:
    """Its files are built, and files that are not the pinned ones are refused."""
    inner = Repository(tmp_path / "inner")
    inner.commit({"text.go": 'package inner\n\nvar Text = "from a submodule"\n'})
    repository.git("submodule", "--quiet", "add", inner.url, "inner")
    main = DAEMON.replace('import "fmt"', 'import (\n"fmt"\n"example.org/elsewhere/chain/inner"\n)')
    repository.commit({"cmd/exampled/main.go": main.replace("Println(version)", "Println(inner.Text)")}, "v1.4.0")
    made, _ = lock(tmp_path, repository.url, go, "v1.4.0")

    version.check(built(made, go), "from a submodule", [])
    path = tmp_path / "example.yaml"
    sum_ = made.document["daemon"]["source"]["sum"]
    path.write_text(path.read_text().replace(sum_, "h1:" + "A" * 43 + "="))

    with pytest.raises(WrongBytesError, match="the sum of its files is"):
        built(network.load(path), go)


@pytest.mark.usefixtures("proxy")
def test_a_daemon_in_a_module_inside_the_repository_is_found(tmp_path: Path, go: Path) -> None:
    """A folder with a go.mod of its own, as dYdX has it."""
    files = daemon_files("example.org/chain/protocol", go_version(go))
    inner = Repository(tmp_path / "nested")
    inner.commit({f"protocol/{name}": content for name, content in files.items()}, "protocol/v1.2.0")

    made, _ = lock(tmp_path, inner.url, go, "protocol/v1.2.0")

    assert made.daemon.source is not None
    assert made.daemon.source.package == "./protocol/cmd/exampled"
    version.check(built(made, go), "1.2.0", [])


@pytest.mark.usefixtures("proxy")
@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ({"go.mod": None, "Cargo.toml": "[package]\n"}, "is written in Rust"),
        ({"go.mod": None}, "has no go.mod"),
        ({"go.mod": "nonsense\n"}, "cannot be read"),
        ({"cmd/exampled/main.go": "package other\n"}, "has no main package for exampled; it has none"),
    ],
)
def test_what_is_no_go_daemon_is_named(
    tmp_path: Path, repository: Repository, go: Path, files: dict[str, str | None], reason: str
) -> None:
    """Rust, no module, a broken one, no such program: one sentence, and the file stays."""
    for name in [name for name, content in files.items() if content is None]:
        (repository.folder / name).unlink()
    repository.commit({name: content for name, content in files.items() if content}, "v2.0.0")

    with pytest.raises(ArtifactError, match=reason):
        lock(tmp_path, repository.url, go, "v2.0.0")

    assert (tmp_path / "example.yaml").read_text() == FILE.format(git=repository.url, tag="v2.0.0")


@pytest.mark.usefixtures("proxy")
def test_a_toolchain_that_is_too_old_is_the_builds_fault(tmp_path: Path, repository: Repository, go: Path) -> None:
    """A person's pin counts over go.mod's, and Go's own words say what is wrong."""
    made, _ = lock(tmp_path, repository.url, go)
    document = json.loads(json.dumps(dict(made.document)))
    document["daemon"]["source"]["toolchain"] = "local"
    repository.commit({"go.mod": "module example.org/elsewhere/chain\n\ngo 1.999.0\n"}, "v1.5.0")
    commit = repository.git("rev-parse", "v1.5.0^{commit}")
    gitsource.checkout(repository.url, commit, "", tmp_path / "files")
    document["daemon"]["source"] |= {"commit": commit, "sum": gitsource.tree_sum(tmp_path / "files")}

    with pytest.raises(BakeError, match=r"go.mod requires go >= 1\.999"):
        built(network.Network.from_document(document), go)


@pytest.mark.parametrize("tag", ["v1.9.9", "nope"])
def test_a_tag_that_is_not_there_is_named(
    tmp_path: Path, repository: Repository, go: Path, proxy: GoProxy, tag: str
) -> None:
    """With the command that lists those there are."""
    assert proxy.root.is_dir()
    with pytest.raises(ArtifactError, match=f"has no tag {tag}") as caught:
        lock(tmp_path, repository.url, go, tag)

    assert caught.value.hint == f"git ls-remote --tags {repository.url}"


def served(proxy: GoProxy, go: Path, path: str, release: str, **how: Any) -> str:
    """Publish the example as a module."""
    files = {name: content.encode() for name, content in daemon_files(path, go_version(go)).items()}
    return proxy.publish(path, release, files, **how)


def redirected(folder: Path, monkeypatch: pytest.MonkeyPatch, repository: Repository) -> None:
    """Have git find https://github.com/o/chain in a folder, as an operator's mirror would be."""
    config = folder / "gitconfig"
    config.write_text(f'[url "{repository.url}"]\n\tinsteadOf = https://github.com/o/chain\n')
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(config))
    monkeypatch.setenv("GIT_ALLOW_PROTOCOL", "https:file")


def test_the_module_proxy_is_the_first_way(
    tmp_path: Path, repository: Repository, go: Path, proxy: GoProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Path with its major version, the module's own sum, and the commit that both name."""
    redirected(tmp_path, monkeypatch, repository)
    commit = repository.commit({}, "v4.1.0")
    total = served(proxy, go, "github.com/o/chain/v4", "v4.1.0", commit=commit)

    made, _ = lock(tmp_path, "https://github.com/o/chain", go, "v4.1.0")
    source = made.daemon.source

    assert source is not None
    assert ("github.com/o/chain/v4", "v4.1.0", total, commit) == (
        source.module,
        source.version,
        source.sum,
        source.commit,
    )
    version.check(built(made, go), "1.2.0", [])


def test_a_tag_that_proxy_and_git_disagree_about_is_refused(
    tmp_path: Path, repository: Repository, go: Path, proxy: GoProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The proxy keeps what it once gave, so it notices."""
    redirected(tmp_path, monkeypatch, repository)
    served(proxy, go, "github.com/o/chain", "v1.2.0", commit="b" * 40)

    with pytest.raises(
        SafetyError, match=f"tag v1.2.0 of .* was moved: git names commit .*, the module proxy keeps {'b' * 40}"
    ):
        lock(tmp_path, "https://github.com/o/chain", go)


def test_a_tag_without_its_major_suffix_goes_by_a_pseudo_version(
    tmp_path: Path, repository: Repository, go: Path, proxy: GoProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """v5.9.0 of a module that never became /v5 is known by its commit."""
    redirected(tmp_path, monkeypatch, repository)
    commit = repository.commit({}, "v5.9.0")
    pseudo = f"v0.0.0-20260101000000-{commit[:12]}"
    served(proxy, go, "github.com/o/chain", pseudo, commit=commit, query=commit)

    made, _ = lock(tmp_path, "https://github.com/o/chain", go, "v5.9.0")

    assert made.daemon.source is not None
    assert ("github.com/o/chain", pseudo) == (made.daemon.source.module, made.daemon.source.version)
    version.check(built(made, go), "1.2.0", [])


def test_cosmwasm_brings_its_library(tmp_path: Path, repository: Repository, go: Path, proxy: GoProxy) -> None:
    """The library of the version that go.mod names after `replace`, a C compiler, and the tag that links it by name."""
    library = {"go.mod": b"module github.com/CosmWasm/wasmvm/v2\n", "internal/api/libwasmvm.x86_64.so": b"ELF"}
    total = proxy.publish("github.com/CosmWasm/wasmvm/v2", "v2.2.4", library)
    files = daemon_files("example.org/chain", go_version(go))
    files["go.mod"] += (
        "\nrequire github.com/CosmWasm/wasmvm/v2 v2.0.0\n\n"
        "replace github.com/CosmWasm/wasmvm/v2 => github.com/CosmWasm/wasmvm/v2 v2.2.4\n"
    )
    repository.commit(files, "v1.6.0")

    made, _ = lock(tmp_path, repository.url, go, "v1.6.0")
    (found,) = made.daemon.libraries

    assert ("libwasmvm.so", "v2.2.4", total) == (found.name, found.version, found.sum)
    assert {"amd64": "internal/api/libwasmvm.x86_64.so"} == found.files
    assert made.daemon.source is not None
    assert (True, ("netgo", "sys_wasmvm")) == (made.daemon.source.cgo, made.daemon.source.tags)


def test_when_nobody_gives_the_sources_both_ways_are_named(tmp_path: Path, go: Path, proxy: GoProxy) -> None:
    """One sentence, the commands to look for oneself, and no change."""
    assert proxy.root.is_dir()
    with pytest.raises(UnreachableError, match="available neither from the module proxy nor by git") as caught:
        lock(tmp_path, (tmp_path / "nowhere").as_uri(), go)

    assert "git ls-remote" in caught.value.hint
