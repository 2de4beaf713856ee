"""What Lynis, a third party, says of the sealed tree when it has booted; docs/threat-model.md explains the rest."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from goldnode.node.layout import Layout
from goldnode.run import run
from tests.boot.container import container

pytestmark = [pytest.mark.root, pytest.mark.any_image, pytest.mark.long]
#: In a container the kernel's settings are the host's, which costs some points; a machine has more.
LEAST = 65
#: What it must not name any more: modules, logins, banners.
MENDED = ("USB-1000", "STRG-1846", "NETW-3200", "BANN-7126", "BANN-7130", "AUTH-9286", "AUTH-9328")


def test_lynis_is_content(tree: Path, tmp_path: Path) -> None:
    """The index holds, and what was mended stays mended."""
    (tmp_path / "package").mkdir()
    run(["apt-get", "download", "lynis"], cwd=tmp_path / "package")
    package = next((tmp_path / "package").glob("lynis_*.deb"))

    def install(layout: Layout) -> None:
        run(["dpkg-deb", "-x", package, layout.root])

    with container(tree, tmp_path, "", install) as machine:
        machine.wait_for(r"login:|Reached target.*[Mm]ulti-[Uu]ser")
        said = machine.ask("lynis", "audit", "system", "--quick", "--no-colors", patience=600)

    index = re.search(r"Hardening index : (\d+)", said)
    assert index, said[-2000:]
    assert int(index[1]) >= LEAST
    assert [] == [test for test in MENDED if f"[{test}]" in said]
