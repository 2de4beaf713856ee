"""Proof that a node holds the consensus key that its record speaks of.

Without it any member could say anything of anybody's key: that it signed at a height far above, which would keep
a validator from starting.  The proof is the key's signature over the node's ID, so it is of no use in another
node's record; what is signed begins with a tag of its own, and can be no vote or proposal.
"""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from goldnode.errors import ExchangeError
from goldnode.protocol.facts import Consensus
from goldnode.protocol.wire import Purpose, from_base64, holds, node_id_of, public_of, sign, to_base64


def prove(key: Ed25519PrivateKey, node_id: str, height: int) -> Consensus:
    """What the record of the node that holds a key says of it.

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
