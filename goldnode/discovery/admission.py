"""Who is admitted: the seven rules of section 8 of the protocol, in order.

There is no ledger on a server.  Each member remembers whom it admitted and lists them in its
records; that is how a stolen invite that is used twice, too late, or in a race is told from the
node it was minted for.  Where members cannot know, nobody new is admitted until the root decides.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from goldnode.discovery.alarm import AlarmKind
from goldnode.protocol import limits
from goldnode.protocol.invite import Grant
from goldnode.protocol.policy import Policy


@dataclass(frozen=True, slots=True)
class Candidate:
    """A node whose record is valid, and which asks to be admitted.

    Attributes:
        node_id: Its node ID.
        grant: What it enrolled with.
        accepted: The node IDs it says it has admitted.
    """

    node_id: str
    grant: Grant
    accepted: frozenset[str]


def admit(
    candidates: Sequence[Candidate],
    held: Mapping[str, str],
    present: Collection[str],
    members: Sequence[Candidate],
    policy: Policy,
    now: float,
    *,
    behind: bool,
) -> tuple[frozenset[str], dict[str, AlarmKind]]:
    """Decide on every candidate.

    Args:
        candidates: The nodes that wait.
        held: Node IDs that hold a place of their invite, the reader's own and those that left included.
        present: Those of them that are in the cluster now: only they count against its size.
        members: The reader's present members: they endorse.
        policy: The policy the reader holds.
        now: Unix seconds.
        behind: Whether a member cites a newer policy than that.

    Returns:
        The node IDs admitted now, and for every other one the rule that refused it.
    """
    admitted: set[str] = set()
    refused: dict[str, AlarmKind] = {}
    endorsed = {one.node_id for one in candidates if _is_endorsed(one, candidates, members)}
    contenders: dict[str, list[Candidate]] = defaultdict(list)
    for one in sorted(candidates, key=lambda one: one.node_id):
        sure = one.node_id in policy.approved or held.get(one.node_id) == one.grant.invite
        verdict = _first_rules(one, sure, one.node_id in endorsed, policy, now, behind)
        if verdict is not None:
            refused[one.node_id] = verdict
        elif sure:
            admitted.add(one.node_id)
        else:
            contenders[one.grant.invite].append(one)
    holding = {**held, **{one.node_id: one.grant.invite for one in candidates if one.node_id in admitted}}
    for invite, group in contenders.items():
        places = group[0].grant.max - sum(invite == other for other in holding.values())
        winners = _winners(group, places, endorsed)
        admitted |= winners
        lost = AlarmKind.CONTESTED if places > 0 and not winners else AlarmKind.QUOTA
        refused |= {one.node_id: lost for one in group if one.node_id not in winners}
    return _within(admitted, present, refused), refused


def _first_rules(
    one: Candidate, sure: bool, endorsed: bool, policy: Policy, now: float, behind: bool
) -> AlarmKind | None:
    if one.node_id in policy.revoked_nodes:
        return AlarmKind.REVOKED
    if sure:  # approved by the root, or a member that had left: whoever was admitted once need not be judged again
        return None
    if behind:
        return AlarmKind.POLICY_BEHIND
    if one.grant.approve:
        return AlarmKind.UNAPPROVED
    over = now > one.grant.not_after or one.grant.invite in policy.revoked_invites
    return AlarmKind.EXPIRED if over and not endorsed else None


def _winners(group: Sequence[Candidate], places: int, endorsed: set[str]) -> set[str]:
    everybody = {one.node_id for one in group}
    known = everybody & endorsed
    if len(everybody) <= places:
        return everybody
    return known if len(known) <= places else set()


def _is_endorsed(one: Candidate, candidates: Sequence[Candidate], members: Sequence[Candidate]) -> bool:
    endorsers = [other for other in members or candidates if other.grant.invite != one.grant.invite]
    endorsements = sum(one.node_id in other.accepted for other in endorsers)
    return endorsements > 0 if members else 0 < len(endorsers) <= 2 * endorsements


def _within(admitted: set[str], present: Collection[str], refused: dict[str, AlarmKind]) -> frozenset[str]:
    """Rule 5: the cluster's own size; the lowest node IDs fit, so that members agree."""
    free = max(limits.MEMBERS - len(present), 0)
    new = sorted(admitted.difference(present))
    refused |= dict.fromkeys(new[free:], AlarmKind.FULL)
    return frozenset(admitted - set(new[free:]))
