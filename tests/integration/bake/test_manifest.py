"""The manifest as a bake composes it, with this machine's own tools, against its schema."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest

from goldnode import paths
from goldnode.bake import manifest
from goldnode.bake.programs.payload import NextVersion, Origin, Payload, Provenance
from goldnode.config.network import load
from goldnode.publish.inventory import daemons
from goldnode.run import run
from goldnode.vm.accel import Acceleration, Accelerator
from tests.support.checkout import checkout

HEX = "0" * 64


VPNCLOUD = Provenance(
    Origin.CRATE, "vpncloud", "2.3.0", module="vpncloud@2.3.0", sum=HEX, toolchain="rustc 1.63.0", sha256=HEX,
    crates=(f"ring 0.16.20 {HEX}",),
)  # fmt: skip


def composed(name: str, *programs: Provenance) -> dict[str, object]:
    """The manifest of a bake of that network."""
    network = load(name)
    daemon = Provenance(
        Origin.SOURCE, network.daemon.name, network.daemon.version, module="example.org/m@v1", sum="h1:x",
        toolchain="go1.25.5", sha256=HEX, started=True)  # fmt: skip
    return manifest.compose(
        network,
        "amd64",
        Payload((), (), daemon, "key", programs),
        key=HEX,
        base={"key": "0" * 16, "suite": "trixie", "disk_sha256": HEX, "made": "2026-11-29T12:00:00+00:00",
              "date": "2026-11-29", "snapshot": "20261129T060000Z"},
        packages=[["adduser", "3.152", "all"]],
        accelerator=Acceleration(Accelerator.TCG, "max", "asked for"),
        seconds={"boot": 21.04},
        image={
            "file": "a.qcow2", "format": "qcow2", "size": 1, "sha256": HEX, "raw_size": 2, "raw_sha256": HEX,
            "tree_sha256": HEX,
        },
    )  # fmt: skip


@pytest.mark.parametrize("name", ["localnet", "osmosis"])
def test_fits_its_schema(name: str) -> None:
    """What a bake writes is what the schema promises, for private and for public networks."""
    document = composed(name)
    jsonschema.validate(json.loads(json.dumps(document)), json.loads(manifest.SCHEMA.read_text()))

    assert {"name": "adduser", "version": "3.152", "arch": "all"} == document["packages"][0]  # type: ignore[index]
    assert {"boot": 21.0} == document["seconds"]


def test_names_the_program_of_a_mesh() -> None:
    """A program besides the daemon stands there with its pin, its compiler and every crate in it."""
    document = json.loads(json.dumps(composed("localnet", VPNCLOUD)))
    jsonschema.validate(document, json.loads(manifest.SCHEMA.read_text()))

    assert ("vpncloud@2.3.0", [f"ring 0.16.20 {HEX}"], False) == tuple(
        document["programs"][0][field] for field in ("module", "crates", "started")
    )


def test_tools_and_source_are_this_machines() -> None:
    """The programs that made an image are named with their versions, and so is the commit."""
    tools = manifest.tools()
    source = manifest.source()

    assert {"packer", "qemu", "mmdebstrap", "genimage", "grub"} == set(tools)
    assert "Packer v" in tools["packer"]
    assert 40 == len(source["commit"])


@pytest.mark.root
def test_a_checkout_of_somebody_else_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Under sudo, root bakes in a user's checkout, which git distrusts: the commit is known all the same."""
    place = checkout(tmp_path / "checkout")
    run(["chown", "-R", "nobody", place])
    monkeypatch.setattr(paths, "REPOSITORY", place)

    assert run(["git", "-C", place, "rev-parse", "HEAD"], check=False).returncode
    assert (False, 40) == (manifest.source()["dirty"], len(manifest.source()["commit"]))


def test_names_the_daemons_of_upgrades_ahead() -> None:
    """Plan, height, version and hash of each, and in words what nobody pinned."""
    network = load("localnet")
    daemon = Provenance(Origin.RELEASE, "cometbft", "0.38.19", url="https://h.org/d", sum=HEX, sha256=HEX)
    following = NextVersion("v2", 200, replace(daemon, version="0.39.0"))
    document = manifest.compose(
        network, "amd64", Payload((), (), daemon, "key", (), (following,), ("v3 at height 300: nobody pinned it",)),
        key=HEX, base={"key": "0" * 16, "suite": "trixie", "disk_sha256": HEX}, packages=[],
        accelerator=Acceleration(Accelerator.TCG, "max", "asked for"), seconds={},
        image={"file": "a.qcow2", "format": "qcow2", "size": 1, "sha256": HEX, "raw_size": 2, "raw_sha256": HEX,
               "tree_sha256": HEX},
    )  # fmt: skip
    jsonschema.validate(json.loads(json.dumps(document)), json.loads(manifest.SCHEMA.read_text()))

    assert "v2 at height 200" in daemons(document)["next 0.39.0"]
    assert ["v3 at height 300: nobody pinned it"] == document["unpinned_steps"]
