"""Opens the backup of a consensus key, and checks that it is whole."""

from __future__ import annotations

from pathlib import Path

from goldnode.cluster.store import Cluster
from goldnode.errors import ExchangeError, InputError
from goldnode.protocol import key_backup
from goldnode.protocol.key_backup import KeyBackup


def open_backup(cluster: Cluster, file: Path) -> KeyBackup:
    """Open a backup that was sealed to this cluster.

    Raises:
        InputError: It is not a backup, is damaged, is sealed to another cluster, or is for another chain.
    """
    try:
        backup = key_backup.unseal(file.read_bytes(), cluster.backup_seed)
    except ExchangeError as error:
        raise InputError(f"{file}: {error.message}", hint="try another copy, or another cluster") from error
    wanted = cluster.settings.chain_id
    if wanted and backup.chain_id != wanted:
        raise InputError(f"{file} holds a key for {backup.chain_id}, but this cluster runs {wanted}",
                         hint="name the cluster of that chain")  # fmt: skip
    return backup
