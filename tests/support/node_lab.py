"""Machines for tests: a tree with what the bake would have put there, and a cluster to join.

The tree stands for a booted image; ``configure`` and the commands act on it through its root, with
a ``DryRunSystem`` for the running machine.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from goldnode.config.choices import MeshKind
from goldnode.config.network import Network
from goldnode.node import node_yaml
from goldnode.node.__main__ import main
from goldnode.node.configure import ConfiguredMachine, configure
from goldnode.node.layout import Layout
from goldnode.node.plan.inputs import read_image
from goldnode.node.system.apply import Changes
from goldnode.node.system.dry_run import DryRunSystem
from goldnode.paths import REPOSITORY
from goldnode.protocol.invite import mint, write_invite
from goldnode.protocol.wire import key_from_seed

DEFAULTS = REPOSITORY / "tests" / "unit" / "node" / "defaults"
#: Far enough away for every test of this decade.
NOT_AFTER = 4_000_000_000


def seed(name: str) -> bytes:
    """32 bytes that follow from a name."""
    return hashlib.sha256(name.encode()).digest()


@dataclass
class Dice:
    """Random bytes that are the same in each run."""

    name: str = "dice"
    count: int = 0

    def __call__(self, size: int) -> bytes:
        """The next bytes."""
        self.count += 1
        return hashlib.shake_256(f"{self.name} {self.count}".encode()).digest(size)


@dataclass
class Cluster:
    """A cluster that hands out invites."""

    name: str = "lab"
    dice: Dice = field(default_factory=Dice)

    @property
    def root(self) -> Ed25519PrivateKey:
        """Its root key."""
        return key_from_seed(seed(f"root {self.name}"))

    def invite(self, role: str, not_after: int = NOT_AFTER) -> str:
        """An invite line."""
        key = seed(f"K {self.name}")
        made = mint(self.root, role=role, epoch=1, cluster_key=key, not_after=not_after, random=self.dice)
        return write_invite(made)


class Tree:
    """A machine's tree.

    Args:
        root: Its folder.
        network: A network file's name.
        instance: What cloud-init calls the machine.
        mesh: What its image has for a mesh besides WireGuard.
    """

    def __init__(
        self, root: Path, network: str = "localnet", instance: str = "i-1", mesh: MeshKind = MeshKind.WIREGUARD
    ) -> None:
        self.layout = Layout(root)
        self.system = DryRunSystem()
        self.dice = Dice(str(root.name))
        library = self.layout.library
        document = {**yaml.safe_load((REPOSITORY / "networks" / f"{network}.yaml").read_text()), "name": network}
        document = dict(Network.from_document(document).with_mesh(mesh).document)
        self.write("/usr/lib/goldnode/network.json", json.dumps(document))
        shutil.copytree(DEFAULTS, library / "defaults")
        for role in (REPOSITORY / "roles").glob("*/role.yaml"):
            self.write(f"/usr/lib/goldnode/roles/{role.parent.name}/role.yaml", role.read_text())
        self.write("/etc/goldnode/genesis.json", '{"chain_id": "localnet-1"}')
        self.write("/var/lib/cloud/data/instance-id", f"{instance}\n")
        self.write("/etc/machine-id", hashlib.md5(instance.encode(), usedforsecurity=False).hexdigest())
        self.write("/proc/sys/kernel/random/boot_id", "0b6e1c1a-1111-4222-8333-944445555666\n")

    @classmethod
    def of(cls, root: Path) -> Tree:
        """A tree that is there already."""
        tree = cls.__new__(cls)
        tree.layout, tree.system, tree.dice = Layout(root), DryRunSystem(), Dice(str(root.name))
        return tree

    def write(self, path: str, text: str) -> Path:
        """Write a file of the tree."""
        target = self.layout.at(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
        return target

    def node_yaml(self, role: str, join: str = "", name: str = "", **more: object) -> None:
        """Write node.yaml; the rest has the values that most tests want."""
        genesis = {"sha256": hashlib.sha256(self.layout.at("/etc/goldnode/genesis.json").read_bytes()).hexdigest()}
        document: dict[str, object] = {"version": 1, "role": role, "rendezvous": ["http://127.0.0.1:8700"]}
        document |= {"genesis": genesis, **({"join": join} if join else {}), **({"name": name} if name else {}), **more}
        self.write("/etc/goldnode/node.yaml", yaml.safe_dump(document, sort_keys=False))

    def configure(self) -> tuple[ConfiguredMachine, Changes]:
        """One boot's configuration."""
        image = read_image(self.layout)
        return configure(self.layout, node_yaml.in_force(self.layout, image), image, self.system, self.dice)

    def files(self) -> dict[str, bytes]:
        """Every file of the tree and its content."""
        root = self.layout.root
        return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


class Person:
    """Types commands at a machine's console."""

    def __init__(self, tree: Tree, capsys: pytest.CaptureFixture[str]) -> None:
        self.tree, self._capsys = tree, capsys

    def types(self, *words: object) -> tuple[int, str]:
        """Exit code, and everything that was printed."""
        self._capsys.readouterr()
        code = main(["--root", str(self.tree.layout.root), *map(str, words)])
        printed = self._capsys.readouterr()
        return code, printed.out + printed.err
