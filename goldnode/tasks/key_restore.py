"""Tasks about backups of consensus keys: whom they are sealed to, whether one would do, and the machine after it."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from pathlib import Path

from invoke.context import Context
from invoke.tasks import task

from goldnode.cluster import govern, key_restore, room, store, user_data
from goldnode.errors import InputError, UsageError
from goldnode.files import write_json
from goldnode.node.keys import archive
from goldnode.paths import clusters
from goldnode.protocol import invite as invites
from goldnode.protocol import key_backup
from goldnode.tasks.console import existing
from goldnode.tasks.terminal import output

NAME = "the cluster's name"
FILE = "what `goldnode key backup` wrote"
#: Hours that the new machine has to join.
HOURS = 24


@task(name="backup-key", positional=["name"], help={"name": NAME})
def backup_key(_: Context, name: str) -> None:
    """Print the recipient for `goldnode key backup --to`: this cluster's operator, who alone can open the backups."""
    output.say(key_backup.recipient(store.Cluster(clusters() / name).backup_seed))


@task(name="restore-drill", positional=["name", "file"], help={"name": NAME, "file": FILE})
def restore_drill(_: Context, name: str, file: str) -> None:
    """Prove that a backup can be restored: open it and check everything in it; nothing is written, nothing starts."""
    backup = _opened(store.Cluster(clusters() / name), file)
    made = datetime.fromtimestamp(backup.time, UTC)
    output.say(f"{file}: the consensus key {backup.address} of {backup.node}, for {backup.chain_id}")
    output.say(f"made {made:%Y-%m-%d %H:%M} UTC; its lease records what it signed since: {backup.lease}")
    output.say(f"it can be restored: ./invoke cluster restore-node {name} {file} --out FOLDER")


@task(name="restore-node", positional=["name", "file"], iterable=["rendezvous", "ssh_key"],
      help={"name": NAME, "file": FILE, "out": "a new folder (0700) for the user-data and the key's archive",
            "rendezvous": "URL of a rendezvous; remembered; may be repeated", "genesis": "genesis of a private network",
            "ssh_key": "file with a public key that may log in, to bring the archive"})  # fmt: skip
def restore_node(
    _: Context, name: str, file: str, *, out: str, rendezvous: list[str], ssh_key: list[str], genesis: str = ""
) -> None:
    """Write what a new machine needs to replace a validator that is gone: user-data, and the archive of its key."""
    folder = Path(out)
    if folder.exists():
        raise UsageError(f"{folder} already exists", hint="choose another --out")
    cluster = store.Cluster(clusters() / name)
    cluster.meet_at(rendezvous)
    backup = _opened(cluster, file)
    keys = [existing(each, "file").read_text(encoding="utf-8").strip() for each in ssh_key]
    document = existing(genesis, "file").read_bytes() if genesis else b""
    room.endorse(cluster)
    invite = govern.invite(cluster, govern.InviteSpec("validator", 1, int(time.time()) + HOURS * 3600, approve=False))
    text = user_data.render(
        user_data.UserData(
            cluster=name,
            network=cluster.settings.network,
            role="validator",
            nodes=[user_data.NodeSpec(backup.node, "validator", invites.write_invite(invite))],
            rendezvous=room.endpoints(cluster),
            genesis=document,
            ssh_keys=keys,
            extra={"consensus_key": "existing", "lease": backup.lease},
        )
    )
    folder.mkdir(mode=0o700, parents=True)
    user_data.write(folder / "user-data", text)
    write_json(folder / "key.archive", archive.restored(backup), 0o600)
    output.say(f"{folder}/user-data: launch a machine with it")
    output.say(f"{folder}/key.archive: secret; copy it there over SSH, then on that machine:")
    output.say(f"  goldnode key import key.archive && goldnode start {backup.node} && goldnode takeover {backup.node}")
    output.say(
        "it signs above all that the lease ever granted, whether the old machine is off or not; then delete both"
    )


def _opened(cluster: store.Cluster, file: str) -> key_backup.KeyBackup:
    """A backup that the node's own code takes.

    Raises:
        InputError: It cannot be opened, or its parts contradict each other.
    """
    backup = key_restore.open_backup(cluster, existing(file, "backup of a key", "ls *.sealed"))
    key, _, _ = archive.parse(json.dumps(archive.restored(backup)), file, backup.chain_id, lease=backup.lease)
    if key.address != backup.address:
        raise InputError(f"{file} names the key {backup.address} and holds {key.address}", hint="try another copy")
    return backup
