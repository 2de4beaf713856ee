"""Opens the store that ``lease:`` names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from goldnode.node.keys.stores.etcd_store import EtcdStore
from goldnode.node.keys.stores.s3_store import S3Store
from goldnode.node.keys.stores.store import FileStore, LeaseStore, parse_address, store_members

#: The folder of a store's credentials on a node: ca.pem, client.pem, client.key, s3.json.
CREDENTIALS = "/etc/goldnode/lease"
#: Seconds that a store has to answer.
TIMEOUT = 5.0


def open_store(
    url: str,
    address: str,
    root: Callable[[str], Path],
    *,
    timeout: float = TIMEOUT,
    endpoints: Mapping[str, str] | None = None,
    source: str = "",
) -> LeaseStore:
    """The store that `lease:` names, for the lease of one key.

    Args:
        url: As in node.yaml.
        address: The key's address.
        root: Where a path of the machine is.
        timeout: Seconds for one answer.
        endpoints: Where the sentries are that it names, by node ID, those that are known.
        source: Our address on the mesh, for those.

    Raises:
        InputError: It does not name a store.
    """
    where, credentials = parse_address(url), root(CREDENTIALS)
    if members := store_members(url):
        known = endpoints or {}
        hosts = tuple(known[each] for each in members if each in known)
        return EtcdStore(replace(where, hosts=hosts), address, credentials, timeout, source)
    if where.kind == "etcd":
        return EtcdStore(where, address, credentials, timeout)
    if where.kind == "s3":
        return S3Store(where, address, credentials, timeout)
    return FileStore(root(where.prefix), address)
