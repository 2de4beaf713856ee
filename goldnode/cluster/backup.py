"""An encrypted copy of a cluster's folder, for safe keeping.

    "goldnode cluster backup 1" LF ‖ salt 16 ‖ ChaCha20-Poly1305 of the files as JSON

The key is derived by scrypt from a passphrase and a fresh salt, so each key seals one backup only.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from goldnode.cluster.store import FILES, NAME_TEXT, Cluster
from goldnode.errors import InputError, UsageError
from goldnode.files import write_atomic
from goldnode.protocol.wire import from_base64, to_base64

MAGIC = b"goldnode cluster backup 1\n"
#: Minimum length of a passphrase, in characters.
PASSPHRASE_CHARS = 12
_SALT = 16
_NONCE = bytes(12)
_MODE = 0o600


def back_up(cluster: Cluster, target: Path, passphrase: str, random: Callable[[int], bytes] = os.urandom) -> None:
    """Write an encrypted copy of everything in the cluster's folder.

    Raises:
        UsageError: The passphrase is too short, or the file exists already.
    """
    if len(passphrase) < PASSPHRASE_CHARS:
        raise UsageError(
            f"the passphrase has {len(passphrase)} characters, fewer than {PASSPHRASE_CHARS}",
            hint="choose a longer one",
        )
    if target.exists():
        raise UsageError(f"{target} already exists", hint="choose another --out")
    files = {name: to_base64((cluster.folder / name).read_bytes()) for name in FILES}
    salt = random(_SALT)
    text = json.dumps({"name": cluster.folder.name, "files": files}).encode()
    write_atomic(target, MAGIC + salt + _cipher(passphrase, salt).encrypt(_NONCE, text, MAGIC), _MODE)


def restore(source: Path, clusters: Path, passphrase: str) -> Cluster:
    """Restore a cluster from its backup.

    Raises:
        InputError: It is not a backup, is damaged, or the passphrase is wrong.
        UsageError: A cluster of that name exists.
    """
    data = source.read_bytes()
    salt, sealed = data[len(MAGIC) : len(MAGIC) + _SALT], data[len(MAGIC) + _SALT :]
    if not data.startswith(MAGIC):
        raise InputError(
            f"{source} is not a backup of a cluster", hint="name a file that ./invoke cluster backup wrote"
        )
    try:
        document = json.loads(_cipher(passphrase, salt).decrypt(_NONCE, sealed, MAGIC))
    except InvalidTag as error:
        raise InputError(
            f"{source} is damaged, or the passphrase is wrong", hint="try again, or another copy"
        ) from error
    folder = clusters / document["name"]
    if not NAME_TEXT.fullmatch(document["name"]) or folder.exists():
        raise UsageError(f"{folder} already exists", hint=f"mv {folder} {folder}.old")
    folder.mkdir(parents=True, mode=0o700)
    for name in FILES:
        write_atomic(folder / name, from_base64(document["files"][name], name), _MODE)
    return Cluster(folder)


def _cipher(passphrase: str, salt: bytes) -> ChaCha20Poly1305:
    return ChaCha20Poly1305(Scrypt(salt=salt, length=32, n=2**15, r=8, p=1).derive(passphrase.encode()))
