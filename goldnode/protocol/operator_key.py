"""Operator keys: what the root lets somebody order, and until when.

The root key stays offline; whoever runs nodes day by day has their own key, which the root signed together with
the verbs it may order and the day on which it ends.  The document travels in each order, so that nodes need no list.

    grant = u8 version=1 ‖ root public key 32 ‖ operator public key 32 ‖ u64 not-after seconds
            ‖ u16 length ‖ verbs, sorted, joined by commas ‖ root signature 64
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from goldnode.protocol import limits
from goldnode.protocol.codes import Code
from goldnode.protocol.wire import KEY, SIGNATURE, Fields, Purpose, holds, public_of, refuse, sign, u8, u64

_VERBS_LENGTH = 2


@dataclass(frozen=True, slots=True)
class OperatorGrant:
    """What the root lets one operator key order; the signature has been checked.

    Attributes:
        data: The exact bytes.
        operator: The operator's public key.
        not_after: Unix seconds after which the key orders nothing.
        verbs: What it may order.
    """

    data: bytes
    operator: bytes
    not_after: int
    verbs: frozenset[str]


def grant_operator(root: Ed25519PrivateKey, operator: bytes, verbs: Iterable[str], not_after: int) -> OperatorGrant:
    """Sign an operator key."""
    words = ",".join(sorted(set(verbs))).encode()
    body = u8(limits.VERSION) + public_of(root) + operator + u64(not_after)
    body += len(words).to_bytes(_VERBS_LENGTH, "big") + words
    return read_grant(body + sign(root, Purpose.OPERATOR, body), public_of(root))


def read_grant(data: bytes, root: bytes) -> OperatorGrant:
    """Check a grant against the cluster's root.

    Raises:
        ExchangeError: `malformed`, `unknown-version`, `wrong-root` or `bad-signature`.
    """
    fields = Fields(data, "the operator's grant")
    fields.version()
    signer, operator, not_after = fields.take(KEY), fields.take(KEY), fields.number(8)
    words = fields.take(fields.number(_VERBS_LENGTH))
    signed, signature = fields.before(), fields.take(SIGNATURE)
    fields.end()
    if signer != root:
        raise refuse("the operator key was signed by another cluster's root", Code.WRONG_ROOT)
    if not holds(root, Purpose.OPERATOR, signed, signature):
        raise refuse("the operator key is not signed by the root", Code.BAD_SIGNATURE)
    try:
        verbs = frozenset(words.decode("ascii").split(","))
    except UnicodeDecodeError as error:
        raise refuse("the operator key's verbs are not ASCII") from error
    return OperatorGrant(data, operator, not_after, verbs)
