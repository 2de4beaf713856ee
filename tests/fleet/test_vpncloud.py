"""The other mesh from the sealed image: VPNCloud as Debian's kernel and systemd run it, nothing but the roster's trust.

One fleet serves all tests; what a test changes it brings back.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from goldnode.bake import golden
from goldnode.config import network
from goldnode.config.choices import MeshKind
from goldnode.fleet import up as story
from goldnode.fleet.fleet import Fleet
from goldnode.fleet.plan import FleetSpec
from goldnode.image.check import open_image
from goldnode.progress import SILENT
from goldnode.publish import sbom
from goldnode.run import run
from tests.fleet.conftest import Login, signs
from tests.fleet.outside import scan
from tests.support.waiting import until

pytestmark = pytest.mark.long
VALIDATOR, SENTRY = "validator-1", "sentry-1"
PROGRAM = "/usr/lib/goldnode/bin/vpncloud"


@pytest.fixture(scope="module")
def baked() -> golden.BakeResult:
    """The image that `fleet up --mesh vpncloud` bakes by itself."""
    return golden.bake(golden.BakeOptions(network.load("localnet").with_mesh(MeshKind.VPNCLOUD)), SILENT)


@pytest.fixture(scope="module")
def fleet(login: Login, baked: golden.BakeResult, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """A hidden validator behind one sentry that lets us in."""
    folder = tmp_path_factory.mktemp("fleet") / "vpncloud"
    made = story.up(FleetSpec(sentries=1, mesh=MeshKind.VPNCLOUD, ssh_key=login.public), folder, SILENT)
    try:
        assert set() == story.observe(made), "\n".join(made.console(vm.name)[-3000:] for vm in made.state.vms)
        assert until(lambda: signs(made), 120), made.console(VALIDATOR)[-3000:]
        assert baked.image.stat().st_ino == (folder / "image.qcow2").stat().st_ino
        yield made
    finally:
        story.down(folder)


def ask(fleet: Fleet, login: Login, *command: str) -> str:
    """What a command on the sentry prints."""
    return login.ask(fleet, fleet.state.vm(SENTRY), *command)


def test_the_image_says_what_it_has(baked: golden.BakeResult, tmp_path: Path) -> None:
    """Manifest and SBOM name the program and its crates, and the plain image is another file."""
    (program,) = baked.manifest["programs"]
    raw = tmp_path / "disk.raw"
    run(["qemu-img", "convert", "-O", "raw", baked.image, raw])
    with open_image(raw) as image:
        bill = sbom.compose(image.root, baked.manifest, "localnet-1.0.0-amd64", "1.0.0")
        differences = sbom.cross_check(image.root, bill)
        (file,) = (each for each in image.root if each.path == PROGRAM)
        on_disk = image.root.digest(file)
    found = {component["bom-ref"]: component for component in bill["components"]}

    assert [] == differences
    assert program["sha256"] == on_disk
    assert "pkg:cargo/vpncloud@2.3.0" == found[f"file:{PROGRAM}"]["purl"]
    assert "pkg:cargo/ring@0.16.20" in found
    assert "localnet-0.38.19-amd64.vpncloud.qcow2" == baked.image.name


def test_the_mesh_is_vpncloud_in_its_sandbox(fleet: Fleet, login: Login) -> None:
    """The sentry's only way to the validator is VPNCloud's device; its unit runs, started once per trust."""
    unit = f"goldnode-vpncloud@{SENTRY}.service"
    status = json.loads(ask(fleet, login, "goldnode", "status", "--json"))["nodes"][0]

    assert "tun" in ask(fleet, login, "ip", "-details", "link", "show", "gnmesh0")
    assert "active" == ask(fleet, login, "systemctl", "is-active", unit).strip()
    assert [fleet.seen()[VALIDATOR].node_id] == status["loaded"]
    assert "untrusted" not in ask(fleet, login, "journalctl", "-u", unit, "-o", "cat")


def test_nothing_of_the_validator_answers_from_outside(fleet: Fleet) -> None:
    """Its ports on the wire are silent, as with WireGuard."""
    assert [] == scan(fleet, fleet.state.vm(VALIDATOR).address, [(20, 30), (9600, 9600), (26600, 26700)])


def test_a_fleet_outlives_its_rendezvous_and_a_power_cut(fleet: Fleet) -> None:
    """With the rendezvous gone both machines are reset at once, trust whom they trusted, and sign."""
    ids = {name: node.node_id for name, node in fleet.seen().items()}
    fleet.namespace.stop("rendezvous")
    for vm in fleet.state.vms:
        fleet.reset(vm.name)
    try:
        assert until(lambda: not signs(fleet), 60)
        assert until(lambda: signs(fleet), 500), fleet.console(VALIDATOR)[-3000:]
        assert ids == {name: node.node_id for name, node in fleet.seen().items()}
    finally:
        fleet.start_rendezvous()
