"""Packages that docs let a network file ask for: the image keeps every rule, and what they start is asked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from goldnode.image.check import open_image
from tests.support import sealed
from tests.support.baking import invoke
from tests.support.checkout import checkout

PACKAGES = ("etcd-server", "prometheus-node-exporter", "rsyslog-gnutls", "unattended-upgrades")
UNITS = frozenset(f"{name}.service" for name in (*PACKAGES, "etcd", "rsyslog"))
#: What else Debian calls two of them.
ALIASES = ("/etc/systemd/system/syslog.service", "/etc/systemd/system/etcd2.service")


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_an_image_with_every_package_that_docs_name(tmp_path: Path) -> None:
    """Baked, checked and named by one command; only the machine's metrics start by themselves, for loopback alone."""
    made = checkout(tmp_path / "checkout")
    network = made / "networks" / "localnet.yaml"
    network.write_text(f"{network.read_text()}packages: [{', '.join(PACKAGES)}]\n")

    said = invoke("bake", "--network", "localnet", env={"GOLDNODE_OUT": str(tmp_path)}, timeout=1500, checkout=made)

    assert 0 == said.code, said.stderr
    (image,) = tmp_path.glob("*.qcow2")
    with open_image(sealed.raw(image, tmp_path / "disk.raw")) as opened:
        links = {file.path.rsplit("/", 1)[1] for file in opened.root.match("/etc/systemd/system/*.wants/*")}
        aliases = [file.path for file in opened.root.match(*ALIASES)]
        exporter = opened.root.lines("/usr/lib/systemd/system/prometheus-node-exporter.service.d/goldnode.conf")
    assert {"prometheus-node-exporter.service"} == links & UNITS
    assert [] == aliases
    assert any("127.0.0.1:9100" in line for line in exporter)
