"""A new machine with the volume of one that is dead: a sentry goes on with its chain, a validator does not."""

from __future__ import annotations

import shutil
from pathlib import Path

from goldnode.errors import SafetyError
from goldnode.node.configure import ConfiguredMachine
from tests.support.node_lab import Cluster, Tree

BLOCK = "data/blockstore.db/000001.log"


def moved(tmp_path: Path, role: str, *, link: bool = False) -> tuple[ConfiguredMachine, ConfiguredMachine, Tree]:
    """A machine runs, dies, and its volume is attached to a new one with an invite of its own."""
    cluster = Cluster()
    old = Tree(tmp_path / "old")
    old.node_yaml(role, cluster.invite(role), "n-1")
    before, _ = old.configure()
    home = old.layout.node("n-1").home
    if link:
        (home / "data").rmdir()
        (home / "data").symlink_to(tmp_path)
    else:
        old.write(str(Path("/") / (home / BLOCK).relative_to(old.layout.root)), "a block")
    new = Tree(tmp_path / "new", instance="i-2")
    shutil.copytree(old.layout.nodes, new.layout.nodes, symlinks=True)
    new.node_yaml(role, cluster.invite(role), "n-1")
    after, _ = new.configure()
    return before, after, new


def test_a_sentry_goes_on_with_its_chain(tmp_path: Path) -> None:
    """It has a node ID of its own, the blocks of the old one, and the old identity lies beside, whole."""
    before, after, new = moved(tmp_path, "sentry")
    aside = new.layout.nodes / ".n-1.copy-of-another-machine"

    assert {} == after.failures
    assert before.facts["n-1"].node_id != after.facts["n-1"].node_id
    assert "a block" == (new.layout.node("n-1").home / BLOCK).read_text()
    assert (aside / "home" / "config" / "node_key.json").exists()


def test_a_link_in_place_of_the_chain_is_not_followed(tmp_path: Path) -> None:
    """A daemon that somebody broke into cannot make root move another folder."""
    _, after, new = moved(tmp_path, "sentry", link=True)

    assert {} == after.failures
    assert not (new.layout.node("n-1").home / "data").is_symlink()


def test_a_validator_is_not_taken_over_by_an_invite(tmp_path: Path) -> None:
    """Nobody proved that the old machine is gone: the key stays where it is, and nothing starts."""
    before, after, new = moved(tmp_path, "validator")
    key = new.layout.node("n-1").consensus_key

    assert isinstance(after.failures["n-1"], SafetyError)
    assert (tmp_path / "old").joinpath(key.relative_to(new.layout.root)).read_bytes() == key.read_bytes()
    assert before.facts["n-1"].node_id in new.layout.node("n-1").identity.read_text()
