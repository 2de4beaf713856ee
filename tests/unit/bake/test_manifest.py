"""Names and reading of manifests."""

from __future__ import annotations

from pathlib import Path

import pytest

from goldnode.bake import manifest
from goldnode.config.network import load
from goldnode.errors import ImageError


def test_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The name tells network, version and architecture, and whether something is deferred; stock bakes lie apart."""
    monkeypatch.setenv("GOLDNODE_OUT", str(tmp_path))
    network = load("localnet")
    plain = manifest.names(network, "amd64", deferred=False)
    deferred = manifest.names(network, "arm64", deferred=True)
    stock = manifest.names(network, "amd64", deferred=False, stock=True)

    assert tmp_path / "localnet-0.38.19-amd64.qcow2" == plain.image
    assert tmp_path / "localnet-0.38.19-amd64.manifest.json" == plain.manifest
    assert tmp_path / "localnet-0.38.19-arm64.deferred.qcow2" == deferred.image
    assert tmp_path / "stock" / plain.image.name == stock.image


def test_an_image_with_another_mesh_lies_beside_the_plain_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fleet by VPNCloud does not replace the network's own image."""
    monkeypatch.setenv("GOLDNODE_OUT", str(tmp_path))
    found = manifest.names(load("localnet").with_mesh("vpncloud"), "amd64", deferred=False)

    assert tmp_path / "localnet-0.38.19-amd64.vpncloud.qcow2" == found.image


def test_read(tmp_path: Path) -> None:
    """A manifest of the known version is read as it is."""
    file = tmp_path / "a.manifest.json"
    file.write_text('{"version": 1, "network": "localnet"}')

    assert {"version": 1, "network": "localnet"} == manifest.read(file)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "is missing"),
        ('{"version": 1,\n"a"', ":2: not JSON"),
        ('{"version": 2}', "manifest version 2, known is 1"),
    ],
)
def test_what_is_no_manifest(text: str | None, words: str, tmp_path: Path) -> None:
    """What is missing, broken or of another version is refused, by name."""
    file = tmp_path / "a.manifest.json"
    if text is not None:
        file.write_text(text)
    with pytest.raises(ImageError, match=words) as caught:
        manifest.read(file)

    assert str(file) in caught.value.message
