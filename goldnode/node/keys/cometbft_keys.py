"""Ed25519 keys in CometBFT's files: node_key.json and priv_validator_key.json.

A node's ID is the lower-case hex of the first 20 bytes of sha256(public key), a validator's
address the same in upper case; so both are known before the daemon has ever run.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from dataclasses import dataclass
from typing import Any

from goldnode.errors import SafetyError
from goldnode.protocol.wire import key_from_seed, public_of

PRIVATE_TYPE = "tendermint/PrivKeyEd25519"
PUBLIC_TYPE = "tendermint/PubKeyEd25519"


@dataclass(frozen=True, slots=True, repr=False)
class Key:
    """An Ed25519 key pair.

    Attributes:
        seed: The 32 secret bytes.
    """

    seed: bytes

    @property
    def public(self) -> bytes:
        """The 32 public bytes."""
        return public_of(key_from_seed(self.seed))

    @property
    def node_id(self) -> str:
        """The key's ID as a node key."""
        return hashlib.sha256(self.public).hexdigest()[:40]

    @property
    def address(self) -> str:
        """The key's address as a validator key."""
        return self.node_id.upper()

    def node_document(self) -> dict[str, Any]:
        """The content of node_key.json."""
        return {"priv_key": self._private()}

    def validator_document(self) -> dict[str, Any]:
        """The content of priv_validator_key.json."""
        public = {"type": PUBLIC_TYPE, "value": base64.b64encode(self.public).decode()}
        return {"address": self.address, "pub_key": public, "priv_key": self._private()}

    def _private(self) -> dict[str, str]:
        return {"type": PRIVATE_TYPE, "value": base64.b64encode(self.seed + self.public).decode()}


def parse(text: str, file: str, *, hint: str = "goldnode key import ARCHIVE") -> Key:
    """Read either file; its other fields must agree with the key.

    Args:
        text: Its content.
        file: Its name, for the message.
        hint: What to type if it is damaged.

    Raises:
        SafetyError: It is not an Ed25519 key, or its address or public key belongs to another one.
    """
    try:
        return from_document(json.loads(text))
    except (ValueError, RecursionError, binascii.Error) as error:
        raise SafetyError(f"{file} is not a key of CometBFT: {error}", hint=hint) from error


def from_document(document: Any) -> Key:
    """Take the key out of the parsed JSON.

    Raises:
        ValueError: It is not what CometBFT writes, or it contradicts itself.
    """
    private = document.get("priv_key") if isinstance(document, dict) else None
    if not isinstance(private, dict) or private.get("type") != PRIVATE_TYPE:
        raise ValueError(f"priv_key is not of type {PRIVATE_TYPE}")
    data = base64.b64decode(str(private.get("value")), validate=True)
    if len(data) != 64:  # noqa: PLR2004 - seed and public key, 32 bytes each
        raise ValueError("priv_key does not hold 64 bytes")
    key = Key(data[:32])
    if data[32:] != key.public:
        raise ValueError("the public half of priv_key does not belong to its secret half")
    public = document.get("pub_key", {"value": base64.b64encode(key.public).decode()})
    if not isinstance(public, dict) or not isinstance(public.get("value"), str):
        raise ValueError("pub_key is malformed")  # noqa: TRY004 - one error type for every invalid key
    if base64.b64decode(public["value"]) != key.public or document.get("address", key.address) != key.address:
        raise ValueError("address or pub_key belongs to another key")
    return key
