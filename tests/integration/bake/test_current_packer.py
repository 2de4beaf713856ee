"""Current Packer, built from its modules, takes the same templates and makes the same image."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from goldnode import paths
from goldnode.bake import golden, manifest
from goldnode.bake.platform import Platform
from goldnode.config import network
from goldnode.progress import SILENT
from goldnode.run import run
from tests.support import currentpacker

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def current() -> Path:
    """The folder with current Packer and its qemu plugin."""
    return currentpacker.folder((currentpacker.QEMU,), SILENT)


@pytest.fixture
def on_path(current: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Current Packer comes before Debian's."""
    monkeypatch.setenv("PATH", f"{current}{os.pathsep}{os.environ['PATH']}")


@pytest.mark.usefixtures("on_path")
def test_it_is_the_one_on_path() -> None:
    """What the manifest says of Packer is the Packer that PATH gives."""
    assert f"Packer v{currentpacker.PACKER.version}" == manifest.tools()["packer"]


@pytest.mark.usefixtures("on_path")
@pytest.mark.parametrize("platform", [Platform.QEMU, Platform.STOCK])
def test_templates_validate(platform: Platform, tmp_path: Path) -> None:
    """With the qemu plugin alone, the templates that need no other are whole for current Packer."""
    (tmp_path / "payload.tar").touch()
    (tmp_path / "disk.qcow2").touch()
    values = {
        "source": platform.source,
        "network": "localnet",
        "version": "0.38.19",
        "output": str(tmp_path / "output"),
        "payload": str(tmp_path / "payload.tar"),
        "disk": str(tmp_path / "disk.qcow2"),
    }
    (tmp_path / "values.json").write_text(json.dumps(values))

    done = run(
        ["packer", "validate", f"-var-file={tmp_path / 'values.json'}", paths.REPOSITORY / "packer"], check=False
    )

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.usefixtures("on_path")
def test_plugins_file_is_satisfied_by_what_is_there(tmp_path: Path) -> None:
    """`packer init` finds the plugin that was built here and asks nobody for it."""
    only_qemu = tmp_path / "plugins.pkr.hcl"
    qemu = 'qemu = {\n source = "github.com/hashicorp/qemu"\n version = ">= 1.0.9"\n }'
    only_qemu.write_text(f"packer {{\n required_plugins {{\n {qemu}\n }}\n}}\n")

    done = run(["packer", "init", only_qemu], check=False)

    assert (0, "") == (done.returncode, done.stdout + done.stderr)


def test_same_image(current: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A localnet image baked by current Packer has the very files of one baked by Debian's 1.6.6."""
    digests = {}
    for name, path in (("debian", os.environ["PATH"]), ("current", f"{current}{os.pathsep}{os.environ['PATH']}")):
        monkeypatch.setenv("PATH", path)
        monkeypatch.setenv("GOLDNODE_OUT", str(tmp_path / name))
        result = golden.bake(golden.BakeOptions(network.load("localnet")), SILENT)
        digests[result.manifest["tools"]["packer"]] = result.manifest["image"]["tree_sha256"]

    assert {"Packer v1.6.6", f"Packer v{currentpacker.PACKER.version}"} == set(digests)
    assert len(set(digests.values())) == 1
