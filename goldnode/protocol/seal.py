"""Keys derived from the cluster key, and what is sealed under them.

One key seals one message: a fresh salt or ephemeral key goes into every derivation, so the nonce
can stay zero and nothing needs to be counted (docs/rendezvous-protocol.md, sections 2, 5 and 7).
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from goldnode.protocol import limits
from goldnode.protocol.record import Record
from goldnode.protocol.wire import (
    KEY,
    SIGNATURE,
    Fields,
    hash_of,
    key_from_seed,
    public_of,
    refuse,
    seed_of,
    u8,
    u32,
    u64,
)

_NONCE = bytes(12)
_LENGTH = 2
#: The most bytes an announcement may have.
ANNOUNCEMENT_BYTES = limits.PADDED_SIZES[-1] - _LENGTH - SIGNATURE


def derive(secret: bytes, salt: bytes, info: bytes) -> bytes:
    """HKDF-SHA256, 32 bytes."""
    return HKDF(algorithm=SHA256(), length=KEY, salt=salt, info=info).derive(secret)


def room_key(cluster_key: bytes) -> Ed25519PrivateKey:
    """The key that signs requests to the epoch's room; `hash_of(public_of(key))` is the room."""
    return key_from_seed(derive(cluster_key, b"", b"goldnode/v1/room"))


def slot_key(node_key: Ed25519PrivateKey, room: str) -> Ed25519PrivateKey:
    """A node's key for one room: nobody can link its slots in two rooms."""
    return key_from_seed(derive(seed_of(node_key), bytes.fromhex(room), b"goldnode/v1/slot"))


def room_of(cluster_key: bytes) -> str:
    """The room of an epoch."""
    return hash_of(public_of(room_key(cluster_key)))


@dataclass(frozen=True, slots=True)
class RecordBinding:
    """Where and when a record belongs.

    Attributes:
        room: Hex ID of the room.
        slot: Hex ID of the slot.
        seq: The record's number in the slot.
    """

    room: str
    slot: str
    seq: int

    @property
    def data(self) -> bytes:
        """The record's associated data, and the front of what its node signs."""
        return u8(limits.VERSION) + bytes.fromhex(self.room) + bytes.fromhex(self.slot) + u64(self.seq)


def seal_record(key: bytes, binding: RecordBinding, salt: bytes, signature: bytes, announcement: bytes) -> bytes:
    """Pad and seal an announcement with its node's signature."""
    plain = len(announcement).to_bytes(_LENGTH, "big") + signature + announcement
    size = next(size for size in limits.PADDED_SIZES if size >= len(plain))
    cipher = ChaCha20Poly1305(_record_key(key, binding, salt))
    return cipher.encrypt(_NONCE, plain.ljust(size, b"\0"), binding.data)


def open_record(cluster_key: bytes, binding: RecordBinding, salt: bytes, ciphertext: bytes) -> tuple[bytes, bytes]:
    """Open what `seal_record` sealed.

    Returns:
        The node signature and the announcement's bytes; neither is checked yet.

    Raises:
        ExchangeError: `malformed`; sealed under another key, for another binding, or padded wrongly.
    """
    try:
        plain = ChaCha20Poly1305(_record_key(cluster_key, binding, salt)).decrypt(_NONCE, ciphertext, binding.data)
    except InvalidTag as error:
        raise refuse("the record is not sealed under this cluster's key for this slot and number") from error
    fields = Fields(plain, "the sealed part")
    length = fields.number(_LENGTH)
    signature, announcement = fields.take(SIGNATURE), fields.take(length)
    if any(fields.take(fields.left())):
        raise refuse("the sealed part is not padded with zeros")
    return signature, announcement


@dataclass(frozen=True, slots=True)
class Inside:
    """The content of a record: an announcement, or a parcel.

    Attributes:
        binding: Where the record lay, and under which number.
        signature: The signature of whoever wrote it; not checked yet.
        text: Its bytes.
    """

    binding: RecordBinding
    signature: bytes
    text: bytes


def open_inside(record: Record, cluster_key: bytes) -> Inside:
    """Open a record whose slot signature holds.

    Raises:
        ExchangeError: See ``open_record``.
    """
    binding = RecordBinding(room_of(cluster_key), record.slot, record.seq)
    return Inside(binding, *open_record(cluster_key, binding, record.salt, record.ciphertext))


def shared_key(secret_seed: bytes, public: bytes, ephemeral: bytes, recipient: bytes, info: bytes) -> bytes:
    """The key of a message to one recipient, as sender and recipient compute it.

    Args:
        secret_seed: The sender's fresh secret, or the recipient's own.
        public: The other's public key.
        ephemeral: The sender's fresh public key.
        recipient: The recipient's public key.
        info: What the message is.

    Raises:
        ExchangeError: `malformed`; a point of small order.
    """
    try:
        shared = X25519PrivateKey.from_private_bytes(secret_seed).exchange(X25519PublicKey.from_public_bytes(public))
    except ValueError as error:
        raise refuse("a key of small order seals nothing") from error
    return derive(shared, ephemeral + recipient, info)


def wrapping_keys(seed: bytes) -> tuple[X25519PrivateKey, bytes]:
    """A node's wrapping key from its 32 secret bytes, and its public half."""
    key = X25519PrivateKey.from_private_bytes(seed)
    return key, public_of(key)


def new_wrapping_seed() -> bytes:
    """32 secret bytes for a new wrapping key."""
    return seed_of(X25519PrivateKey.generate())


def wrap_key(cluster_key: bytes, ephemeral: bytes, members: Sequence[bytes], context: bytes) -> list[bytes]:
    """Seal the cluster key to each member.

    Args:
        cluster_key: What every member is to learn.
        ephemeral: 32 secret bytes, fresh for this policy.
        members: The members' public wrapping keys.
        context: The policy's associated data.

    Returns:
        The wrapped keys in the order of their bytes, which does not reveal whose they are.
    """
    secret, public = wrapping_keys(ephemeral)
    wrapped_keys = []
    for member in members:
        with contextlib.suppress(ValueError):  # a point of small order, announced to disrupt: that member gets no key
            shared = secret.exchange(X25519PublicKey.from_public_bytes(member))
            key = derive(shared, public + member, b"goldnode/v1/box")
            wrapped_keys.append(ChaCha20Poly1305(key).encrypt(_NONCE, cluster_key, context))
    return sorted(wrapped_keys)


def unwrap_key(
    wrapping_seed: bytes, ephemeral_public: bytes, wrapped_keys: Sequence[bytes], context: bytes
) -> bytes | None:
    """The cluster key, from whichever wrapped key is ours; None when none is, or when we have no wrapping key."""
    if not wrapping_seed:
        return None
    secret, public = wrapping_keys(wrapping_seed)
    try:
        shared = secret.exchange(X25519PublicKey.from_public_bytes(ephemeral_public))
    except ValueError:  # a point of small order yields no secret
        return None
    cipher = ChaCha20Poly1305(derive(shared, ephemeral_public + public, b"goldnode/v1/box"))
    for wrapped_key in wrapped_keys:
        with contextlib.suppress(InvalidTag):
            return cipher.decrypt(_NONCE, wrapped_key, context)
    return None


def seal_policy(cluster_key: bytes, salt: bytes, context: bytes, body: bytes) -> bytes:
    """Seal a policy's body for whoever holds the epoch's key."""
    return ChaCha20Poly1305(derive(cluster_key, salt, b"goldnode/v1/policy")).encrypt(_NONCE, body, context)


def open_policy(cluster_key: bytes, salt: bytes, context: bytes, sealed: bytes) -> bytes | None:
    """Open a policy's body; None when this is not the key."""
    try:
        return ChaCha20Poly1305(derive(cluster_key, salt, b"goldnode/v1/policy")).decrypt(_NONCE, sealed, context)
    except InvalidTag:
        return None


def policy_context(root: bytes, version: int, epoch: int) -> bytes:
    """A policy's associated data."""
    return u8(limits.VERSION) + root + u64(version) + u32(epoch)


def _record_key(cluster_key: bytes, binding: RecordBinding, salt: bytes) -> bytes:
    return derive(cluster_key, salt, b"goldnode/v1/record" + bytes.fromhex(binding.slot) + u64(binding.seq))
