"""A record that is addressed to one reader: an order to a node, or a node's answer.

To the rendezvous it is a record like any other, in a slot like any other.  To the members it is a record whose
content does not begin as an announcement does; they see whom it concerns, and open it only if it is for them.

    parcel = u8 kind ‖ node ID 20 ‖ ephemeral X25519 public key 32 ‖ SEAL(key, ad ‖ kind ‖ node ID, text)

The writer's signature covers `ad ‖ parcel`: nobody can move a parcel to another slot, room or number
(docs/rendezvous-protocol.md, section 11).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from goldnode.protocol import limits, seal
from goldnode.protocol.record import TAG, sign_record
from goldnode.protocol.wire import (
    KEY,
    NODE_ID,
    Fields,
    Purpose,
    hash_of,
    holds,
    key_from_seed,
    public_of,
    refuse,
    seed_of,
    sign,
    u8,
)

_NONCE = bytes(12)
#: The most bytes a parcel's text may have.
TEXT_BYTES = seal.ANNOUNCEMENT_BYTES - 1 - NODE_ID - KEY - TAG


class ParcelKind(IntEnum):
    """What a parcel is; no announcement begins with such a byte, because JSON does not."""

    ORDER = 1
    ANSWER = 2

    @property
    def purpose(self) -> Purpose:
        """What its signature is for."""
        return Purpose.ORDER if self is ParcelKind.ORDER else Purpose.ANSWER


@dataclass(frozen=True, slots=True)
class Parcel:
    """A parcel as it lay in its slot; only the outer seal has been opened.

    Attributes:
        kind: Order or answer.
        node: The node that an order is for, or that an answer is from.
        inside: The opened record it came in.
        ephemeral: Its writer's fresh public key.
        sealed: The ciphertext for its reader.
    """

    kind: ParcelKind
    node: str
    inside: seal.Inside
    ephemeral: bytes
    sealed: bytes

    @property
    def digest(self) -> str:
        """Its name: the hash of its bytes."""
        return hash_of(self.inside.text)

    def signed_by(self, public: bytes) -> bool:
        """Whether this key signed it, for its slot, room and number."""
        signed = self.inside.binding.data + self.inside.text
        return holds(public, self.kind.purpose, signed, self.inside.signature)

    def open(self, wrapping_seed: bytes) -> bytes:
        """Open the text, as the reader it is sealed to.

        Raises:
            ExchangeError: `malformed`; it is for somebody else, or was altered.
        """
        recipient = seal.wrapping_keys(wrapping_seed)[1]
        key = seal.shared_key(wrapping_seed, self.ephemeral, self.ephemeral, recipient, _info(self.kind))
        try:
            return ChaCha20Poly1305(key).decrypt(
                _NONCE, self.sealed, _context(self.inside.binding, self.kind, self.node)
            )
        except InvalidTag as error:
            raise refuse("the parcel is not sealed to this reader") from error


def is_parcel(inside: seal.Inside) -> bool:
    """Whether an opened record holds a parcel rather than an announcement."""
    return bool(inside.text) and inside.text[0] in tuple(ParcelKind)


def read_parcel(inside: seal.Inside) -> Parcel:
    """Parse a parcel.

    Raises:
        ExchangeError: `malformed`.
    """
    fields = Fields(inside.text, "the parcel")
    try:
        kind = ParcelKind(fields.number(1))
    except ValueError as error:
        raise refuse("the parcel is of an unknown kind") from error
    node, ephemeral = fields.take(NODE_ID).hex(), fields.take(KEY)
    return Parcel(kind, node, inside, ephemeral, fields.take(fields.left()))


def parcel_key(key: Ed25519PrivateKey, room: str, node: str, kind: ParcelKind) -> Ed25519PrivateKey:
    """The key of the slot for one writer's parcels about one node, in one room; nobody else can write there."""
    info = b"goldnode/v1/order-slot" if kind is ParcelKind.ORDER else b"goldnode/v1/answer-slot"
    return key_from_seed(seal.derive(seed_of(key), bytes.fromhex(room), info + bytes.fromhex(node)))


def write_parcel(
    kind: ParcelKind,
    node: str,
    text: bytes,
    *,
    key: Ed25519PrivateKey,
    recipient: bytes,
    cluster_key: bytes,
    seq: int,
    random: Callable[[int], bytes],
) -> bytes:
    """Seal a text to its reader, sign it, and seal that as a record.

    Args:
        kind: Order or answer.
        node: The node that an order is for, or that an answer is from.
        text: What to say.
        key: The writer's key.
        recipient: The reader's public X25519 key.
        cluster_key: K of the epoch.
        seq: Greater than that of every earlier parcel in this slot.
        random: Gives that many random bytes.

    Raises:
        ExchangeError: `too-large`, or the recipient's key is `malformed`.
    """
    if len(text) > TEXT_BYTES:
        raise refuse(f"a parcel holds at most {TEXT_BYTES} bytes, not {len(text)}")
    room = seal.room_of(cluster_key)
    slot = parcel_key(key, room, node, kind)
    binding = seal.RecordBinding(room, hash_of(public_of(slot)), seq)
    secret = random(KEY)
    ephemeral = seal.wrapping_keys(secret)[1]
    shared = seal.shared_key(secret, recipient, ephemeral, recipient, _info(kind))
    sealed = ChaCha20Poly1305(shared).encrypt(_NONCE, text, _context(binding, kind, node))
    body = u8(kind) + bytes.fromhex(node) + ephemeral + sealed
    signature, salt = sign(key, kind.purpose, binding.data + body), random(KEY)
    ciphertext = seal.seal_record(cluster_key, binding, salt, signature, body)
    return sign_record(slot, seq, limits.LIFETIME_MAX, salt, ciphertext)


def _info(kind: ParcelKind) -> bytes:
    return kind.purpose.value.encode()


def _context(binding: seal.RecordBinding, kind: ParcelKind, node: str) -> bytes:
    return binding.data + u8(kind) + bytes.fromhex(node)
