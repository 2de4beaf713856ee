"""Proof that a node holds the consensus key that its record speaks of.

Without it any member could claim anything about anybody's key: a far greater signed height, say, which would keep
its validator from starting.  The proof is the key's signature over the node's ID, so it is of no use in another
node's record; what is signed begins with its own tag, so it can never be a vote or a proposal.
"""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from goldnode.errors import ExchangeError
from goldnode.protocol.facts import Consensus
from goldnode.protocol.wire import Purpose, from_base64, holds, node_id_of, public_of, sign, to_base64


def prove(key: Ed25519PrivateKey, node_id: str, height: int) -> Consensus:
    """What a node's record says about the consensus key that the node holds.

    Args:
        key: The consensus key.
        node_id: Whose record it is for.
        height: The last height it signed.
    """
    public = public_of(key)
    proof = sign(key, Purpose.KEY_PROOF, node_id.encode())
    return Consensus(node_id_of(public), height, to_base64(public), to_base64(proof))


def is_proven(consensus: Consensus, node_id: str) -> bool:
    """Whether the node that wrote a record holds the consensus key that it names there."""
    try:
        public, proof = from_base64(consensus.key, "key"), from_base64(consensus.proof, "proof")
    except ExchangeError:
        return False
    return node_id_of(public) == consensus.address and holds(public, Purpose.KEY_PROOF, node_id.encode(), proof)
