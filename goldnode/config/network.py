"""A network as the rest of goldnode sees it: parsed once, valid, the same while baking and on the node.

People write ``networks/NAME.yaml``; the checker (``goldnode/config/network_check.py``) finds what is wrong with
it, and the bake puts the document as JSON on the image, where it is trusted.  Every field is
described in ``networks/README.md``.  Standard library only at import time.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from goldnode.config.catch_up import CatchUp
from goldnode.config.daemon import BuildSource, Daemon, Library, libraries, releases, source
from goldnode.errors import UsageError
from goldnode.fetch.artifact import Artifact
from goldnode.paths import REPOSITORY

#: Where the network files that ship with goldnode are.
NETWORKS = REPOSITORY / "networks"
#: The form of a network's name, which is part of file names.
NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,40}[a-z0-9])?")
#: The mesh that every image has: Debian's kernel carries it.
WIREGUARD = "wireguard"


@dataclass(frozen=True, slots=True)
class Upgrade:
    """A step of the upgrade ladder: from ``height`` on, the chain runs ``version``.

    Attributes:
        name: The upgrade plan's name: what the daemon writes into upgrade-info.json when it stops for it.
        height: First height that the new version makes.
        version: What the new daemon answers, without a leading ``v``.
        release: Published binaries of the new version, per architecture.
        source: How to build the new version; None when only releases are known.
        libraries: Shared libraries that the new version needs.
        halt_height: Height at which the previous version has to be stopped, for a release that was not
            voted on and for which no daemon stops by itself; None where the chain announces it.
        pre_upgrade_copy: Keep a copy of the state (reflinks, else hard links) for the way back.
    """

    name: str
    height: int
    version: str
    release: Mapping[str, Artifact]
    source: BuildSource | None = None
    libraries: tuple[Library, ...] = ()
    halt_height: int | None = None
    pre_upgrade_copy: bool = False


@dataclass(frozen=True, slots=True)
class Unpinned:
    """Something the bake needs and nobody has pinned: ``path`` in the network file, and its ``url``."""

    path: str
    url: str


@dataclass(frozen=True, slots=True)
class Network:
    """A network file, valid and parsed.

    Attributes:
        name: The file's name without ``.yaml``.
        document: The file as plain data, with ``name`` in it: what the image carries as network.json.
        chain_id: The chain's id; for a private network the default one.
        description: One line for lists.
        daemon: The program.
        genesis: The chain's one genesis; None for a private network, where each cluster makes its own.
        minimum_gas_prices: As app.toml wants it; empty when the daemon knows no gas.
        seeds: ``id@host:port`` each.
        persistent_peers: Public peers a sentry keeps dialling, ``id@host:port`` each.
        catch_up: How a node without state reaches the tip.
        config: Overrides: role (or ``common``) → file → TOML tables.
        upgrades: The ladder, lowest height first.
        sysctls: Kernel settings the daemon asks for.
        block_time: Seconds from block to block; None when unknown.
        packages: Further Debian packages that the image needs.
        single_validator: Whether the chain has one validator, so that nobody else makes the blocks it would wait for.
        ports: Further ports of a node: name → offset in its block of 100.
        meshes: What can carry the private network of its nodes: values of `choices.MeshKind`.
        folder: Where its file is, and the files that it names; unused on a node.
    """

    name: str
    document: Mapping[str, Any]
    chain_id: str
    description: str
    daemon: Daemon
    genesis: Artifact | None
    minimum_gas_prices: str
    seeds: tuple[str, ...]
    persistent_peers: tuple[str, ...]
    catch_up: CatchUp
    config: Mapping[str, Mapping[str, Mapping[str, Any]]]
    upgrades: tuple[Upgrade, ...]
    sysctls: Mapping[str, str]
    block_time: float | None
    packages: tuple[str, ...]
    single_validator: bool
    ports: Mapping[str, int]
    meshes: tuple[str, ...]
    folder: Path = NETWORKS

    @property
    def private(self) -> bool:
        """Whether every cluster has a chain, and so a genesis, of its own."""
        return self.genesis is None

    @classmethod
    def from_document(cls, document: Mapping[str, Any], folder: Path = NETWORKS) -> Network:
        """Build from a valid document that carries its ``name`` (network.json); nothing is checked again."""
        genesis = document["genesis"]
        return cls(
            name=document["name"],
            document=MappingProxyType(dict(document)),
            chain_id=document["chain_id"],
            description=document.get("description", ""),
            daemon=Daemon.from_document(document["daemon"]),
            genesis=None if genesis.get("private") else Artifact.from_document(genesis),
            minimum_gas_prices=document.get("minimum_gas_prices", ""),
            seeds=tuple(document.get("seeds", ())),
            persistent_peers=tuple(document.get("persistent_peers", ())),
            catch_up=CatchUp.from_document(document.get("catch_up", {})),
            config=document.get("config", {}),
            upgrades=tuple(map(_upgrade, document.get("upgrades", ()))),
            sysctls={key: str(value) for key, value in document.get("sysctls", {}).items()},
            block_time=document.get("block_time"),
            packages=tuple(document.get("packages", ())),
            single_validator=document.get("single_validator", False),
            ports=document.get("ports", {}),
            meshes=tuple(document.get("meshes", (WIREGUARD,))),
            folder=folder,
        )

    def with_mesh(self, mesh: str) -> Network:
        """This network, with that mesh on its images as well."""
        if mesh in self.meshes:
            return self
        return Network.from_document({**self.document, "meshes": [*self.meshes, str(mesh)]}, self.folder)

    def unpinned(self, arch: str) -> tuple[Unpinned, ...]:
        """What a bake for ``arch`` needs and has no hash for; empty when the network can be baked."""
        missing = []
        release = self.daemon.release.get(arch)
        source = self.daemon.source
        buildable = source is not None and bool(source.sum)
        if release and not release.sha256 and not buildable:
            missing.append(Unpinned(f"daemon.release.{arch}", release.url))
        if source and not source.sum and not (release and release.sha256):
            missing.append(Unpinned("daemon.source", source.git))
        if self.genesis and not self.genesis.sha256:
            missing.append(Unpinned("genesis", self.genesis.url))
        return tuple(missing)


def load(name_or_path: str | Path) -> Network:
    """Read a network file: a name out of networks/, or a path to a file of one's own.

    Raises:
        UsageError: There is no such network.
        InputError: The file is wrong; every fault of it is listed.
    """
    from goldnode.config import network_check  # noqa: PLC0415 - needs jsonschema, which a node does not

    path = find(name_or_path)
    return Network.from_document(network_check.checked(path), path.parent)


def find(name_or_path: str | Path) -> Path:
    """The file that a user means by a network's name or path.

    Raises:
        UsageError: There is no such file.
    """
    given = Path(name_or_path)
    path = given if given.suffix in (".yaml", ".yml") else NETWORKS / f"{given}.yaml"
    if given.is_file() and path != given:
        raise UsageError(
            f"{given} is not a network file: its name must end in .yaml", hint=f"./invoke network check {given}.yaml"
        )
    if not path.is_file():
        raise UsageError(f"there is no network {name_or_path} ({path} does not exist)", hint="./invoke networks")
    return path


def names() -> list[str]:
    """The networks that ship with goldnode, sorted."""
    return sorted(path.stem for path in NETWORKS.glob("*.yaml"))


def _upgrade(document: Mapping[str, Any]) -> Upgrade:
    return Upgrade(
        name=document["name"],
        height=document["height"],
        version=str(document["version"]),
        release=releases(document),
        source=source(document),
        libraries=libraries(document),
        halt_height=document.get("halt_height"),
        pre_upgrade_copy=document.get("pre_upgrade_copy", False),
    )
