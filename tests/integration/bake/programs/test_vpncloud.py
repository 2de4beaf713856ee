"""VPNCloud really built from its crate: by the compiler that is here, and refused where a pin does not hold."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from goldnode.bake.programs import vpncloud
from goldnode.bake.programs.obtain import obtain
from goldnode.bake.programs.payload import Origin
from goldnode.config.network import load
from goldnode.errors import HostError
from goldnode.fetch import version
from goldnode.fetch.download import UnreachableError, WrongBytesError
from goldnode.files import sha256_file
from goldnode.node.system.machine import architecture
from goldnode.progress import SILENT

ARCH = architecture()


def pins(folder: Path, old: str, new: str) -> Path:
    """A copy of the pins with something else in its lock file."""
    shutil.copytree(vpncloud.PINS, folder)
    lock = folder / "Cargo.lock"
    lock.write_text(lock.read_text().replace(old, new))
    return folder


@pytest.mark.long
def test_a_network_with_the_mesh_gets_the_program() -> None:
    """It stands beside the daemon, was started here, and the manifest will name every crate in it."""
    payload = obtain(load("localnet").with_mesh("vpncloud"), ARCH, artifacts_dir=None, strict=True, progress=SILENT)
    (program,) = payload.programs
    (file,) = (entry for entry in payload.files if entry.path_on_image == "/usr/lib/goldnode/bin/vpncloud")
    document = program.document()

    version.check(file.source, "VpnCloud v2.3.0", ["--version"])
    assert (Origin.CRATE, "vpncloud@2.3.0", True) == (program.origin, program.module, program.started)
    assert document["sha256"] == sha256_file(file.source)
    assert any(crate.startswith("ring 0.16.20 ") for crate in document["crates"])


@pytest.mark.long
def test_the_same_inputs_give_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Built again in another folder, with crates fetched to another place, the program is the same."""
    first = sha256_file(vpncloud.build(ARCH, SILENT).binary)
    monkeypatch.setenv("GOLDNODE_CACHE", str(tmp_path / "another" / "cache"))
    monkeypatch.setenv("CARGO_HOME", str(tmp_path / "cargo"))

    again = vpncloud.build(ARCH, SILENT).binary

    assert first == sha256_file(again)
    assert str(tmp_path).encode() not in again.read_bytes()


@pytest.mark.long
def test_a_crate_that_is_not_what_was_pinned_is_refused(tmp_path: Path) -> None:
    """Cargo compares the registry's sha256 with ours before anything of it runs."""
    pinned = vpncloud.pin().sha256
    changed = pins(tmp_path / "pins", pinned, pinned[::-1])

    with pytest.raises(WrongBytesError, match="is not what its pin says"):
        vpncloud._fetch(changed, vpncloud.TRIPLES[ARCH], vpncloud.environment(ARCH, tmp_path, []))


@pytest.mark.long
def test_a_registry_that_does_not_answer_is_unreachable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cargo's own words are passed on."""
    monkeypatch.setenv("CARGO_HOME", str(tmp_path / "cargo"))
    monkeypatch.setenv("CARGO_NET_OFFLINE", "true")

    with pytest.raises(UnreachableError, match="crates of vpncloud cannot be obtained"):
        vpncloud._fetch(vpncloud.PINS, vpncloud.TRIPLES[ARCH], vpncloud.environment(ARCH, tmp_path, []))


def test_a_host_without_rust_is_told_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No compiler, no build, and the command that brings one."""
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(HostError, match="is not installed") as refused:
        vpncloud.rust_compiler(vpncloud.TRIPLES[ARCH])

    assert "apt-get install cargo rustc" == refused.value.hint


@pytest.mark.parametrize(("answer", "reason"), [("/nowhere/lib", "has no standard library"), ("", "is not installed")])
def test_a_compiler_without_the_target_is_named(
    answer: str, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rust without the architecture's library is found before anything is fetched."""
    rustc = tmp_path / "rustc"
    rustc.write_text(f"#!/bin/sh\n[ -n '{answer}' ] || exit 1\necho {answer}\n")
    rustc.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")

    with pytest.raises(HostError, match=reason):
        vpncloud.rust_compiler("riscv64gc-unknown-linux-gnu")
