"""Opens the store that ``lease:`` names."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from goldnode.node.keys.etcd_store import EtcdStore
from goldnode.node.keys.s3_store import S3Store
from goldnode.node.keys.stores import FileStore, LeaseStore, parse_address

#: The folder of a store's credentials on a node: ca.pem, client.pem, client.key, s3.json.
CREDENTIALS = "/etc/goldnode/lease"
#: Seconds that a store has to answer.
TIMEOUT = 5.0


def open_store(url: str, address: str, root: Callable[[str], Path], *, timeout: float = TIMEOUT) -> LeaseStore:
    """The store that `lease:` names, for the lease of one key.

    Args:
        url: As in node.yaml.
        address: The key's address.
        root: Where a path of the machine is.
        timeout: Seconds for one answer.

    Raises:
        InputError: It does not name a store.
    """
    where, credentials = parse_address(url), root(CREDENTIALS)
    if where.kind == "etcd":
        return EtcdStore(where, address, credentials, timeout)
    if where.kind == "s3":
        return S3Store(where, address, credentials, timeout)
    return FileStore(root(where.prefix), address)
