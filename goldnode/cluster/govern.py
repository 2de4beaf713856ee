"""The operator's decisions: invite, approve, forget, revoke, rotate.

Each decision that members must learn is a new policy; revoking also changes the cluster's key, so
that a removed node can read nothing written afterwards.  Forgetting changes no key: it says farewell
on behalf of a machine that is gone.  A decision is on disk before it leaves.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace

from goldnode.cluster.store import Cluster, Minted, Onlooker, Revoked
from goldnode.discovery.roster import Peer
from goldnode.errors import InputError, UsageError
from goldnode.forms import NODE_ID
from goldnode.protocol import limits
from goldnode.protocol.invite import Invite, mint
from goldnode.protocol.policy import Policy, sign_policy
from goldnode.protocol.wire import KEY


@dataclass(frozen=True, slots=True)
class InviteSpec:
    """The invite to mint: for which role, how many nodes, until when (unix seconds), with approval or not."""

    role: str
    max: int
    not_after: int
    approve: bool = False


def invite(cluster: Cluster, spec: InviteSpec, random: Callable[[int], bytes] = os.urandom) -> Invite:
    """Mint an invite and record it.

    Raises:
        InputError: The role is invalid, or the number is out of range.
    """
    view = cluster.view
    made = mint(
        cluster.root,
        role=spec.role,
        epoch=view.epoch,
        cluster_key=view.cluster_key,
        not_after=spec.not_after,
        random=random,
        max_nodes=spec.max,
        approve=spec.approve,
    )
    cluster.keep(replace(cluster.settings, minted=(*cluster.settings.minted, Minted.of(made.grant))))
    return made


def unendorsed(cluster: Cluster) -> frozenset[str]:
    """Members that no policy names yet: once their invites expire, a candidate cannot tell them from invite thieves."""
    return frozenset(cluster.view.roster.members) - cluster.view.policy.approved


def approve(cluster: Cluster, nodes: Collection[str] = (), now: float | None = None) -> None:
    """Write a policy that approves these nodes, and every present member.

    Raises:
        UsageError: One of them is revoked.
    """
    _refuse_revoked(cluster, nodes)
    policy = cluster.view.policy
    _decide(cluster, replace(policy, approved=policy.approved | set(nodes)), cluster.view.cluster_key, now)


def forget(cluster: Cluster, nodes: Collection[str], now: float | None = None) -> None:
    """Write a policy that forgets machines that are gone; one that writes again becomes a member again by itself.

    Raises:
        UsageError: One of them is revoked.
    """
    _refuse_revoked(cluster, nodes)
    moment = time.time() if now is None else now
    policy = cluster.view.policy
    forgotten = {**policy.forgotten, **dict.fromkeys(nodes, int(moment * 1000))}
    newest = sorted(forgotten, key=lambda node: (forgotten[node], node))[-limits.FORGOTTEN :]
    policy = replace(
        policy, forgotten={node: forgotten[node] for node in newest}, approved=policy.approved - set(nodes)
    )
    _decide(cluster, policy, cluster.view.cluster_key, moment)


def revoke(
    cluster: Cluster, nodes: Collection[str], now: float | None = None, random: Callable[[int], bytes] = os.urandom
) -> list[Invite]:
    """Remove nodes: write a policy that names them, under a new cluster key that only the others get.

    Returns:
        The unused invites, minted again for the new key.

    Raises:
        InputError: The policy's list of revoked nodes is full, and none of them can be dropped.
    """
    moment = time.time() if now is None else now
    view = cluster.view
    kept = _still_needed(cluster, nodes, moment)
    revoked = kept | set(nodes)
    if len(revoked) > limits.REVOKED_NODES:
        raise InputError(
            f"the policy revokes {len(kept)} nodes already, and a member that may be gone has not heard of them yet",
            hint=f"./invoke cluster status {cluster.folder.name}",
        )
    notes = [note for note in cluster.settings.revoked if note.node in kept and note.node not in nodes]
    peers = {**view.roster.pending, **view.roster.peers}
    notes += [
        Revoked(node, view.cited[0] + 1, peers[node].announcement.enrolment.grant.not_after)
        for node in sorted(set(nodes) & peers.keys())
    ]
    policy = replace(view.policy, revoked_nodes=revoked, approved=view.policy.approved - revoked)
    minted = rotate(cluster, policy, moment, random)
    cluster.keep(replace(cluster.settings, revoked=tuple(notes)))
    return minted


def rotate(
    cluster: Cluster,
    policy: Policy | None = None,
    now: float | None = None,
    random: Callable[[int], bytes] = os.urandom,
) -> list[Invite]:
    """Change the cluster's key for all remaining members.

    Returns:
        The unused invites, minted again for the new key; the old lines no longer work.
    """
    moment = time.time() if now is None else now
    left = _unused(cluster, moment)
    _decide(cluster, policy or cluster.view.policy, random(KEY), moment)
    cluster.keep(replace(cluster.settings, minted=()))
    return [invite(cluster, spec, random) for spec in left]


def find_node(cluster: Onlooker, text: str) -> str:
    """The node ID of a member or candidate, given its ID, a unique prefix of it, or its moniker.

    Raises:
        UsageError: No node matches, or several do.
    """
    roster = cluster.view.roster
    known: dict[str, Peer] = {**roster.pending, **roster.peers}
    meant = [node for node, peer in known.items() if node.startswith(text) or peer.announcement.facts.moniker == text]
    if NODE_ID.fullmatch(text):
        return text
    if len(meant) != 1:
        raise UsageError(
            f"{text!r} matches {len(meant)} nodes of cluster {cluster.settings.name}",
            hint=f"./invoke cluster status {cluster.settings.name}",
        )
    return meant[0]


def _still_needed(cluster: Cluster, leaving: Collection[str], now: float) -> frozenset[str]:
    """The revoked nodes that the next policy must name again, in addition to those revoked now.

    One can be dropped when all remaining members hold a policy that named it, so that none counts it as a member,
    and when its invite has expired, so that it cannot enrol again.
    """
    staying = [peer for node, peer in cluster.view.roster.members.items() if node not in leaving]
    oldest = min((peer.announcement.policy[0] for peer in staying), default=cluster.view.cited[0])
    spent = {note.node for note in cluster.settings.revoked if note.version <= oldest and note.not_after < now}
    return cluster.view.policy.revoked_nodes - spent


def _refuse_revoked(cluster: Cluster, nodes: Collection[str]) -> None:
    out = sorted(set(nodes) & cluster.view.policy.revoked_nodes)
    if out:
        raise UsageError(f"node {out[0]} is revoked for good", hint="give it a new node key and a new invite")


def _decide(cluster: Cluster, policy: Policy, key: bytes, now: float | None) -> None:
    view, moment = cluster.view, time.time() if now is None else now
    remaining = {
        node: peer
        for node, peer in {**view.roster.pending, **view.roster.members}.items()
        if node not in policy.revoked_nodes
        and (node in view.roster.peers or node in policy.approved)
        and peer.announcement.time > policy.forgotten.get(node, -1)
    }
    policy = replace(
        policy,
        approved=_approved(policy, remaining),
        endpoints=tuple(cluster.settings.rendezvous[: limits.ENDPOINTS]),
        time=int(moment * 1000),
    )
    data = sign_policy(
        cluster.root,
        policy,
        version=view.cited[0] + 1,
        epoch=view.epoch + (key != view.cluster_key),
        cluster_key=key,
        members=[cluster.wrapping_key, *(peer.announcement.enrolment.wrapping_key for peer in remaining.values())],
        random=os.urandom,
    )
    view.take_policy(data, moment)


def _approved(policy: Policy, remaining: Collection[str]) -> frozenset[str]:
    """The nodes that the policy approves: all present members, and as many of the absent as fit."""
    absent = sorted(policy.approved - set(remaining))
    return frozenset([*remaining, *absent[: max(0, limits.MEMBERS - len(remaining))]])


def _unused(cluster: Cluster, now: float) -> list[InviteSpec]:
    """What is left of each invite that has not expired: the places nobody has enrolled for."""
    enrolled = [peer.invite for peer in cluster.view.roster.peers.values()]
    specs = []
    for minted in cluster.settings.minted:
        left = minted.max - enrolled.count(minted.invite)
        over = minted.not_after < now or minted.invite in cluster.view.policy.revoked_invites
        if left > 0 and not over:
            specs.append(InviteSpec(minted.role, left, minted.not_after, minted.approve))
    return specs
