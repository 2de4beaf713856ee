"""One line of text that lets a node join: which cluster, which role, until when.

    gn1_aeaaaaaa7qk3…      prefix and checksum turn typos and truncation into clear errors
                           before any network use, and let secret scanners find a leaked one

The line carries the root's signed grant, the cluster key, and the seed of a join key.  A node
turns it into its enrolment (`goldnode/protocol/enrolment.py`) and forgets the seed.  Nothing is uploaded:
an invite works with a wiped rendezvous, and with one that runs on a node of the same cluster.
Layout: docs/rendezvous-protocol.md, section 6.
"""

from __future__ import annotations

import base64
import binascii
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from goldnode.errors import ExchangeError, InputError
from goldnode.forms import ROLE
from goldnode.protocol import limits
from goldnode.protocol.wire import (
    KEY,
    SIGNATURE,
    Fields,
    Purpose,
    hash_of,
    holds,
    key_from_seed,
    public_of,
    refuse,
    sign,
    u8,
    u32,
    u64,
)

PREFIX = "gn1_"
#: Bytes of an invite's identifier.
INVITE_ID = 16
_CRC = 4
_APPROVE = 1
_HINT = "copy the whole line again, or mint another: ./invoke cluster invite NAME --role ROLE"


@dataclass(frozen=True, slots=True)
class Grant:
    """The public part of an invite, under the root's signature.

    Attributes:
        data: The exact bytes, signature included.
        epoch: The epoch it was minted in.
        root: The cluster root's public key.
        invite: Hex ID of the invite.
        max: The number of nodes that may enrol with it.
        not_after: Unix seconds after which nobody can enrol with it.
        approve: Whether each node waits for the operator's approval.
        role: The role its nodes have.
        join: The join key's public half.
    """

    data: bytes
    epoch: int
    root: bytes
    invite: str
    max: int
    not_after: int
    approve: bool
    role: str
    join: bytes

    @property
    def fingerprint(self) -> str:
        """The cluster's name for programs: hex SHA-256 of the root's public key."""
        return hash_of(self.root)


@dataclass(frozen=True, slots=True)
class Invite:
    """An invite as its holder has it: the grant and two secrets.

    Attributes:
        grant: The public part.
        join_seed: Seed of the join key, forgotten after enrolment.
        cluster_key: K of the grant's epoch.
    """

    grant: Grant
    join_seed: bytes = field(repr=False)
    cluster_key: bytes = field(repr=False)


def mint(
    root: Ed25519PrivateKey,
    *,
    role: str,
    epoch: int,
    cluster_key: bytes,
    not_after: int,
    random: Callable[[int], bytes],
    max_nodes: int = 1,
    approve: bool = False,
) -> Invite:
    """Make an invite, offline.

    Args:
        root: The cluster's root key.
        role: The role of whoever enrols with it.
        epoch: The current epoch.
        cluster_key: K of that epoch.
        not_after: Unix seconds.
        random: Gives that many random bytes.
        max_nodes: The number of nodes that may enrol.
        approve: Make each wait for `cluster approve`.

    Raises:
        InputError: The role is invalid, or the number is out of range.
    """
    if not ROLE.fullmatch(role):
        raise InputError(f"{role!r} is not a role: expected 1 to 16 of a-z, 0-9 and -, starting with a letter")
    if not 1 <= max_nodes <= limits.MEMBERS:
        raise InputError(f"an invite is for 1 to {limits.MEMBERS} nodes, not {max_nodes}")
    identifier, join_seed = random(INVITE_ID), random(KEY)
    head = u8(limits.VERSION) + u32(epoch) + public_of(root) + identifier + u8(max_nodes) + u64(not_after)
    head += u8(_APPROVE if approve else 0) + u8(len(role)) + role.encode()
    signed = head + public_of(key_from_seed(join_seed))
    grant = read_grant(Fields(signed + sign(root, Purpose.INVITE, signed), "the invite"))
    return Invite(grant, join_seed, cluster_key)


def write_invite(invite: Invite) -> str:
    """The line to paste."""
    data = invite.grant.data
    head, signature = data[: -KEY - SIGNATURE], data[-SIGNATURE:]
    body = head + invite.join_seed + invite.cluster_key + signature
    body += u32(zlib.crc32(body))
    return PREFIX + _digits(body)


def read_invite(text: str) -> Invite:
    """Parse an invite as a person pasted it; errors never repeat the secret.

    Raises:
        InputError: It is not an invite, or is mistyped, cut short, of another version, or not signed by its root.
    """
    body = _decode(text.strip())
    fields = Fields(body[:-_CRC], "the invite")
    try:
        fields.version()
        _read_head(fields)
        head = fields.before()
        join_seed, cluster_key, signature = fields.take(KEY), fields.take(KEY), fields.take(SIGNATURE)
        fields.end()
        grant = read_grant(Fields(head + public_of(key_from_seed(join_seed)) + signature, "the invite"))
    except ExchangeError as error:
        raise InputError(error.message, hint=error.hint or _HINT) from error
    return Invite(grant, join_seed, cluster_key)


def read_grant(fields: Fields) -> Grant:
    """Take a grant from the front of a structure and check the root's signature.

    Raises:
        ExchangeError: `malformed` or `unknown-version`.
    """
    fields.version()
    epoch, root, invite, most, not_after, approve, role = _read_head(fields)
    join = fields.take(KEY)
    signed, signature = fields.before(), fields.take(SIGNATURE)
    if not holds(root, Purpose.INVITE, signed, signature):
        raise refuse("the invite is not signed by the root it names")
    return Grant(fields.before(), epoch, root, invite, most, not_after, approve, role, join)


def _read_head(fields: Fields) -> tuple[int, bytes, str, int, int, bool, str]:
    epoch, root, invite = fields.number(4), fields.take(KEY), fields.take(INVITE_ID).hex()
    most, not_after, flags = fields.number(1), fields.number(8), fields.number(1)
    role = fields.take(fields.number(1)).decode("latin-1")
    if not epoch or not 1 <= most <= limits.MEMBERS or not_after > limits.SEQ_MAX or flags & ~_APPROVE:
        raise refuse("the invite's epoch, number of nodes, end or flags are out of range")
    if not ROLE.fullmatch(role):
        raise refuse("the invite names an invalid role")
    return epoch, root, invite, most, not_after, bool(flags & _APPROVE), role


def _digits(body: bytes) -> str:
    return base64.b32encode(body).decode("ascii").rstrip("=").lower()


def _decode(line: str) -> bytes:
    if not line.startswith(PREFIX):
        raise InputError(f"this is not an invite: an invite is one line that starts with {PREFIX}", hint=_HINT)
    digits = line[len(PREFIX) :]
    try:
        body = base64.b32decode(digits.upper() + "=" * (-len(digits) % 8))
    except (binascii.Error, ValueError) as error:
        raise InputError("the invite is mistyped or cut short: it is not base32", hint=_HINT) from error
    # The last digit holds bits that decoding drops: only the canonical spelling is accepted.
    if len(body) <= _CRC or u32(zlib.crc32(body[:-_CRC])) != body[-_CRC:] or digits != _digits(body):
        raise InputError("the invite is mistyped or cut short: its checksum does not match", hint=_HINT)
    return body
