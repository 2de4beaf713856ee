"""What lies in a slot, as the server sees it: record, heartbeat and tombstone.

The server checks sizes, numbers and the slot's signature, and can read nothing else; what is
sealed inside a record is `goldnode/protocol/announcement.py`'s business.  Layout and order of the checks:
docs/rendezvous-protocol.md, section 5.
"""

from __future__ import annotations

from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from goldnode.protocol import limits
from goldnode.protocol.codes import Code
from goldnode.protocol.wire import (
    KEY,
    SIGNATURE,
    Fields,
    Purpose,
    hash_of,
    holds,
    public_of,
    refuse,
    sign,
    u8,
    u32,
    u64,
)

#: Bytes that ChaCha20-Poly1305 adds.
TAG = 16
_HEAD = 1 + KEY + 8
_RECORD_SIZES = {_HEAD + 4 + KEY + padded + TAG + SIGNATURE for padded in limits.PADDED_SIZES}


@dataclass(frozen=True, slots=True)
class Record:
    """A sealed record whose slot signature has been checked.

    Attributes:
        data: The exact bytes, signature included.
        slot: Hex hash of the slot's public key.
        seq: Rises with every record of the slot.
        ttl: Seconds the server keeps it without a heartbeat.
        salt: Fresh for this record.
        ciphertext: The sealed announcement, with its tag.
    """

    data: bytes
    slot: str
    seq: int
    ttl: int
    salt: bytes
    ciphertext: bytes


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """A heartbeat whose slot signature has been checked: extends the life of record `seq`, once per `counter`."""

    slot: str
    seq: int
    counter: int


@dataclass(frozen=True, slots=True)
class Tombstone:
    """A signed farewell: the slot's owner has left the cluster."""

    data: bytes
    slot: str
    seq: int


def sign_record(slot_key: Ed25519PrivateKey, seq: int, ttl: int, salt: bytes, ciphertext: bytes) -> bytes:
    """Assemble and sign a record; the bytes go to the server as they are."""
    body = u8(limits.VERSION) + public_of(slot_key) + u64(seq) + u32(ttl) + salt + ciphertext
    return body + sign(slot_key, Purpose.RECORD, body)


def sign_heartbeat(slot_key: Ed25519PrivateKey, seq: int, counter: int) -> bytes:
    """Assemble and sign a heartbeat of the record with this `seq`."""
    body = u8(limits.VERSION) + public_of(slot_key) + u64(seq) + u64(counter)
    return body + sign(slot_key, Purpose.HEARTBEAT, body)


def sign_tombstone(slot_key: Ed25519PrivateKey, seq: int) -> bytes:
    """Assemble and sign a tombstone."""
    body = u8(limits.VERSION) + public_of(slot_key) + u64(seq)
    return body + sign(slot_key, Purpose.TOMBSTONE, body)


def verify_record(data: bytes, slot: str) -> Record:
    """Check a record from the network against the slot it claims to be in.

    Raises:
        ExchangeError: `malformed`, `unknown-version`, `ttl`, `wrong-slot` or `bad-slot-signature`.
    """
    fields = Fields(data, "the record")
    fields.version()
    if len(data) not in _RECORD_SIZES:
        raise refuse(f"a record does not have one of the padded sizes ({len(data)} bytes)")
    public, seq = fields.take(KEY), _rising(fields, "seq")
    ttl = fields.number(4)
    if not limits.TTL_MIN <= ttl <= limits.TTL_MAX:
        raise refuse(f"a ttl of {ttl} s is not between {limits.TTL_MIN} and {limits.TTL_MAX}", Code.TTL)
    salt, ciphertext = fields.take(KEY), fields.take(fields.left() - SIGNATURE)
    _check_slot(fields, Purpose.RECORD, public, slot)
    return Record(data, slot, seq, ttl, salt, ciphertext)


def verify_heartbeat(data: bytes, slot: str) -> Heartbeat:
    """Check a heartbeat from the network.

    Raises:
        ExchangeError: `malformed`, `unknown-version`, `wrong-slot` or `bad-slot-signature`.
    """
    fields = Fields(data, "the heartbeat")
    fields.version()
    public, seq, counter = fields.take(KEY), _rising(fields, "seq"), _rising(fields, "counter")
    _check_slot(fields, Purpose.HEARTBEAT, public, slot)
    return Heartbeat(slot, seq, counter)


def verify_tombstone(data: bytes, slot: str) -> Tombstone:
    """Check a tombstone from the network.

    Raises:
        ExchangeError: `malformed`, `unknown-version`, `wrong-slot` or `bad-slot-signature`.
    """
    fields = Fields(data, "the tombstone")
    fields.version()
    public, seq = fields.take(KEY), _rising(fields, "seq")
    _check_slot(fields, Purpose.TOMBSTONE, public, slot)
    return Tombstone(data, slot, seq)


def _rising(fields: Fields, name: str) -> int:
    value = fields.number(8)
    if not 1 <= value <= limits.SEQ_MAX:
        raise refuse(f"{name} is not between 1 and 2^63 - 1")
    return value


def _check_slot(fields: Fields, purpose: Purpose, public: bytes, slot: str) -> None:
    signed, signature = fields.before(), fields.take(SIGNATURE)
    fields.end()
    if hash_of(public) != slot:
        raise refuse("the key in the structure does not belong to this slot", Code.WRONG_SLOT)
    if not holds(public, purpose, signed, signature):
        raise refuse("the slot's signature is invalid", Code.BAD_SLOT_SIGNATURE)
