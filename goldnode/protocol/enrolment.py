"""How a node shows that it was invited: a document that travels in each of its records.

There is no ledger to lose: one piece of 400 bytes holds root → grant → join key → node key, and
whoever holds the root's public key can check it, today or after ten rotations.  Layout:
docs/rendezvous-protocol.md, section 6.
"""

from __future__ import annotations

from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from goldnode.errors import ExchangeError
from goldnode.protocol.invite import Grant, Invite, read_grant
from goldnode.protocol.wire import (
    KEY,
    SIGNATURE,
    Fields,
    Purpose,
    holds,
    key_from_seed,
    node_id_of,
    public_of,
    refuse,
    sign,
)


@dataclass(frozen=True, slots=True)
class Enrolment:
    """A node's joining, with all three signatures checked.

    Attributes:
        data: The exact bytes.
        grant: The invite's public part.
        node: The node's Ed25519 public key.
        wrapping_key: The node's X25519 public key.
    """

    data: bytes
    grant: Grant
    node: bytes
    wrapping_key: bytes

    @property
    def node_id(self) -> str:
        """The node ID, always computed from the key."""
        return node_id_of(self.node)

    @property
    def role(self) -> str:
        """The role the invite was minted for."""
        return self.grant.role


def enrol(invite: Invite, node_key: Ed25519PrivateKey, wrapping_key: bytes, now: float) -> Enrolment:
    """Use an invite for a node.

    Args:
        invite: One that is unused, or has places left.
        node_key: The node's own key.
        wrapping_key: The public half of its wrapping key.
        now: Unix seconds.

    Raises:
        ExchangeError: `expired`.
    """
    if now > invite.grant.not_after:
        raise ExchangeError(
            f"the invite {invite.grant.invite[:8]} for role {invite.grant.role} has expired",
            code="expired",
            hint=f"./invoke cluster invite NAME --role {invite.grant.role}",
        )
    body = invite.grant.data + public_of(node_key) + wrapping_key
    proofs = [sign(key, Purpose.ENROLMENT, body) for key in (key_from_seed(invite.join_seed), node_key)]
    return read_enrolment(body + b"".join(proofs))


def read_enrolment(data: bytes) -> Enrolment:
    """Parse an enrolment and check the root's, the join key's and the node's signature.

    Raises:
        ExchangeError: `malformed` or `unknown-version`.
    """
    fields = Fields(data, "the enrolment")
    grant = read_grant(fields)
    node, wrapping_key = fields.take(KEY), fields.take(KEY)
    body = fields.before()
    join_proof, node_proof = fields.take(SIGNATURE), fields.take(SIGNATURE)
    fields.end()
    if not holds(grant.join, Purpose.ENROLMENT, body, join_proof):
        raise refuse("the enrolment is not signed by the invite's join key")
    if not holds(node, Purpose.ENROLMENT, body, node_proof):
        raise refuse("the enrolment is not signed by its node")
    return Enrolment(data, grant, node, wrapping_key)
