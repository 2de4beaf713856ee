"""What all rendezvous structures are built from: signatures, identifiers, strict decoding.

Everything that crosses the network is hostile until a function here has looked at it.  Sizes are
checked before contents, nothing is re-serialised to be verified, and each failure is an
`ExchangeError` with a stable code, never another exception.  Standard library and
python3-cryptography (38 to 50) only.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import importlib
import json
import re
import struct
from enum import StrEnum
from functools import lru_cache
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from goldnode.errors import ExchangeError
from goldnode.protocol import limits
from goldnode.protocol.codes import Code

#: Bytes of an Ed25519 or X25519 key, of a SHA-256, of a salt; of a signature; of a node ID.
KEY = 32
SIGNATURE = 64
NODE_ID = 20

HASH_TEXT = re.compile(r"[0-9a-f]{64}")


class Purpose(StrEnum):
    """The type tag inside each signature: a signature for one purpose is void for any other."""

    REQUEST = "goldnode/v1/request"
    RECORD = "goldnode/v1/record"
    HEARTBEAT = "goldnode/v1/touch"
    TOMBSTONE = "goldnode/v1/tombstone"
    ANNOUNCEMENT = "goldnode/v1/announcement"
    INVITE = "goldnode/v1/invite"
    ENROLMENT = "goldnode/v1/enrolment"
    POLICY = "goldnode/v1/policy"
    KEY_PROOF = "goldnode/v1/key-proof"
    OPERATOR = "goldnode/v1/operator"
    ORDER = "goldnode/v1/order"
    ANSWER = "goldnode/v1/answer"


def refuse(message: str, code: Code = Code.MALFORMED, hint: str = "") -> ExchangeError:
    """The error for an invalid structure; the caller raises it."""
    return ExchangeError(message, code=code, hint=hint)


def pae(purpose: Purpose, data: bytes) -> bytes:
    """DSSE's pre-authentication encoding: unambiguous without any canonical form of the data."""
    return b"DSSEv1 %d %s %d %s" % (len(purpose), purpose.encode(), len(data), data)


def sign(key: Ed25519PrivateKey, purpose: Purpose, data: bytes) -> bytes:
    """Sign the exact bytes for one purpose."""
    return key.sign(pae(purpose, data))


def holds(public: bytes, purpose: Purpose, data: bytes, signature: bytes) -> bool:
    """Whether that key made the signature, over these exact bytes and for this purpose."""
    try:
        _public_key(public).verify(signature, pae(purpose, data))
    except (InvalidSignature, ValueError):
        return False
    return True


@lru_cache(maxsize=4096)
def _public_key(public: bytes) -> Ed25519PublicKey:
    """The public key of a room or slot, cached because it is used again and again."""
    return Ed25519PublicKey.from_public_bytes(public)


def key_from_seed(seed: bytes) -> Ed25519PrivateKey:
    """The Ed25519 key of a 32-byte seed."""
    return Ed25519PrivateKey.from_private_bytes(seed)


def seed_of(key: Ed25519PrivateKey | X25519PrivateKey) -> bytes:
    """The 32 secret bytes of a key."""
    if hasattr(key, "private_bytes_raw"):
        return key.private_bytes_raw()
    raw = _formats()
    return key.private_bytes(raw.Encoding.Raw, raw.PrivateFormat.Raw, raw.NoEncryption())


def public_of(key: Ed25519PrivateKey | X25519PrivateKey) -> bytes:
    """The 32-byte public key."""
    public = key.public_key()
    if hasattr(public, "public_bytes_raw"):
        return public.public_bytes_raw()
    raw = _formats()
    return public.public_bytes(raw.Encoding.Raw, raw.PublicFormat.Raw)


def _formats() -> Any:
    """The formats that cryptography before 40 (Debian 12) needs for raw keys.

    The module brings SSH's and PKCS's formats with it: a fifth of what a node imports, at every start of a daemon.
    """
    return importlib.import_module("cryptography.hazmat.primitives.serialization")


def hash_of(public: bytes) -> str:
    """Hex SHA-256 of a public key: the name of a room, a slot, or (as fingerprint) a root."""
    return hashlib.sha256(public).hexdigest()


def node_id_of(public: bytes) -> str:
    """The node ID of an Ed25519 public key, as CometBFT computes it (`p2p/key.go`)."""
    return hashlib.sha256(public).hexdigest()[: 2 * NODE_ID]


def to_base64(data: bytes) -> str:
    """Standard base64 with padding."""
    return base64.b64encode(data).decode("ascii")


def from_base64(text: object, what: str) -> bytes:
    """Decode canonical base64.

    Raises:
        ExchangeError: `malformed`; it is not base64, or not the canonical text for its bytes.
    """
    try:
        data = base64.b64decode(text, validate=True) if isinstance(text, str) else b""
    except (binascii.Error, ValueError) as error:
        raise refuse(f"{what} is not base64") from error
    if not isinstance(text, str) or to_base64(data) != text:
        raise refuse(f"{what} is not canonical base64")
    return data


def parse_json(data: bytes, what: str) -> dict[str, Any]:
    """Decode a JSON object strictly: UTF-8, no key twice, no NaN, no bottomless nesting.

    Raises:
        ExchangeError: `malformed`.
    """
    try:
        document = _STRICT.decode(data.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise refuse(f"{what} is not a JSON object of the protocol's form") from error
    if not isinstance(document, dict):
        raise refuse(f"{what} is not a JSON object")
    return document


def write_body(field: str, data: bytes) -> bytes:
    """A request's JSON body: one structure under its name."""
    return json.dumps({field: to_base64(data)}).encode("ascii")


def read_body(body: bytes, field: str, limit: int = limits.BODY_BYTES) -> bytes:
    """The structure inside a request's JSON body.

    Args:
        body: The body's bytes.
        field: The one key it may have: `record`, `touch`, `tombstone` or `policy`.
        limit: The most bytes the body may have.

    Raises:
        ExchangeError: `too-large` or `malformed`.
    """
    if len(body) > limit:
        raise refuse(f"the body has {len(body)} bytes, more than {limit}", Code.TOO_LARGE)
    document = parse_json(body, "the body")
    if list(document) != [field]:
        raise refuse(f"the body must have exactly one key, {field!r}")
    return from_base64(document[field], field)


class Fields:
    """Reads a binary structure from the front.

    Args:
        data: The structure.
        what: Its name, for messages.
    """

    def __init__(self, data: bytes, what: str) -> None:
        self._data, self._what, self.position = data, what, 0

    def take(self, size: int) -> bytes:
        """The next bytes.

        Raises:
            ExchangeError: `malformed`; there are fewer.
        """
        piece = self._data[self.position : self.position + size]
        if len(piece) != size:
            raise refuse(f"{self._what} is too short ({len(self._data)} bytes)")
        self.position += size
        return piece

    def number(self, size: int) -> int:
        """The next unsigned big-endian integer of 1, 2, 4 or 8 bytes."""
        return int.from_bytes(self.take(size), "big")

    def version(self) -> None:
        """Check the first byte.

        Raises:
            ExchangeError: `unknown-version`, before anything behind it is looked at.
        """
        found = self.number(1)
        if found != limits.VERSION:
            raise refuse(
                f"{self._what} has version {found}; this program speaks {limits.VERSION}",
                Code.UNKNOWN_VERSION,
                "use the same goldnode release on every node and on the rendezvous",
            )

    def before(self) -> bytes:
        """Everything taken so far."""
        return self._data[: self.position]

    def left(self) -> int:
        """How many bytes are not taken yet."""
        return len(self._data) - self.position

    def end(self) -> None:
        """Check that nothing is left.

        Raises:
            ExchangeError: `malformed`.
        """
        if self.left():
            raise refuse(f"{self._what} has {self.left()} trailing bytes")


def u8(value: int) -> bytes:
    """One byte."""
    return struct.pack(">B", value)


def u32(value: int) -> bytes:
    """Four bytes, big-endian."""
    return struct.pack(">I", value)


def u64(value: int) -> bytes:
    """Eight bytes, big-endian."""
    return struct.pack(">Q", value)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key appears twice")
    return found


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


_STRICT = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_no_constant)
