"""What a build is made from, and how the compiler is called."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from goldnode.bake.programs import compilers, gomodule
from goldnode.bake.programs.toolchain import usable
from goldnode.config import network

WASMD = network.load("localwasm").daemon
assert WASMD.source is not None
SOURCE = WASMD.source


def test_the_key_holds_every_input() -> None:
    """Whatever changes the bytes changes the key."""
    (library,) = WASMD.libraries
    variants = [
        (WASMD, SOURCE, "amd64", "gcc 12"),
        (WASMD, SOURCE, "arm64", "gcc 12"),
        (WASMD, SOURCE, "amd64", "gcc 14"),
        (replace(WASMD, name="other"), SOURCE, "amd64", "gcc 12"),
        (replace(WASMD, libraries=(replace(library, sum="h1:other"),)), SOURCE, "amd64", "gcc 12"),
        (WASMD, replace(SOURCE, module="other"), "amd64", "gcc 12"),
        (WASMD, replace(SOURCE, version="other"), "amd64", "gcc 12"),
        (WASMD, replace(SOURCE, sum="other"), "amd64", "gcc 12"),
        (WASMD, replace(SOURCE, package="other"), "amd64", "gcc 12"),
        (WASMD, replace(SOURCE, toolchain="other"), "amd64", "gcc 12"),
        (WASMD, replace(SOURCE, tags=()), "amd64", "gcc 12"),
        (WASMD, replace(SOURCE, ldflags=()), "amd64", "gcc 12"),
        (WASMD, replace(SOURCE, cgo=False), "amd64", "gcc 12"),
    ]
    keys = {gomodule.key(*variant) for variant in variants}

    assert len(keys) == len(variants)


def test_nothing_of_the_builder_gets_into_the_binary() -> None:
    """No paths, no build id, no VCS stamps, no symbols; the network file's flags come last."""
    words = gomodule.command(SOURCE, Path("/out/wasmd"))

    assert words[:4] == ["build", "-v", "-trimpath", "-buildvcs=false"]
    assert words[4] == "-tags=netgo,sys_wasmvm"
    assert words[5].startswith("-ldflags=-s -w -buildid= -checklinkname=0 -X ")
    assert words[6:] == ["-o", "/out/wasmd", "./cmd/wasmd"]


def test_the_environment_is_pinned(monkeypatch: pytest.MonkeyPatch) -> None:
    """The caller's Go settings decide where modules come from, and nothing about the bytes."""
    monkeypatch.setenv("GOPROXY", "https://proxy.example.org")
    monkeypatch.setenv("GOFLAGS", "-race")
    monkeypatch.setenv("CGO_LDFLAGS", "-lother")

    env = gomodule.environment(replace(SOURCE, cgo=False, toolchain="go1.25.5"), "arm64")

    assert env["GOPROXY"] == "https://proxy.example.org"
    assert (env["GOFLAGS"], env["GOWORK"], env["GOTOOLCHAIN"]) == ("-mod=readonly", "off", "go1.25.5")
    assert (env["CGO_ENABLED"], env["CGO_LDFLAGS"], env["GOARCH"]) == ("0", "", "arm64")


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_cgo_for_another_architecture_takes_a_cross_compiler(machine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The host's own compiler is used only for the host's own architecture."""
    monkeypatch.setattr("platform.machine", lambda: machine)
    own = compilers.MACHINES[machine]
    other = {"amd64": "arm64", "arm64": "amd64"}[own]

    assert "CC" not in gomodule.environment(SOURCE, own)
    assert gomodule.environment(SOURCE, other)["CC"] == compilers.CROSS_COMPILERS[other]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("go version go1.26.8 linux/amd64", True),
        ("go version go1.21.0 linux/arm64", True),
        ("go version go1.19.8 linux/amd64", False),
        ("go version devel", False),
        ("", False),
    ],
)
def test_an_old_go_is_not_used(answer: str, expected: bool) -> None:
    """Before 1.21 Go does not fetch the pinned toolchain: Debian 12's is such a one."""
    assert usable(answer) is expected
