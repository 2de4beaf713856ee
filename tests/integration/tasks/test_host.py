"""What a command needs from this machine: asked for together, installed where that is allowed, else told how."""

from __future__ import annotations

from pathlib import Path

import pytest

from goldnode.errors import HostError
from goldnode.run import run
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
    monkeypatch.setenv("GOLDNODE_CACHE", str(tmp_path / "cache"))
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


@pytest.mark.long
def test_debian_12_has_packer(tmp_path: Path) -> None:
    """The package comes from the mirror, its index signed by Debian; it is the templates' Packer."""
    file = host.download("packer", "bookworm", tmp_path)
    run(["dpkg-deb", "-x", file, tmp_path / "tree"])

    assert run([tmp_path / "tree/usr/bin/packer", "version"]).stdout.startswith("Packer v1.6.6")


def test_an_installation_that_fails(path: Path, packages: Path) -> None:
    """When apt-get fails, its own words are in the error, and the command to type again is the hint."""
    program(path, "apt-get", "echo 'E: no space' >&2; exit 100")
    with pytest.raises(HostError, match="E: no space") as caught:
        host.require([Need.IMAGE])

    assert "sudo apt-get install -y -q --no-install-recommends mtools qemu-utils" == caught.value.hint
    assert not packages.exists()


#: What apt-cache says of a package that this Debian has dropped, and of one that it has.
NONE = "packer:\n  Installed: (none)\n  Candidate: (none)\n  Version table:"
SOME = "packer:\n  Installed: (none)\n  Candidate: 1.6.6+ds2-1+b1\n  Version table:"
#: An mmdebstrap that hands over a file where its copy-out says, and writes down the release it was asked for.
MMDEBSTRAP = """
for word in "$@"; do
  case "$word" in --customize-hook=copy-out*) to="${word##* }" ;; esac
  suite="$last" last="$word"
done
echo "$suite" >>"$to/suite"; echo deb >"$to/packer.deb"
"""


@pytest.fixture
def only_packer(path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A command that needs packer and nothing else, on a Debian without it; where downloaded packages are."""
    monkeypatch.setitem(host.TOOLS, Need.IMAGE, (Tool("packer", "packer", suite="bookworm"),))
    program(path, "apt-cache", f"echo '{NONE}'")
    program(path, "mmdebstrap", MMDEBSTRAP)
    return host.files_of_packages()


def test_what_this_debian_has_dropped_comes_from_the_last_that_had_it(packages: Path, only_packer: Path) -> None:
    """Debian 13 has no packer: Debian 12's is fetched, and installed as a package."""
    host.require([Need.IMAGE])

    install = f"noninteractive: install -y -q --no-install-recommends {only_packer}/packer.deb"
    assert ["noninteractive: update -q", install] == packages.read_text().splitlines()
    assert "bookworm\n" == (only_packer / "suite").read_text()


def test_what_this_debian_has_is_its_own(path: Path, packages: Path, only_packer: Path) -> None:
    """On Debian 12, packer is installed as everything else is."""
    program(path, "apt-cache", f"echo '{SOME}'")
    host.require([Need.IMAGE])

    assert packages.read_text().splitlines()[-1].endswith("--no-install-recommends packer")
    assert not list(only_packer.iterdir())


def test_without_root_the_file_to_install_is_named(only_packer: Path) -> None:
    """Who may install nothing is told the command, with the file that has been fetched and verified."""
    with pytest.raises(HostError, match="this machine lacks packer") as caught:
        host.require([Need.IMAGE])

    assert f"sudo apt-get install -y -q --no-install-recommends {only_packer}/packer.deb" == caught.value.hint
