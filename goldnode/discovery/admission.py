"""Who is admitted: the seven rules of the protocol's section 8, in their order.

There is no ledger on a server.  Each member remembers whom it admitted and lists them in its
records; that is how a stolen invite that is used twice, too late, or in a race is told from the
node it was minted for.  Where members cannot know, nobody new is admitted until the root decides.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from goldnode.discovery.alarm import Kind
from goldnode.protocol import limits
from goldnode.protocol.invite import Grant
from goldnode.protocol.policy import Policy


@dataclass(frozen=True, slots=True)
class Newcomer:
    """Somebody whose record is valid.

    Attributes:
        node_id: Its node ID.
        grant: What it enrolled with.
        accepted: The node IDs it says it has admitted.
    """

    node_id: str
    grant: Grant
    accepted: frozenset[str]


def admit(
    newcomers: Sequence[Newcomer],
    held: Mapping[str, str],
    members: Sequence[Newcomer],
    policy: Policy,
    now: float,
    *,
    behind: bool,
) -> tuple[frozenset[str], dict[str, Kind]]:
    """Judge everybody who waits.

    Args:
        newcomers: Who waits.
        held: Node IDs that hold a place already, the reader's own and those that left included, with their invites.
        members: The reader's present members: they vouch.
        policy: The policy the reader holds.
        now: Unix seconds.
        behind: A member cites a newer policy than that.

    Returns:
        The node IDs admitted now, and for every other one the rule that spoke against it.
    """
    admitted: set[str] = set()
    refused: dict[str, Kind] = {}
    vouched = {one.node_id for one in newcomers if _vouched(one, newcomers, members)}
    contenders: dict[str, list[Newcomer]] = defaultdict(list)
    for one in sorted(newcomers, key=lambda one: one.node_id):
        verdict = _first_rules(one, one.node_id in vouched, policy, now, behind)
        if verdict is not None:
            refused[one.node_id] = verdict
        elif one.node_id in policy.approved or held.get(one.node_id) == one.grant.invite:
            admitted.add(one.node_id)
        else:
            contenders[one.grant.invite].append(one)
    holding = {**held, **{one.node_id: one.grant.invite for one in newcomers if one.node_id in admitted}}
    for invite, group in contenders.items():
        places = group[0].grant.max - sum(invite == other for other in holding.values())
        winners = _winners(group, places, vouched)
        admitted |= winners
        lost = Kind.CONTESTED if places > 0 and not winners else Kind.QUOTA
        refused |= {one.node_id: lost for one in group if one.node_id not in winners}
    return _within(admitted, held, refused), refused


def _first_rules(one: Newcomer, vouched: bool, policy: Policy, now: float, behind: bool) -> Kind | None:
    if one.node_id in policy.revoked_nodes:
        return Kind.REVOKED
    if behind:
        return Kind.POLICY_BEHIND
    if one.node_id in policy.approved:
        return None
    if one.grant.approve:
        return Kind.UNAPPROVED
    over = now > one.grant.not_after or one.grant.invite in policy.revoked_invites
    return Kind.EXPIRED if over and not vouched else None


def _winners(group: Sequence[Newcomer], places: int, vouched: set[str]) -> set[str]:
    everybody = {one.node_id for one in group}
    known = everybody & vouched
    if len(everybody) <= places:
        return everybody
    return known if len(known) <= places else set()


def _vouched(one: Newcomer, newcomers: Sequence[Newcomer], members: Sequence[Newcomer]) -> bool:
    witnesses = [other for other in members or newcomers if other.grant.invite != one.grant.invite]
    voices = sum(one.node_id in other.accepted for other in witnesses)
    return voices > 0 if members else 0 < len(witnesses) <= 2 * voices


def _within(admitted: set[str], held: Mapping[str, str], refused: dict[str, Kind]) -> frozenset[str]:
    """Rule 5: the cluster's own size; the lowest node IDs fit, so that members agree."""
    free = limits.MEMBERS - len(held)
    new = sorted(admitted - held.keys())
    refused |= dict.fromkeys(new[max(free, 0) :], Kind.FULL)
    return frozenset(admitted - set(new[max(free, 0) :]))
