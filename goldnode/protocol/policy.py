"""The root's decision on who belongs to the cluster: revocations, approvals, endpoints, the epoch.

A policy is public ciphertext under the root's signature.  The server checks the signature and
that the version rises (`verify_policy`); members open it (`open_policy`), and learn from it a new
cluster key when the epoch has changed.  Its version only rises, so nobody can bring an old one back.
Layout: docs/rendezvous-protocol.md, section 7.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from goldnode.forms import NODE_ID, is_endpoint
from goldnode.protocol import limits, seal
from goldnode.protocol.codes import Code
from goldnode.protocol.invite import INVITE_ID
from goldnode.protocol.wire import (
    KEY,
    SIGNATURE,
    Fields,
    Purpose,
    hash_of,
    holds,
    parse_json,
    public_of,
    refuse,
    sign,
    u8,
    u32,
    u64,
)

_WRAPPED_KEY = KEY + 16
#: What a member cites while it holds no policy.
NO_POLICY_HASH = "0" * 64


@dataclass(frozen=True, slots=True)
class SignedPolicy:
    """A policy whose root signature has been checked; its body is still sealed.

    Attributes:
        data: The exact bytes.
        root: The root's public key.
        version: Rises with every policy of this root.
        epoch: The epoch whose key seals the body.
        ephemeral: The public half of the key the wrapped keys were made with.
        wrapped_keys: The epoch's key, once per member, untagged.
        salt: Fresh for this policy.
        sealed: The body's ciphertext.
    """

    data: bytes
    root: bytes
    version: int
    epoch: int
    ephemeral: bytes
    wrapped_keys: tuple[bytes, ...]
    salt: bytes
    sealed: bytes

    @property
    def hash(self) -> str:
        """What records cite beside the version: hex SHA-256 of the exact bytes."""
        return hashlib.sha256(self.data).hexdigest()

    @property
    def context(self) -> bytes:
        """The associated data of wrapped keys and body."""
        return seal.policy_context(self.root, self.version, self.epoch)


@dataclass(frozen=True, slots=True)
class Policy:
    """What a policy says.

    Attributes:
        revoked_nodes: Node IDs that are no longer members.
        revoked_invites: Hex IDs of invites that can no longer be used.
        approved: Node IDs admitted whatever their invite says.
        endpoints: Rendezvous URLs, in addition to those each node was given.
        time: When it was written, unix milliseconds.
        forgotten: Node IDs of machines that are gone, and until when what they wrote counts for nothing (unix
            milliseconds); one that writes later is a member again.
    """

    revoked_nodes: frozenset[str] = field(default_factory=frozenset)
    revoked_invites: frozenset[str] = field(default_factory=frozenset)
    approved: frozenset[str] = field(default_factory=frozenset)
    endpoints: tuple[str, ...] = ()
    time: int = 0
    forgotten: Mapping[str, int] = field(default_factory=dict)


def sign_policy(
    root: Ed25519PrivateKey,
    policy: Policy,
    *,
    version: int,
    epoch: int,
    cluster_key: bytes,
    members: Sequence[bytes],
    random: Callable[[int], bytes],
) -> bytes:
    """Write, seal and sign a policy.

    Args:
        root: The cluster's root key.
        policy: What it says.
        version: Greater than that of every earlier policy.
        epoch: The epoch of `cluster_key`.
        cluster_key: Sealed to each member, and seals the body.
        members: Public wrapping keys of all remaining members.
        random: Gives that many random bytes.
    """
    public, ephemeral, salt = public_of(root), random(KEY), random(KEY)
    context = seal.policy_context(public, version, epoch)
    wrapped = seal.wrap_key(cluster_key, ephemeral, members, context)
    head = u8(limits.VERSION) + public + u64(version) + u32(epoch) + seal.wrapping_keys(ephemeral)[1] + u8(len(wrapped))
    data = head + b"".join(wrapped) + salt + seal.seal_policy(cluster_key, salt, context, _write_body(policy))
    data += sign(root, Purpose.POLICY, data)
    if len(data) > limits.POLICY_BYTES:
        raise refuse(f"the policy would have {len(data)} bytes, more than {limits.POLICY_BYTES}", Code.TOO_LARGE)
    return data


def verify_policy(data: bytes, fingerprint: str) -> SignedPolicy:
    """Check a policy from the network against the root it claims to come from; opens nothing.

    Raises:
        ExchangeError: `too-large`, `malformed`, `unknown-version`, `wrong-root` or `bad-policy-signature`.
    """
    if len(data) > limits.POLICY_BYTES:
        raise refuse(f"the policy has {len(data)} bytes, more than {limits.POLICY_BYTES}", Code.TOO_LARGE)
    fields = Fields(data, "the policy")
    fields.version()
    root, version, epoch = fields.take(KEY), fields.number(8), fields.number(4)
    if not 1 <= version <= limits.SEQ_MAX or not epoch:
        raise refuse("the policy's version or epoch is out of range")
    ephemeral, count = fields.take(KEY), fields.number(1)
    if count > limits.BOXES:
        raise refuse(f"the policy has {count} wrapped keys, more than {limits.BOXES}")
    wrapped_keys = tuple(fields.take(_WRAPPED_KEY) for _ in range(count))
    salt = fields.take(KEY)
    sealed = fields.take(max(fields.left() - SIGNATURE, 0))
    signed, signature = fields.before(), fields.take(SIGNATURE)
    if hash_of(root) != fingerprint:
        raise refuse("the policy is signed by another root", Code.WRONG_ROOT)
    if not holds(root, Purpose.POLICY, signed, signature):
        raise refuse("the policy's signature is invalid", Code.BAD_POLICY_SIGNATURE)
    return SignedPolicy(data, root, version, epoch, ephemeral, wrapped_keys, salt, sealed)


def open_policy(signed: SignedPolicy, cluster_key: bytes) -> Policy | None:
    """Read a policy with the key of its epoch; None when this is not the key.

    Raises:
        ExchangeError: `malformed`; the root signed something this program does not understand.
    """
    body = seal.open_policy(cluster_key, signed.salt, signed.context, signed.sealed)
    return None if body is None else _read_body(body)


def find_key(signed: SignedPolicy, wrapping_seed: bytes) -> bytes | None:
    """The epoch's key, from our wrapped key; None when the policy leaves us out."""
    return seal.unwrap_key(wrapping_seed, signed.ephemeral, signed.wrapped_keys, signed.context)


def _write_body(policy: Policy) -> bytes:
    document = {
        "revoked_nodes": sorted(policy.revoked_nodes),
        "revoked_invites": sorted(policy.revoked_invites),
        "approved": sorted(policy.approved),
        "endpoints": list(policy.endpoints),
        "time": policy.time,
        **({"forgotten": dict(sorted(policy.forgotten.items()))} if policy.forgotten else {}),
    }
    return json.dumps(document).encode("ascii")


def _read_body(body: bytes) -> Policy:
    document = parse_json(body, "the policy's body")
    endpoints = document.get("endpoints")
    time = document.get("time")
    if not isinstance(endpoints, list) or len(endpoints) > limits.ENDPOINTS or not all(map(is_endpoint, endpoints)):
        raise refuse("the policy's endpoints are not at most 8 http or https URLs")
    if type(time) is not int or not 0 <= time <= limits.SEQ_MAX:
        raise refuse("the policy's time is not unix milliseconds")
    return Policy(
        revoked_nodes=_ids(document.get("revoked_nodes"), limits.REVOKED_NODES),
        revoked_invites=_ids(document.get("revoked_invites"), limits.REVOKED_INVITES, 2 * INVITE_ID),
        approved=_ids(document.get("approved"), limits.MEMBERS),
        endpoints=tuple(endpoints),
        time=time,
        forgotten=_forgotten(document.get("forgotten", {})),
    )


def _forgotten(value: Any) -> Mapping[str, int]:
    if not isinstance(value, dict):
        raise refuse("the policy's forgotten nodes are not an object")
    _ids(list(value), limits.FORGOTTEN)
    if not all(type(at) is int and 0 <= at <= limits.SEQ_MAX for at in value.values()):
        raise refuse("the time of a forgotten node is not unix milliseconds")
    return value


def _ids(value: Any, most: int, digits: int = 40) -> frozenset[str]:
    fits = isinstance(value, list) and len(value) <= most and all(isinstance(item, str) for item in value)
    if not fits or not all(len(item) == digits and NODE_ID.fullmatch(item.ljust(40, "0")) for item in value):
        raise refuse("a list in the policy is too long or holds something that is not an ID")
    return frozenset(value)
