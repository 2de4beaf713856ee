"""`./invoke outdated`: what is behind Debian of today, what runs it, and what to type."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from goldnode.bake import manifest
from goldnode.fleet import fleet, state
from goldnode.fleet.plan import FleetSpec, Node, VmSpec
from goldnode.paths import REPOSITORY
from goldnode.run import run

INVOKE = REPOSITORY / "invoke"
#: Packages as an image of long ago had them, and one that Debian never had.
OLD = {"openssl": "3.5.1-1", "tzdata": "2025a-1", "base-files": "999", "goldnode-of-nobody": "1"}


def image(folder: Path, name: str, packages: dict[str, str], **base: str) -> Path:
    """An image's file, with a manifest beside it."""
    document: dict[str, Any] = {
        "version": 1, "network": "localnet", "arch": "amd64", "daemon": {"version": "0.38.19"},
        "base": {"suite": "trixie", **base},
        "packages": [{"name": each, "version": version, "arch": "amd64"} for each, version in packages.items()],
    }  # fmt: skip
    path = folder / f"{name}.qcow2"
    path.write_bytes(b"")
    manifest.beside(path).write_text(json.dumps(document))
    return path


def world(folder: Path) -> tuple[Path, Path]:
    """A folder of images, a release in it, and a fleet of which one machine is on."""
    out, fleets = folder / "out", folder / "fleet"
    fleets.mkdir()
    (release := out / "release" / "localnet-1.2.0-amd64").mkdir(parents=True)
    image(release, release.name, {}, made="2026-01-01T00:00:00+00:00")
    bill = {"components": [{"purl": f"pkg:deb/debian/openssl@{OLD['openssl']}?arch=amd64"}]}
    (release / f"{release.name}.sbom.cdx.json").write_text(json.dumps(bill))
    (release / "release.json").write_text("{}")
    fleet.share(image(out, "old", OLD, snapshot="20250601T000000Z"), fleets / "image.qcow2")
    image(out, "strange", {}).with_name("strange.manifest.json").write_text("{")
    vms = tuple(VmSpec(name, "sentry", 11 + number, (Node(name, "sentry"),)) for number, name in enumerate("ab"))
    known = state.FleetState(FleetSpec(), {}, "tcg", "max", vms=vms)
    state.write(fleets, replace(known, powered_on={"a": 1.0}))
    return out, fleets


def test_what_is_behind_is_named_with_its_command(tmp_path: Path) -> None:
    """Images by manifest, releases by SBOM, the fleet by its records; Debian of today; what to type."""
    out, fleets = world(tmp_path)
    words: list[str | Path] = [INVOKE, "outdated", "--name", "localnet", "--folder", fleets]

    done = run([*words, "--json"], env={**os.environ, "GOLDNODE_OUT": str(out)})

    document = json.loads(done.stdout)
    rows = {row["image"]: row for row in document["images"]}
    assert ("", {"old", "image", "localnet-1.2.0-amd64"}) == (document["debian"], set(rows))
    behind = {name: {each["name"]: each["security"] for each in row["behind"]} for name, row in rows.items()}
    assert {"openssl": True} == behind["localnet-1.2.0-amd64"]
    assert ["openssl", "tzdata"] == [each["name"] for each in rows["old"]["behind"]]
    assert ("2025-06-01", "2026-01-01") == (rows["old"]["date"], rows["localnet-1.2.0-amd64"]["date"])
    assert ([], ["a"]) == (rows["old"]["runs"], rows["image"]["runs"])
    assert rows["image"]["advice"].endswith(
        "./invoke bake --network localnet --base-days 0, ./invoke fleet down, ./invoke fleet up"
    )
    assert "strange.manifest.json is not JSON" in done.stderr


def test_without_images_nobody_asks_debian(tmp_path: Path) -> None:
    """Then there is one thing to do, and it is said."""
    done = run(
        [INVOKE, "outdated", "--name", "localnet", "--folder", tmp_path],
        env={**os.environ, "GOLDNODE_OUT": str(tmp_path)},
    )

    assert f"no image in {tmp_path}: ./invoke bake" in done.stdout


@pytest.mark.parametrize("text", ["{}", '{"version": 1}'])
def test_a_damaged_fleet_hides_nothing(tmp_path: Path, text: str) -> None:
    """The images are compared all the same."""
    (tmp_path / state.FILE).write_text(text)

    done = run(
        [INVOKE, "outdated", "--name", "localnet", "--folder", tmp_path],
        env={**os.environ, "GOLDNODE_OUT": str(tmp_path / "out")},
    )

    assert "no image in" in done.stdout
