"""This node's membership in its cluster, in the terms of the planner and the rules.

The rendezvous client (``goldnode.discovery.member``) knows records, grants and policies; the planner and
the rules know ``peers.Member``.  This is the only module that knows both.
"""

from __future__ import annotations

from pathlib import Path

from goldnode.discovery.member import Membership
from goldnode.discovery.roster import Peer
from goldnode.errors import InputError
from goldnode.node.keys import claims
from goldnode.node.keys.claims import Claim, Judgement
from goldnode.node.keys.cometbft_keys import Key
from goldnode.node.plan.peers import Member
from goldnode.protocol.invite import read_invite
from goldnode.protocol.key_proof import is_proven
from goldnode.protocol.wire import key_from_seed

#: What replaces an invite once it has been used.
JOINED = "gn1_joined"


def enter(state: Path, key: Key, join: str, role: str) -> Membership:
    """Open this node's membership, or enrol with its invite; needs no network.

    Args:
        state: Where the membership is kept.
        key: The node key.
        join: The invite; empty or ``JOINED`` if it was used before.
        role: The node's role in node.yaml.

    Raises:
        InputError: There is no membership and no invite, or the invite is for another role.
        ExchangeError: The invite has expired.
    """
    node_key = key_from_seed(key.seed)
    if join and join != JOINED:
        invite = read_invite(join)
        if invite.grant.role != role:
            raise InputError(
                f"the invite is for a {invite.grant.role}, and node.yaml says role: {role}",
                hint=f"./invoke cluster invite NAME --role {role}",
            )
        member = Membership.join(state, node_key, invite)
    elif Membership.joined(state):
        member = Membership(state, node_key)
    else:
        raise InputError(
            f"node.yaml has no invite, and there is no membership yet ({state / 'identity.json'})",
            hint=f"./invoke cluster invite NAME --role {role}, then join: gn1_…",
        )
    if member.role != role:
        raise InputError(
            f"this node joined as a {member.role}, and node.yaml says role: {role}",
            hint="launch a new machine for another role",
        )
    return member


def members(membership: Membership) -> tuple[Member, ...]:
    """The cluster's other members, sorted by node ID."""
    return tuple(sorted(map(_member, membership.members().values()), key=lambda member: member.node_id))


def _member(peer: Peer) -> Member:
    facts = peer.announcement.facts
    return Member(
        node_id=peer.node_id,
        role=peer.announcement.enrolment.role,
        moniker=facts.moniker,
        mesh_key=facts.mesh.key if facts.mesh else "",
        mesh_port=facts.mesh.port if facts.mesh else 0,
        p2p_port=facts.p2p_port,
        addresses=tuple(facts.addresses),
        loaded=frozenset(facts.loaded),
        claim=_claim(peer),
    )


def _claim(peer: Peer) -> Claim | None:
    """A member's claim about the consensus key that it proves to hold; without proof there is no claim."""
    facts = peer.announcement.facts
    if facts.consensus is None or not is_proven(facts.consensus, peer.node_id):
        return None
    said_at = peer.announcement.time / 1000
    return Claim(peer.node_id, facts.moniker, facts.consensus.address.upper(), facts.consensus.height, said_at)


def judge(members: tuple[Member, ...], address: str, own_height: int, now: float) -> Judgement:
    """Judge what the members claim about a consensus key (``claims.judge``)."""
    return claims.judge((member.claim for member in members if member.claim), address, own_height, now)
