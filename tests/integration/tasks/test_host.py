"""What a command needs from this machine: asked for together, installed where that is allowed, else told how."""

from __future__ import annotations

from pathlib import Path

import pytest

from goldnode.errors import HostError
from goldnode.tasks import host
from goldnode.tasks.host import Need, Tool


def program(folder: Path, name: str, script: str) -> Path:
    """Put a program of that name on the PATH that is ``folder``."""
    file = folder / name
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)
    return file


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A PATH with nothing on it; what is in /usr/sbin counts as absent too."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setattr(host, "SYSTEM_PATHS", ())
    return folder


@pytest.fixture
def packages(path: Path, tmp_path: Path) -> Path:
    """apt-get, which writes down how it was called, and a sudo that asks for no password; the record."""
    record = tmp_path / "record"
    program(path, "apt-get", f'echo "$DEBIAN_FRONTEND: $*" >>{record}')
    program(path, "sudo", 'while [ "${1#-}" != "$1" ]; do shift; done; exec "$@"')
    program(path, "true", "exit 0")
    return record


def test_everything_is_there(path: Path) -> None:
    """Nothing is done and nothing said when all tools are present, on PATH or at their place."""
    for name in ("qemu-img", "mcopy"):
        program(path, name, "exit 1")

    host.require([Need.IMAGE])

    assert Tool(str(path / "mcopy"), "mtools").present
    assert not Tool(str(path / "nosuch"), "mtools").present


def test_nothing_can_be_installed(path: Path) -> None:
    """Where nothing may be installed, one error names everything that is missing and the one command to type."""
    program(path, "mcopy", "exit 1")
    with pytest.raises(HostError, match=r"this machine lacks openssh-client, .*qemu-utils, xorriso") as caught:
        host.require([Need.IMAGE, Need.MACHINE])

    assert caught.value.hint.startswith("sudo apt-get install -y -q --no-install-recommends openssh-client ")
    assert "mtools" not in caught.value.hint


def test_missing_packages_are_installed(packages: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As root, or with a sudo that asks nothing, what is missing is installed, and that is said."""
    host.require([Need.IMAGE])

    expected = ["noninteractive: update -q",
                "noninteractive: install -y -q --no-install-recommends mtools qemu-utils"]  # fmt: skip
    assert expected == packages.read_text().splitlines()
    assert "installing mtools qemu-utils (once)" in capsys.readouterr().err


def test_an_installation_that_fails(path: Path, packages: Path) -> None:
    """When apt-get fails, its own words are in the error, and the command to type again is the hint."""
    program(path, "apt-get", "echo 'E: no space' >&2; exit 100")
    with pytest.raises(HostError, match="E: no space") as caught:
        host.require([Need.IMAGE])

    assert "sudo apt-get install -y -q --no-install-recommends mtools qemu-utils" == caught.value.hint
    assert not packages.exists()
