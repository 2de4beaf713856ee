"""An operator key in a file: it lets its holder give some orders to a cluster's nodes, and decide nothing.

    {"version": 1, "cluster", "network", "chain_id", "rendezvous", "root", "epoch", "cluster_key", "seed", "grant"}

It holds the epoch's key, because orders lie in the room, but not the root's key: whoever has the file can invite
nobody, revoke nobody, and order nothing beyond its verbs.  After `cluster rotate` or `cluster revoke` it can no longer
read the room, which withdraws it before it expires.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from goldnode.cluster.store import Cluster, Settings
from goldnode.discovery.cluster_view import ClusterView, RoomReader
from goldnode.errors import ExchangeError, InputError, UsageError
from goldnode.files import write_json
from goldnode.protocol import limits
from goldnode.protocol.operator_key import grant_operator, read_grant
from goldnode.protocol.order import Verb
from goldnode.protocol.wire import KEY, from_base64, key_from_seed, public_of, to_base64

DAY = 24 * 3600
_MODE = 0o600


@dataclass(frozen=True, slots=True)
class Operator:
    """Somebody who gives orders: the cluster's owner with the root key, or the holder of an operator key.

    Attributes:
        folder: `clusters/NAME`, or the operator's file.
        settings: Which cluster, and where its nodes meet.
        view: What is known about it.
        key: Signs the orders.
        grant: The root's grant for the key; empty for the root itself.
    """

    folder: Path
    settings: Settings
    view: ClusterView
    key: Ed25519PrivateKey
    grant: bytes = b""

    @property
    def numbers(self) -> Path:
        """Where the number of the last order is kept."""
        return (
            self.folder / "orders.json" if self.folder.is_dir() else self.folder.with_name(f"{self.folder.name}.last")
        )


def owner(cluster: Cluster) -> Operator:
    """The cluster's owner, who may give every order."""
    return Operator(cluster.folder, cluster.settings, cluster.view, cluster.root)


def write(
    cluster: Cluster,
    path: Path,
    verbs: Collection[str],
    days: int,
    now: float,
    random: Callable[[int], bytes] = os.urandom,
) -> None:
    """Make an operator key and write it into a new file.

    Raises:
        UsageError: The file exists, a verb is unknown, or the number of days is out of range.
    """
    if path.exists():
        raise UsageError(f"{path} already exists", hint="name a new file")
    unknown = sorted(set(verbs) - set(Verb))
    if unknown or not verbs:
        said = (
            f"--verb {unknown[0]}: nobody can order that"
            if unknown
            else "an operator key without a verb orders nothing"
        )
        raise UsageError(said, hint=f"--verb, one of {', '.join(Verb)}")
    if not 1 <= days <= limits.OPERATOR_DAYS:
        raise UsageError(f"--days {days}: expected 1 to {limits.OPERATOR_DAYS}", hint="--days 90")
    seed = random(KEY)
    grant = grant_operator(cluster.root, public_of(key_from_seed(seed)), verbs, int(now) + days * DAY)
    settings, view = cluster.settings, cluster.view
    document = {
        "version": 1,
        "cluster": settings.name,
        "network": settings.network,
        "chain_id": settings.chain_id,
        "rendezvous": [*settings.rendezvous, *(url for url in view.policy.endpoints if url not in settings.rendezvous)],
        "root": public_of(cluster.root).hex(),
        "epoch": view.epoch,
        "cluster_key": to_base64(view.cluster_key),
        "seed": seed.hex(),
        "grant": to_base64(grant.data),
    }
    write_json(path, document, _MODE)


def read(path: Path) -> Operator:
    """Open an operator's file.

    Raises:
        InputError: It is not an operator's file, or is damaged.
    """
    try:
        document = json.loads(path.read_bytes())
        root, key = bytes.fromhex(document["root"]), key_from_seed(bytes.fromhex(document["seed"]))
        grant = read_grant(from_base64(document["grant"], "grant"), root)
        settings = Settings(
            document["cluster"], document["network"], document["chain_id"], tuple(document["rendezvous"])
        )
        reader = RoomReader(root, chain_id=settings.chain_id)
        known = path.with_name(f"{path.name}.known")
        view = ClusterView(known, reader, document["epoch"], from_base64(document["cluster_key"], "cluster_key"))
    except (ValueError, KeyError, TypeError, RecursionError, ExchangeError) as error:
        raise InputError(f"{path} is not an operator's file: {error}", hint="./invoke cluster operator NAME") from error
    if grant.operator != public_of(key):
        raise InputError(
            f"{path} holds a different key from the one its grant names", hint="./invoke cluster operator NAME"
        )
    return Operator(path, settings, view, key, grant.data)
