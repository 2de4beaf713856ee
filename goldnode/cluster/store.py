"""A cluster as its operator keeps it: `clusters/NAME/`, never on a node, never in git.

    root.key          the root's seed: whoever has it decides who belongs to the cluster
    cluster.json      name, network, rendezvous, what was minted
    membership.json   the epoch's key, the policy, the roster (goldnode/discovery/cluster_view.py)

All files are 0600.  The operator reads the room like a member that never writes.  Every policy holds a wrapped
key for the operator, under a key derived from the root, so that a copy restored from an old backup learns the
current epoch's key from the current policy.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Protocol

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from goldnode.discovery.client import Endpoint
from goldnode.discovery.cluster_view import ClusterView, RoomReader
from goldnode.errors import ExchangeError, InputError, UsageError
from goldnode.files import write_atomic, write_json
from goldnode.protocol.invite import Grant
from goldnode.protocol.seal import derive, wrapping_keys
from goldnode.protocol.wire import KEY, key_from_seed, public_of, refuse, seed_of

NAME_TEXT = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
FILES = ("root.key", "cluster.json", "membership.json")
_MODE = 0o600


@dataclass(frozen=True, slots=True)
class Minted:
    """An invite that was handed out: enough to mint it again, without its secrets."""

    invite: str
    role: str
    max: int
    not_after: int
    approve: bool

    @classmethod
    def of(cls, grant: Grant) -> Minted:
        """The record of a grant."""
        return cls(grant.invite, grant.role, grant.max, grant.not_after, grant.approve)


@dataclass(frozen=True, slots=True)
class Revoked:
    """A revocation: enough to know when no list needs to hold it any longer.

    Attributes:
        node: The node ID.
        version: The policy that revoked it.
        not_after: When its invite expires, unix seconds.
    """

    node: str
    version: int
    not_after: int


@dataclass(frozen=True, slots=True)
class Settings:
    """The content of cluster.json.

    Attributes:
        name: The cluster's name for people.
        network: The network its nodes run.
        chain_id: That network's chain ID; empty to accept any.
        rendezvous: Where its nodes meet.
        minted: Every invite of the current epoch.
        revoked: Nodes whose revocation may later be dropped from the policy.
    """

    name: str
    network: str
    chain_id: str = ""
    rendezvous: tuple[str, ...] = ()
    minted: tuple[Minted, ...] = ()
    revoked: tuple[Revoked, ...] = ()


class Onlooker(Protocol):
    """Whoever reads a cluster's room and writes no record there: its owner, or an operator."""

    @property
    def folder(self) -> Path:
        """The folder with what is known."""

    @property
    def settings(self) -> Settings:
        """Which cluster, and where it meets."""

    @property
    def view(self) -> ClusterView:
        """What is known about it."""


class Cluster:
    """One cluster's folder, open.

    Args:
        folder: `clusters/NAME`.

    Raises:
        UsageError: There is no such cluster.
        InputError: One of its files is damaged.
    """

    def __init__(self, folder: Path) -> None:
        if not (folder / "cluster.json").exists():
            raise UsageError(
                f"there is no cluster {folder.name} in {folder.parent}",
                hint=f"./invoke cluster new {folder.name} --network NETWORK",
            )
        self.folder: Path = folder
        self.settings: Settings = _read_settings(folder / "cluster.json")
        self.root = _read_root(folder / "root.key")
        reader = RoomReader(
            public_of(self.root), wrapping_seed=_operator_seed(self.root), chain_id=self.settings.chain_id
        )
        self.view = ClusterView(folder / "membership.json", reader, 0, b"")

    @property
    def wrapping_key(self) -> bytes:
        """The operator's public wrapping key."""
        return wrapping_keys(_operator_seed(self.root))[1]

    @property
    def backup_seed(self) -> bytes:
        """The secret half of the key that backups are sealed to; derived from the root, and never on a node."""
        return derive(seed_of(self.root), b"", b"goldnode/v1/operator-key-backup")

    def keep(self, settings: Settings) -> None:
        """Write changed settings to disk."""
        self.settings = settings
        _write_settings(self.folder / "cluster.json", settings)

    def meet_at(self, urls: Iterable[str]) -> None:
        """Remember where the nodes meet; an empty list changes nothing.

        Raises:
            InputError: One of them is not a rendezvous URL.
        """
        wanted = tuple(Endpoint(url).url for url in urls)
        if wanted and wanted != self.settings.rendezvous:
            self.keep(replace(self.settings, rendezvous=wanted))


def create(
    clusters: Path, name: str, network: str, chain_id: str = "", random: Callable[[int], bytes] = os.urandom
) -> Cluster:
    """Make a cluster: a root key, and the first epoch's key.

    Args:
        clusters: The folder of all clusters.
        name: The new one's name; its folder must not exist yet.
        network: The network its nodes run.
        chain_id: That network's chain ID; empty to accept any.
        random: Gives that many random bytes.

    Raises:
        UsageError: The name is invalid, or taken.
    """
    folder = clusters / name
    if not NAME_TEXT.fullmatch(name):
        raise UsageError(
            f"{name!r} is not a valid cluster name: 1 to 32 of a-z, 0-9 and -",
            hint="./invoke cluster new my-cluster --network NETWORK",
        )
    if folder.exists():
        raise UsageError(f"{folder} already exists", hint=f"./invoke cluster status {name}")
    folder.mkdir(parents=True, mode=0o700)
    root = key_from_seed(random(KEY))
    write_atomic(folder / "root.key", seed_of(root).hex() + "\n", _MODE)
    ClusterView(folder / "membership.json", RoomReader(public_of(root)), 1, random(KEY)).save()
    _write_settings(folder / "cluster.json", Settings(name, network, chain_id))
    return Cluster(folder)


def _operator_seed(root: Ed25519PrivateKey) -> bytes:
    return derive(seed_of(root), b"", b"goldnode/v1/operator-box")


def _read_root(path: Path) -> Ed25519PrivateKey:
    try:
        return key_from_seed(bytes.fromhex(path.read_text().strip()))
    except (OSError, ValueError) as error:
        raise InputError(f"{path} is missing or damaged", hint="./invoke cluster restore BACKUP") from error


def _read_settings(path: Path) -> Settings:
    try:
        document = json.loads(path.read_bytes())
        if document.pop("version") != 1:
            raise refuse("it has an unknown version")
        minted = tuple(Minted(**item) for item in document.pop("minted"))
        revoked = tuple(Revoked(**item) for item in document.pop("revoked", ()))
        return Settings(**{**document, "rendezvous": tuple(document["rendezvous"])}, minted=minted, revoked=revoked)
    except (OSError, ValueError, KeyError, TypeError, ExchangeError) as error:
        raise InputError(f"{path} is damaged: {error}", hint="./invoke cluster restore BACKUP") from error


def _write_settings(path: Path, settings: Settings) -> None:
    write_json(path, {"version": 1, **asdict(settings)}, _MODE)
