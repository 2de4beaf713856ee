"""Current Packer, built from its modules, takes the same templates and makes the same image."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from goldnode import paths
from goldnode.bake import golden, manifest, plugins
from goldnode.bake.platform import Platform
from goldnode.config import network
from goldnode.errors import ArtifactError
from goldnode.progress import SILENT
from goldnode.run import run
from tests.support import currentpacker

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def current() -> Path:
    """The folder with current Packer."""
    return currentpacker.folder(SILENT)


@pytest.fixture
def on_path(current: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Current Packer comes before Debian's."""
    monkeypatch.setenv("PATH", f"{current}{os.pathsep}{os.environ['PATH']}")


@pytest.mark.usefixtures("on_path")
def test_it_is_the_one_on_path() -> None:
    """What the manifest says of Packer is the Packer that PATH gives."""
    assert f"Packer v{currentpacker.VERSION}" == manifest.tools()["packer"]


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

    found = plugins.install(platform.source.partition(".")[0], tmp_path / "plugins", SILENT)
    assert found
    done = run(
        ["packer", "validate", f"-var-file={tmp_path / 'values.json'}", paths.REPOSITORY / "packer"],
        env=plugins.environment(found),
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.usefixtures("on_path")
def test_another_module_than_pinned_is_no_plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One letter of the sum is another: the module's bytes are not the pinned ones, and nothing is installed."""
    (qemu,) = (plugin for plugin in plugins.known() if "qemu" in plugin.builders)
    other = replace(qemu, sum=qemu.sum.replace("1YKBB", "1YKBC"))
    monkeypatch.setattr(plugins, "known", lambda: (other,))

    with pytest.raises(ArtifactError, match="packer-plugin-qemu"):
        plugins.install("qemu", tmp_path / "plugins", SILENT)

    assert not (tmp_path / "plugins").exists()


def test_same_image(current: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A localnet image baked by current Packer has the very files of one baked by Debian's 1.6.6."""
    digests = {}
    for name, path in (("debian", os.environ["PATH"]), ("current", f"{current}{os.pathsep}{os.environ['PATH']}")):
        monkeypatch.setenv("PATH", path)
        monkeypatch.setenv("GOLDNODE_OUT", str(tmp_path / name))
        result = golden.bake(golden.BakeOptions(network.load("localnet")), SILENT)
        digests[result.manifest["tools"]["packer"]] = result.manifest["image"]["tree_sha256"]

    assert {"Packer v1.6.6", f"Packer v{currentpacker.VERSION}"} == set(digests)
    assert len(set(digests.values())) == 1
