"""VPNCloud, built from its crate for images that offer it as a mesh: fetched by sha256, built with its own lock file.

Where crates come from is the operator's own cargo setting.  ``requirements/vpncloud`` pins the crate;
cargo fetches it from there and runs nothing; only bytes with that hash are unpacked, and their
Cargo.lock pins all others.  The same inputs, the compilers among them, give the same bytes: no paths,
one codegen unit, and the C library linked in, so that the image's own does not matter.
"""

from __future__ import annotations

import hashlib
import json
import os
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from goldnode.bake.programs.build_cache import cached, is_whole, record, remove
from goldnode.bake.programs.compilers import CROSS_COMPILERS, c_compiler, follow, native
from goldnode.errors import HostError
from goldnode.fetch.download import UnreachableError, WrongBytesError
from goldnode.files import sha256_file, write_json
from goldnode.paths import REPOSITORY, cache
from goldnode.progress import Progress
from goldnode.run import CommandError, run

NAME = "vpncloud"
#: A cargo project that depends on the crate and is never built.
PINS = REPOSITORY / "requirements" / NAME
#: Increase this when this module builds different bytes from the same inputs.
RECIPE = 1
#: Prefixes of the settings that say where crates come from and where they are kept: handed on unchanged.
HOST_SETTINGS = ("CARGO_HOME", "CARGO_HTTP_", "CARGO_NET_", "CARGO_REGISTR", "CARGO_SOURCE_", "RUSTUP_")
TRIPLES = {"amd64": "x86_64-unknown-linux-gnu", "arm64": "aarch64-unknown-linux-gnu"}
#: It does not compile without "nat"; the other features are useless on a node.
FEATURES = ("--no-default-features", "--features", "nat")
#: Seconds for whatever cargo does besides compiling.
TIMEOUT = 600.0


@dataclass(frozen=True, slots=True)
class CratePin:
    """A crate's version, and the sha256 of its .crate file."""

    version: str
    sha256: str

    @property
    def answer(self) -> str:
        """What the program prints for ``--version``."""
        return f"VpnCloud v{self.version}"


@dataclass(frozen=True, slots=True)
class BuiltCrate:
    """What a build left in the cache.

    Attributes:
        binary: The program.
        crates: What it was built from: name, version and sha256 of each.
        toolchain: The compiler's version.
    """

    binary: Path
    crates: tuple[str, ...]
    toolchain: str


def pin() -> CratePin:
    """The crate that ``requirements/vpncloud`` names."""
    ((version, sha256),) = ((version, sha256) for (name, version), sha256 in _sums(PINS).items() if name == NAME)
    return CratePin(version, sha256)


def build(arch: str, progress: Progress) -> BuiltCrate:
    """The program, from the cache or freshly built; concurrent callers build it once.

    Raises:
        ArtifactError: A crate cannot be obtained, or does not match its pin.
        BakeError: It does not compile.
        HostError: There is no Rust or C compiler for ``arch``.
    """
    triple = TRIPLES[arch]
    compiler = rust_compiler(triple)
    pinned = pin()
    inputs = {"recipe": RECIPE, "arch": arch, "rust": compiler, "c": c_compiler(arch), **asdict(pinned)}
    home = cache() / "builds" / hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()

    def make(draft: Path) -> None:
        _make(pinned, arch, draft, progress)

    cached(home, is_whole, make)
    return BuiltCrate(home / NAME, tuple(json.loads((home / "crates.json").read_text())), compiler.splitlines()[0])


def rust_compiler(triple: str) -> str:
    """The Rust compiler's description of itself, because it decides the bytes.

    Raises:
        HostError: There is none, or it has no standard library for the target.
    """
    env = settings(os.environ)
    try:
        library = run(["rustc", "--print", "target-libdir", "--target", triple], cwd=PINS, env=env).stdout.strip()
        if Path(library).is_dir():
            return run(["rustc", "--version", "--verbose"], cwd=PINS, env=env).stdout
    except (HostError, CommandError) as error:
        raise HostError(
            f"{NAME} is built with rustc, which is not installed", hint="apt-get install cargo rustc"
        ) from error
    raise HostError(f"rustc has no standard library for {triple}", hint=f"rustup target add {triple}")


def settings(environ: Mapping[str, str]) -> dict[str, str]:
    """The variables of the caller's environment that say where crates and compilers are."""
    return {name: value for name, value in environ.items() if name.startswith(HOST_SETTINGS)}


def environment(arch: str, source: Path, sources: list[Path]) -> dict[str, str]:
    """The environment of cargo, whatever its configuration on this host says.

    Args:
        arch: The machine that the program is for.
        source: The unpacked crate.
        sources: Folders with the unpacked crates it depends on; their names differ from host to host.
    """
    triple = TRIPLES[arch]
    compiler = "gcc" if native(arch) else CROSS_COMPILERS[arch]
    places = {str(source): "/vpncloud", **{str(folder): "/crates" for folder in sources}}
    flags = ["-Ctarget-feature=+crt-static", *(f"--remap-path-prefix={path}={to}" for path, to in places.items())]
    return {
        **settings(os.environ),
        # Before 1.68 cargo would clone the whole index; Debian 12's, 1.65, has this instead, later ones ignore it.
        "CARGO_UNSTABLE_SPARSE_REGISTRY": "true",
        "CARGO_TARGET_DIR": str(source / "target"),
        "CARGO_ENCODED_RUSTFLAGS": "\x1f".join(flags),
        "CARGO_PROFILE_RELEASE_CODEGEN_UNITS": "1",
        "CARGO_PROFILE_RELEASE_STRIP": "symbols",
        f"CARGO_TARGET_{_variable(triple).upper()}_LINKER": compiler,
        "RUSTC_WRAPPER": "",
        f"CC_{_variable(triple)}": compiler,
        "CFLAGS": " ".join(f"-ffile-prefix-map={path}={to}" for path, to in places.items()),
    }


def _make(pinned: CratePin, arch: str, draft: Path, progress: Progress) -> None:
    """Fill ``draft`` with the program, crates.json and build.json."""
    triple, source = TRIPLES[arch], draft / "source"
    registry = Path(os.environ.get("CARGO_HOME") or Path.home() / ".cargo") / "registry"
    with progress.step(f"fetch {NAME} {pinned.version}"):
        env = environment(arch, source, [])
        _fetch(PINS, triple, env)
        source.mkdir()
        run(["tar", "-xzf", _crate(registry, pinned), "--strip-components=1", "-C", source])
        _fetch(source, triple, env)
    env = environment(arch, source, sorted((registry / "src").iterdir()))
    # Where asciidoctor is installed, the crate's build script puts a manual page there.
    (source / "target").mkdir()
    with progress.step(f"build {NAME} {pinned.version}") as step:
        crates = _crates(source, triple, env)
        argv = ["cargo", "build", "--release", "--frozen", *FEATURES, "--bin", NAME, "--target", triple]
        follow(argv, what=NAME, cwd=source, env=env, step=step, total=len(crates) + 1, compiles=_begins)
    (source / "target" / triple / "release" / NAME).rename(draft / NAME)
    write_json(draft / "crates.json", crates)
    remove(source)
    record(draft, [draft / NAME, draft / "crates.json"])


def _fetch(project: Path, triple: str, env: dict[str, str]) -> None:
    """Have cargo download what a project's Cargo.lock names; it compares every sha256.

    Raises:
        UnreachableError: The registry does not give it.
        WrongBytesError: Something is not what the lock file says.
    """
    done = run(["cargo", "fetch", "--locked", "--target", triple], cwd=project, env=env, check=False, timeout=TIMEOUT)
    if not done.returncode:
        return
    said = "\n  ".join(done.stderr.strip().splitlines()[-10:])
    if "checksum" in done.stderr:
        raise WrongBytesError(f"a crate of {NAME} is not what its pin says:\n  {said}",
                              hint="never change a pin to make an error go away")  # fmt: skip
    raise UnreachableError(f"crates of {NAME} cannot be obtained:\n  {said}", hint="cargo search vpncloud")


def _crate(registry: Path, pinned: CratePin) -> Path:
    """The pinned .crate file in cargo's cache.

    Raises:
        WrongBytesError: The file there does not match the pin.
    """
    for file in sorted((registry / "cache").glob(f"*/{NAME}-{pinned.version}.crate")):
        if sha256_file(file) == pinned.sha256:
            return file
    raise WrongBytesError(
        f"no {NAME}-{pinned.version}.crate below {registry} has the pinned sha256 {pinned.sha256}",
        hint=f"rm {registry}/cache/*/{NAME}-{pinned.version}.crate",
    )


def _crates(source: Path, triple: str, env: dict[str, str]) -> list[str]:
    """Every crate that the program is built from, with its sha256, sorted."""
    shown = run(["cargo", "tree", "--frozen", *FEATURES, "--edges", "normal,build", "--target", triple,
                 "--prefix", "none", "--format", "{p}"], cwd=source, env=env, timeout=TIMEOUT).stdout  # fmt: skip
    used = {(words[0], words[1].removeprefix("v")) for words in map(str.split, shown.splitlines()) if words}
    return [f"{name} {version} {sha256}" for (name, version), sha256 in sorted(_sums(source).items())
            if (name, version) in used and name != NAME]  # fmt: skip


def _sums(project: Path) -> dict[tuple[str, str], str]:
    """The sha256 of every crate that a Cargo.lock names, by name and version; empty for the project itself."""
    packages = tomllib.loads((project / "Cargo.lock").read_text(encoding="utf-8"))["package"]
    return {(package["name"], package["version"]): package.get("checksum", "") for package in packages}


def _variable(triple: str) -> str:
    """A target as environment variables spell it."""
    return triple.replace("-", "_")


def _begins(line: str) -> bool:
    """Whether cargo begins a crate in this line."""
    return line.strip().startswith("Compiling ")
