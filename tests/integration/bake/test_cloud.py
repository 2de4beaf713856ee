"""A bake for a cloud, up to the cloud's door: OpenStack's identity service is ours, and behind it is nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from goldnode.bake import cloud, golden, platform
from goldnode.bake.platform import Platform
from goldnode.config import network
from goldnode.errors import BakeError
from goldnode.progress import SILENT
from tests.support.keystone import NOWHERE, letting_in

SECRET = "correct horse battery staple"


def test_up_to_the_door(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The operator's settings and environment reach the cloud, its refusal is told, and no secret is kept."""
    out = tmp_path / "out"
    monkeypatch.setenv("GOLDNODE_OUT", str(out))
    monkeypatch.setenv("OS_PASSWORD", SECRET)
    options = golden.BakeOptions(network.load("localnet"), platform=Platform.OPENSTACK)
    with letting_in() as keystone:
        pairs = [f"openstack_identity_endpoint={keystone.url}", "openstack_username=operator",
                 "openstack_tenant_name=nodes", "openstack_domain_name=default"]  # fmt: skip
        settings = platform.settings(Platform.OPENSTACK, pairs, None)
        with pytest.raises(BakeError) as caught:
            cloud.bake(options, settings, SILENT)
    user = keystone.asked[0]["auth"]["identity"]["password"]["user"]

    assert ("operator", SECRET) == (user["name"], user["password"])
    assert caught.value.message.startswith("the bake of localnet failed: ")
    assert NOWHERE.removesuffix("/") in caught.value.message
    assert "connection refused" in caught.value.message
    assert ["failed"] == [entry.name for entry in out.iterdir()]
    kept = [file for file in out.rglob("*") if file.is_file()]
    assert ["packer.log"] == [file.name for file in kept]
    assert SECRET not in kept[0].read_text()
