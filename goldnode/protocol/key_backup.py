"""A consensus key, sealed to its operator: it may be stored anywhere, because only the operator can open it.

    "goldnode key backup 1" LF ‖ ephemeral X25519 key 32 ‖ ChaCha20-Poly1305 of a JSON document

The secret half follows from the cluster's root (``goldnode/cluster``), and is never on a node.  Each backup has
a fresh ephemeral key, so a derived key seals one message.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from goldnode.protocol.seal import derive, wrapping_keys
from goldnode.protocol.wire import KEY, refuse

MAGIC = b"goldnode key backup 1\n"
#: A recipient as people pass it on: `gnb1_` and the public key in hex.
RECIPIENT = re.compile(r"gnb1_[0-9a-f]{64}")
_NONCE = bytes(12)
_INFO = b"goldnode/v1/key-backup"


@dataclass(frozen=True, slots=True)
class KeyBackup:
    """A consensus key and what belongs to it, as sealed.

    Attributes:
        chain_id: The chain the key signs for.
        node: The node's name.
        address: The key's.
        lease: The store that holds its signing lease.
        time: When it was made, unix seconds.
        key: CometBFT's priv_validator_key.json.
        state: What it had signed by then, CometBFT's priv_validator_state.json.
    """

    chain_id: str
    node: str
    address: str
    lease: str
    time: int
    key: dict[str, Any]
    state: dict[str, Any]


def recipient(seed: bytes) -> str:
    """The public half of a backup key, from its 32 secret bytes."""
    return f"gnb1_{wrapping_keys(seed)[1].hex()}"


def seal(backup: KeyBackup, to: str, ephemeral: bytes) -> bytes:
    """Seal a key.

    Args:
        backup: The key.
        to: Its recipient.
        ephemeral: 32 secret bytes, fresh for this backup.

    Raises:
        ExchangeError: ``to`` is not a recipient.
    """
    if not RECIPIENT.fullmatch(to):
        raise refuse("the recipient is not gnb1_ followed by 64 hex digits")
    public = bytes.fromhex(to.removeprefix("gnb1_"))
    secret, own = wrapping_keys(ephemeral)
    try:
        shared = secret.exchange(X25519PublicKey.from_public_bytes(public))
    except ValueError as error:  # a point of small order
        raise refuse("the recipient is not a valid key") from error
    text = json.dumps(asdict(backup)).encode()
    return MAGIC + own + ChaCha20Poly1305(derive(shared, own + public, _INFO)).encrypt(_NONCE, text, MAGIC)


def unseal(data: bytes, seed: bytes) -> KeyBackup:
    """Open a sealed key.

    Raises:
        ExchangeError: It is not a backup, is damaged, or was sealed to somebody else.
    """
    if not data.startswith(MAGIC):
        raise refuse("this is not a backup of a key")
    own, sealed = data[len(MAGIC) : len(MAGIC) + KEY], data[len(MAGIC) + KEY :]
    secret, public = wrapping_keys(seed)
    try:
        shared = secret.exchange(X25519PublicKey.from_public_bytes(own))
        text = ChaCha20Poly1305(derive(shared, own + public, _INFO)).decrypt(_NONCE, sealed, MAGIC)
        return KeyBackup(**json.loads(text))
    except (InvalidTag, ValueError, TypeError) as error:
        raise refuse("the backup is damaged, or was sealed to another cluster") from error
