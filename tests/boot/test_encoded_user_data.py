"""User-data that cloud-init cannot read, on the sealed tree: the machine gets its role, and says how."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText
from pathlib import Path

import pytest

from goldnode.node.layout import Layout
from tests.boot.container import SEED, container
from tests.support.node_lab import Cluster

pytestmark = [pytest.mark.root, pytest.mark.any_image]
GENESIS = '{"chain_id": "localnet-1"}'


def cloud_config(path: str, content: str) -> str:
    """One document that writes one file."""
    lines = "".join(f"      {line}\n" for line in content.splitlines())
    return f"#cloud-config\nwrite_files:\n  - path: {path}\n    permissions: '0600'\n    content: |\n{lines}"


def node_yaml() -> str:
    """A rendezvous: it needs neither network nor genesis."""
    return "version: 1\nrole: rendezvous\n"


def two_parts() -> bytes:
    """Two parts with ``write_files``: cloud-init keeps the second list only."""
    message = MIMEMultipart()
    digest = hashlib.sha256(f"{GENESIS}\n".encode()).hexdigest()
    text = f"version: 1\nrole: sentry\nname: s-1\njoin: {Cluster().invite('sentry')}\nrendezvous: [http://127.0.0.1:8700]\n"
    for path, content in (
        ("/etc/goldnode/node.yaml", f"{text}genesis: {{sha256: {digest}}}\n"),
        ("/etc/goldnode/genesis.json", f"{GENESIS}\n"),
    ):
        message.attach(MIMEText(cloud_config(path, content), "cloud-config"))
    return message.as_bytes()


PLAIN = cloud_config("/etc/goldnode/node.yaml", node_yaml())
RENDEZVOUS = ["goldnode-rendezvous.service"]
#: How it is handed over → user-data, vendor-data, units that run then (a sentry's mesh is more than a container has).
KINDS: dict[str, tuple[Callable[[], bytes], str, list[str]]] = {
    "byte-order mark": (lambda: b"\xef\xbb\xbf" + PLAIN.encode(), "", RENDEZVOUS),
    "utf-16": (lambda: PLAIN.encode("utf-16"), "", RENDEZVOUS),
    "base64": (lambda: base64.b64encode(PLAIN.encode()), "", RENDEZVOUS),
    "two parts": (two_parts, "", []),
    "vendor": (PLAIN.encode, "#cloud-config\ncloud_init_modules: [seed_random]\n", RENDEZVOUS),
}


@pytest.mark.parametrize("kind", KINDS)
def test_user_data_in_any_clothes_gives_the_role(tree: Path, network: str, tmp_path: Path, kind: str) -> None:
    """A machine whose user-data cloud-init could not read, or not wholly, becomes what it says."""
    make, vendor, wanted = KINDS[kind]
    if not wanted and network != "localnet":
        # A release asks this of its own image, whatever its network; on localnet's, the default, none is left out.
        pytest.skip(f"is about a sentry of localnet, and this is an image of {network}")

    def hand_over(layout: Layout) -> None:
        (layout.root / SEED / "user-data").write_bytes(make())
        if vendor:
            (layout.root / SEED / "vendor-data").write_text(vendor)

    with container(tree, tmp_path, "replaced", hand_over) as machine:
        machine.wait_for(r"(Finished|Failed to start).*goldnode-configure")
        console = machine.console
        units = machine.units()

    assert "read from user-data all the same" in console, console[-3000:]
    assert "this machine has no role" not in console
    assert set(wanted) <= set(units)
