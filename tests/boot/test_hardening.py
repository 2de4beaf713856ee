"""What Lynis, a third party, says of the sealed tree when it has booted; docs/threat-model.md explains the rest."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from goldnode.node.layout import Layout
from goldnode.run import run
from tests.boot.container import container

pytestmark = [pytest.mark.root, pytest.mark.any_image, pytest.mark.long]
#: The index in a container, where the kernel and its settings are the host's, and that of a machine.
LEAST, GOAL = 67, 75
#: Points that Lynis takes when the kernel that runs is not the one on the disk, as in every container.
OTHER_KERNEL = 5
#: What it must not name any more: modules, logins, banners.
MENDED = ("USB-1000", "STRG-1846", "NETW-3200", "BANN-7126", "BANN-7130", "AUTH-9286", "AUTH-9328")


def test_lynis_is_content(tree: Path, tmp_path: Path) -> None:
    """The index holds, a machine's with its own kernel is 75 at least, and what was mended stays mended."""
    (tmp_path / "package").mkdir()
    run(["apt-get", "download", "lynis"], cwd=tmp_path / "package")
    package = next((tmp_path / "package").glob("lynis_*.deb"))

    def install(layout: Layout) -> None:
        run(["dpkg-deb", "-x", package, layout.root])

    with container(tree, tmp_path, "", install) as machine:
        machine.wait_for(r"login:|Reached target.*[Mm]ulti-[Uu]ser")
        said = machine.ask("lynis", "audit", "system", "--quick", "--no-colors", patience=900)
        log = machine.ask("cat", "/var/log/lynis.log")
        ours = machine.ask("cat", "/usr/lib/sysctl.d/60-goldnode.conf")

    index = re.search(r"Hardening index : (\d+)", said)
    assert index, said[-2000:]
    assert int(index[1]) >= LEAST
    assert [] == [test for test in MENDED if f"[{test}]" in said]
    assert on_a_machine(log, ours) >= GOAL


def on_a_machine(log: str, sysctls: str) -> int:
    """The index with the points that only the container's borrowed kernel costs: settings that our own file has."""
    have, of = map(int, re.findall(r"Currently having (\d+) points \(out of (\d+)\)", log)[-1])
    wanted = re.findall(r"sysctl key (\S+) has a different value than expected in scan profile. Expected=(\S+),", log)
    right = [key for key, value in wanted if re.search(rf"^{re.escape(key)} = {value}$", sysctls, re.MULTILINE)]
    other = OTHER_KERNEL if "test ID KRNL-5830" in log and "Reboot of system is most likely needed" in log else 0
    return (have + len(right) + other) * 100 // of
