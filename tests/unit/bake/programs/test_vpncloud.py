"""What VPNCloud is built from and how cargo is told, decided without cargo."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from goldnode.bake.programs import compilers, vpncloud
from goldnode.bake.programs.vpncloud import CratePin
from goldnode.fetch.download import WrongBytesError

PINNED = CratePin("2.3.0", "27042f4e6eca7d0b2a7ee4026df2ecfa51d3339e6d122aa099118ecd8563bad9")


def keep(registry: Path, content: bytes, mirror: str = "one") -> Path:
    """Put a .crate file into cargo's cache."""
    file = registry / "cache" / mirror / "vpncloud-2.3.0.crate"
    file.parent.mkdir(parents=True)
    file.write_bytes(content)
    return file


def test_the_crate_and_all_it_needs_are_pinned() -> None:
    """The repository's lock file holds the version that node.yaml's mesh was written for, and every sha256."""
    pinned = vpncloud.pin()
    manifest = tomllib.loads((vpncloud.PINS / "Cargo.toml").read_text())

    assert ("2.3.0", "VpnCloud v2.3.0", 64) == (pinned.version, pinned.answer, len(pinned.sha256))
    assert f"={pinned.version}" == manifest["dependencies"]["vpncloud"]["version"]
    assert ["goldnode-vpncloud"] == [name for (name, _), sha256 in vpncloud._sums(vpncloud.PINS).items() if not sha256]


def test_only_the_pinned_bytes_are_taken(tmp_path: Path) -> None:
    """A crate of the right name and other bytes is passed over; with no other there is no build."""
    keep(tmp_path, b"another", "mirror")

    with pytest.raises(WrongBytesError, match=r"no vpncloud-2\.3\.0\.crate below .* has the pinned sha256 27042f4e"):
        vpncloud._crate(tmp_path, PINNED)

    right = keep(tmp_path, b"right")
    assert right == vpncloud._crate(tmp_path, PINNED)


def test_the_host_says_where_crates_come_from_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """Registry and cache are the operator's business; flags, wrappers and targets are ours."""
    monkeypatch.setenv("CARGO_HOME", "/srv/cargo")
    monkeypatch.setenv("CARGO_REGISTRIES_MIRROR_INDEX", "sparse+https://crates.example.org/")
    monkeypatch.setenv("RUSTFLAGS", "-Ctarget-cpu=native")
    monkeypatch.setenv("RUSTC_WRAPPER", "sccache")
    monkeypatch.setenv("CARGO_BUILD_TARGET", "wasm32-unknown-unknown")

    env = vpncloud.environment("amd64", Path("/build/source"), [Path("/srv/cargo/registry/src/host-1")])

    assert ("/srv/cargo", "sparse+https://crates.example.org/") == (
        env["CARGO_HOME"],
        env["CARGO_REGISTRIES_MIRROR_INDEX"],
    )
    assert env["CARGO_ENCODED_RUSTFLAGS"].split("\x1f") == [
        "-Ctarget-feature=+crt-static",
        "--remap-path-prefix=/build/source=/vpncloud",
        "--remap-path-prefix=/srv/cargo/registry/src/host-1=/crates",
    ]
    assert "" == env["RUSTC_WRAPPER"]
    assert {"RUSTFLAGS", "CARGO_BUILD_TARGET"}.isdisjoint(env)


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_another_architecture_takes_a_cross_compiler(machine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Linker and C compiler are the host's own only for the host's own architecture."""
    monkeypatch.setattr("platform.machine", lambda: machine)
    found = {arch: vpncloud.environment(arch, Path("/source"), []) for arch in vpncloud.TRIPLES}

    linkers = {
        "amd64": found["amd64"]["CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_LINKER"],
        "arm64": found["arm64"]["CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER"],
    }
    own = compilers.MACHINES[machine]
    assert {**compilers.CROSS_COMPILERS, own: "gcc"} == linkers
    assert linkers["arm64"] == found["arm64"]["CC_aarch64_unknown_linux_gnu"]


def test_cargos_lines_are_counted() -> None:
    """A crate that is begun is progress; cargo's other lines are not."""
    lines = [
        "   Compiling ring v0.16.20",
        "warning: Error building manpage",
        "    Finished release [optimized] target(s)",
    ]

    assert [True, False, False] == [vpncloud._begins(line) for line in lines]
