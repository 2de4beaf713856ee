"""A network file as values."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from goldnode.config import network
from goldnode.config.daemon import DaemonKind, Family, JvmMode
from goldnode.config.network import Network, Unpinned
from goldnode.errors import UsageError
from goldnode.fetch.artifact import Artifact, Format

PIN = "0" * 64
DOCUMENT: dict[str, Any] = {
    "version": 1,
    "name": "example",
    "chain_id": "example-1",
    "daemon": {
        "name": "exampled",
        "version": "1.2.3",
        "home": ".example",
        "release": {"amd64": {"url": "https://example.org/e.tar.gz", "sha256": PIN, "member": "e"}},
    },
    "genesis": {"url": "https://example.org/genesis.json", "sha256": PIN, "size": 7},
}


def test_defaults_are_those_of_a_cosmos_chain() -> None:
    """What a short file does not say is what most networks are."""
    parsed = Network.from_document(DOCUMENT)

    assert (parsed.daemon.kind, parsed.daemon.family) == (DaemonKind.GO, Family.COSMOS_SDK)
    assert parsed.daemon.version_args == ("version",)
    assert parsed.daemon.release["amd64"] == Artifact("https://example.org/e.tar.gz", PIN, None, Format.TAR_GZ, "e")
    assert parsed.genesis == Artifact("https://example.org/genesis.json", PIN, 7)
    assert (parsed.private, parsed.single_validator, parsed.block_time) == (False, False, None)


def test_a_mesh_is_added_once() -> None:
    """An image has WireGuard; with another mesh it is another network, and one that has it stays as it is."""
    plain = Network.from_document(DOCUMENT)
    both = plain.with_mesh("vpncloud")

    assert (("wireguard",), ("wireguard", "vpncloud")) == (plain.meshes, both.meshes)
    assert ["wireguard", "vpncloud"] == both.document["meshes"]
    assert plain.with_mesh("wireguard") is plain
    assert both.with_mesh("vpncloud") is both


def test_the_document_survives_the_way_onto_the_image() -> None:
    """network.json gives the node the same network again."""
    for name in network.names():
        shipped = network.load(name)
        copy = Network.from_document(json.loads(json.dumps(dict(shipped.document))))

        assert copy == shipped


def test_a_jvm_network_is_parsed() -> None:
    """Jars, mode and adapter of a JVM network are there."""
    jvm = {"mode": "isolated", "main": "a.B", "jars": "x.jars", "adapter": "a.C", "options": ["-Xmx1g"]}
    daemon = {"name": "sandbox", "version": "1", "home": "home", "kind": "jvm", "jvm": jvm}
    extra = {"packages": ["openjdk-21-jre-headless"], "ports": {"ledger": 65}}

    parsed = Network.from_document({**DOCUMENT, "daemon": daemon, "genesis": {"private": True}, **extra})

    assert parsed.daemon.jvm is not None
    assert (parsed.daemon.jvm.mode, parsed.daemon.jvm.adapter) == (JvmMode.ISOLATED, "a.C")
    assert (parsed.private, parsed.packages, parsed.ports["ledger"]) == (True, ("openjdk-21-jre-headless",), 65)
    assert parsed.unpinned("amd64") == ()


def test_what_has_no_hash_is_named() -> None:
    """Daemon and genesis without a pin stand in the way of a bake."""
    url = {"url": "https://example.org/x"}
    unpinned = {**DOCUMENT, "daemon": {**DOCUMENT["daemon"], "release": {"amd64": url}}, "genesis": url}

    parsed = Network.from_document(unpinned)

    assert parsed.unpinned("amd64") == (
        Unpinned("daemon.release.amd64", url["url"]),
        Unpinned("genesis", url["url"]),
    )
    assert parsed.unpinned("arm64") == (Unpinned("genesis", url["url"]),)


def test_an_unpinned_release_does_not_matter_beside_a_source() -> None:
    """What can be built from a pinned module needs no published binary."""
    source = {"module": "m.org/x", "version": "v1.0.0", "sum": "h1:x", "package": ".", "toolchain": "go1.25.5"}
    daemon = {**DOCUMENT["daemon"], "release": {"amd64": {"url": "https://x"}}, "source": source}

    assert Network.from_document({**DOCUMENT, "daemon": daemon}).unpinned("amd64") == ()


def test_upgrades_are_parsed() -> None:
    """The ladder keeps order, heights and binaries."""
    steps = [{"name": "v2", "height": 9, "version": "2.0.0", "release": {"amd64": {"url": "https://x/y"}}}]

    (step,) = Network.from_document({**DOCUMENT, "upgrades": steps}).upgrades

    assert (step.name, step.height, step.version, step.release["amd64"].url) == ("v2", 9, "2.0.0", "https://x/y")


def test_a_path_is_a_network_too(tmp_path: Path) -> None:
    """A file of one's own is found by its path, a name in networks/."""
    own = tmp_path / "mine.yaml"
    own.write_text("")

    assert network.find(str(own)) == own
    assert network.find("localnet") == network.NETWORKS / "localnet.yaml"


@pytest.mark.parametrize("name", ["nowhere", "nowhere.yaml"])
def test_an_unknown_network_is_the_users_mistake(name: str) -> None:
    """The message says which file was looked for, and how to see what there is."""
    with pytest.raises(UsageError, match="does not exist") as caught:
        network.load(name)

    assert caught.value.hint == "./invoke networks"


def test_what_a_file_names_beside_itself_is_looked_for_there(tmp_path: Path) -> None:
    """A network file of one's own has its own list of jars; a mesh more changes nothing of that."""
    for file in network.NETWORKS.glob("daml.*"):
        (tmp_path / file.name).write_text(file.read_text())
    own = network.load(tmp_path / "daml.yaml")

    assert (tmp_path, tmp_path) == (own.folder, own.with_mesh("vpncloud").folder)


def test_a_step_of_the_ladder_says_all_that_the_switch_needs() -> None:
    """How the new version is built, where the old one is stopped, whether a copy is kept; nothing unless said."""
    source = {
        "module": "example.org/x",
        "version": "v2.0.0",
        "sum": "h1:x",
        "package": "./cmd/x",
        "toolchain": "go1.25.5",
    }
    plain = {"name": "v2", "height": 100, "version": "2.0.0"}
    full = {**plain, "name": "v3", "height": 200, "source": source, "halt_height": 199, "pre_upgrade_copy": True}

    first, second = Network.from_document({**DOCUMENT, "upgrades": [plain, full]}).upgrades

    assert (None, (), None, False) == (first.source, first.libraries, first.halt_height, first.pre_upgrade_copy)
    assert second.source is not None
    assert ("./cmd/x", 199, True) == (second.source.package, second.halt_height, second.pre_upgrade_copy)
