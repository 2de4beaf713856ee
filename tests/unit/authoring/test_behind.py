"""How far an image is behind Debian, and what is said about it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from goldnode.authoring import behind
from goldnode.bake.debian_today import Offer
from goldnode.errors import ImageError

STOCK = behind.Stock("a", "localnet", "1.0", "amd64", {"openssl": "3", "tzdata": "2", "bash": "5", "gone": "1"}, None)
OFFERS = {
    "openssl": (Offer("3", False), Offer("4", True), Offer("5", False)),
    "tzdata": (Offer("1", True), Offer("2", False), Offer("3", False)),
    "bash": (Offer("5", False),),
}
LATE = behind.late(STOCK, OFFERS, lambda version, than: int(version) > int(than))


def test_what_debian_has_newer_is_named_with_why() -> None:
    """The newest version counts; a security update counts when it is newer than what the image has."""
    assert ["openssl 3 -> 5 (security)", "tzdata 2 -> 3"] == [str(each) for each in LATE]


def test_an_images_manifest_and_a_releases_sbom_say_the_same(tmp_path: Path) -> None:
    """Names with a plus and versions with an epoch come out of a package URL as Debian writes them."""
    manifest: dict[str, Any] = {
        "network": "localnet", "arch": "amd64", "daemon": {"version": "1.0"}, "base": {"snapshot": "20261129T060000Z"},
        "packages": [{"name": "libstdc++6", "version": "1:14.2~rc1-1+b2", "arch": "amd64"}],
    }  # fmt: skip
    folder = tmp_path / "localnet-1.2.0-amd64"
    folder.mkdir()
    for path in (tmp_path / "x.manifest.json", folder / "localnet-1.2.0-amd64.manifest.json"):
        path.write_text(json.dumps(manifest))
    purl = "pkg:deb/debian/libstdc%2B%2B6@1%3A14.2~rc1-1%2Bb2?arch=amd64&distro=debian-13"
    bill = {"components": [{"purl": purl}, {"purl": "pkg:golang/example.org/m@v1"}, {"name": "/usr/bin/x"}]}
    (folder / "localnet-1.2.0-amd64.sbom.cdx.json").write_text(json.dumps(bill))

    image, release = (
        behind.of_image(tmp_path / "x.manifest.json"),
        behind.of_release(*(folder / f"{folder.name}.{kind}.json" for kind in ("manifest", "sbom.cdx"))),
    )

    assert {"libstdc++6": "1:14.2~rc1-1+b2"} == image.packages == release.packages
    assert datetime(2026, 11, 29, 6, tzinfo=UTC) == image.of == release.of


@pytest.mark.parametrize("text", [None, "{", "[]", "{}"])
def test_what_is_no_manifest_is_named(tmp_path: Path, text: str | None) -> None:
    """In a sentence, with the file's name."""
    path = tmp_path / "x.manifest.json"
    if text is not None:
        path.write_text(text)

    with pytest.raises(ImageError, match=r"x\.manifest\.json"):
        behind.of_image(path)


def test_what_to_do_is_a_command() -> None:
    """Bake with today's Debian; replace what runs; nothing for what is superseded, and nothing when all is well."""
    fresh = behind.Stock("b", "localnet", "1.0", "amd64", {}, None)
    running = behind.Stock("image", "localnet", "1.0", "amd64", STOCK.packages, None, runs=("validator-1",))
    bake = "2 packages behind Debian, 1 security update among them: ./invoke bake --network localnet --base-days 0"

    assert bake == behind.advice(STOCK, LATE, (STOCK, LATE))
    assert f"{bake}, ./invoke fleet down, ./invoke fleet up" == behind.advice(running, LATE, (running, LATE))
    assert "" == behind.advice(STOCK, LATE, (fresh, ()))
    assert "b is newer and here; ./invoke fleet down, ./invoke fleet up" == behind.advice(running, LATE, (fresh, ()))
    assert "" == behind.advice(fresh, (), (fresh, ()))
