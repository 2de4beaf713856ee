"""A valid node.yaml that asks for what its image does not have."""

from __future__ import annotations

from pathlib import Path

import pytest

from goldnode.errors import InputError
from tests.support.node_lab import Cluster, Tree


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """A machine of a private network's image."""
    return Tree(tmp_path / "machine")


def refusal(tree: Tree, **more: object) -> str:
    """What configuring says of a validator's node.yaml."""
    tree.node_yaml("validator", Cluster().invite("validator"), "val-1", **more)
    with pytest.raises(InputError) as caught:
        tree.configure()
    return caught.value.message


def test_a_private_network_wants_its_genesis_named(tree: Tree) -> None:
    """Without the digest of its cluster's genesis a node could start on another chain of the same name."""
    assert "genesis.sha256: the network localnet is private; write" in refusal(tree, genesis={})


def test_a_private_network_wants_its_genesis(tree: Tree) -> None:
    """The digest alone is not the file."""
    tree.node_yaml("validator", Cluster().invite("validator"), "val-1")
    tree.layout.at("/etc/goldnode/genesis.json").unlink()
    with pytest.raises(InputError, match=r"there is no /etc/goldnode/genesis\.json"):
        tree.configure()


def test_another_genesis_is_refused(tree: Tree) -> None:
    """What is beside node.yaml must be what node.yaml names."""
    assert "is not the sha256 of genesis.json" in refusal(tree, genesis={"sha256": "0" * 64})


def test_an_image_without_vpncloud(tree: Tree) -> None:
    """A mesh that the image cannot make is said before anything is started."""
    assert "mesh (vpncloud): this image has no vpncloud; write mesh: wireguard" in refusal(tree, mesh="vpncloud")
    assert [] == tree.system.done


def test_every_misfit_is_said_at_once(tree: Tree) -> None:
    """Two wrong wishes are two lines."""
    said = refusal(tree, mesh="vpncloud", unattended_upgrades=True)

    assert ("this image has no vpncloud" in said, "replaced, not patched in place" in said) == (True, True)
