"""A fleet that stands, and a key that opens its sentries."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from goldnode.fleet.fleet import Fleet
from goldnode.fleet.plan import VmSpec
from goldnode.paths import REPOSITORY
from goldnode.run import run
from tests.support import sealed
from tests.support.baking import invoke


@dataclass(frozen=True)
class Login:
    """A key pair.

    Attributes:
        private: The private key's file.
    """

    private: Path

    @property
    def public(self) -> str:
        """The line for authorized_keys."""
        return self.private.with_suffix(".pub").read_text().strip()

    def ask(self, fleet: Fleet, vm: VmSpec, *command: str, timeout: float = 180) -> str:
        """What a command on a machine that lets us in prints."""
        return run(fleet.ssh(vm, self.private, *command), timeout=timeout).stdout


def where(fleet: Fleet, node: str) -> VmSpec:
    """The machine that a node is on now."""
    return next(vm for vm in fleet.state.vms if node in {each.name for each in vm.nodes})


def status(fleet: Fleet, login: Login, vm: VmSpec) -> dict[str, dict[str, Any]]:
    """What a machine says of its nodes, by name."""
    document = json.loads(login.ask(fleet, vm, "goldnode status --json; true"))
    return {node["name"]: node for node in document["nodes"]}


def next_image(network: str, folder: Path) -> Path:
    """The next image of a network, baked into a folder: one package more."""
    file = folder / f"{network}.yaml"
    file.write_text((REPOSITORY / "networks" / f"{network}.yaml").read_text() + "packages: [jq]\n")
    said = invoke("bake", "--network", file, env={"GOLDNODE_OUT": str(folder)}, timeout=900)
    assert said.code == 0, said.stderr
    (image,) = folder.glob("*.qcow2")
    return image


def signs(fleet: Fleet, name: str = "validator-1") -> bool:
    """Whether a hidden validator's signature is in the last commit that the world has."""
    return fleet.state.validators[name] in fleet.external().signers()


@pytest.fixture(scope="session")
def login(tmp_path_factory: pytest.TempPathFactory) -> Login:
    """A key that opens the sentries."""
    private = tmp_path_factory.mktemp("login") / "key"
    run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", private])
    return Login(private)


@pytest.fixture(scope="session")
def image() -> Path | None:
    """The image under test: ``GOLDNODE_IMAGE``; None has the fleet bake it, if anything has changed."""
    return sealed.named()
