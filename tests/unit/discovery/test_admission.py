"""Who is admitted: each rule of the protocol's section 8, and the order they speak in."""

from __future__ import annotations

from dataclasses import replace

import pytest

from goldnode.discovery.admission import Candidate, admit
from goldnode.discovery.alarm import Alarm, AlarmKind
from goldnode.protocol import limits
from goldnode.protocol.invite import Invite
from goldnode.protocol.policy import Policy
from tests.support.cluster_lab import NOW, Lab, seed

LAB = Lab()
NOBODY = Policy()


def comes(name: str, invite: Invite | None = None, *accepted: str) -> Candidate:
    """Somebody with a valid record."""
    grant = (invite or LAB.invite()).grant
    return Candidate(LAB.node_id(name), grant, frozenset(map(LAB.node_id, accepted)))


def judge(
    *candidates: Candidate,
    held: dict[str, str] | None = None,
    left: frozenset[str] = frozenset(),
    members: tuple[Candidate, ...] = (),
    policy: Policy = NOBODY,
    behind: bool = False,
    now: float = NOW,
) -> dict[str, AlarmKind | None]:
    """By node ID: None for admitted, else what spoke against it."""
    held = held or {}
    admitted, refused = admit(candidates, held, held.keys() - left, members, policy, now, behind=behind)
    return {**dict.fromkeys(admitted), **refused}


def test_an_invited_node_is_admitted() -> None:
    """A valid invite with a free place needs no human."""
    one = comes("a")

    assert {one.node_id: None} == judge(one)


def test_a_revoked_node_is_refused_whatever_else_holds() -> None:
    """Revocation speaks before approval."""
    one = comes("a")
    both = Policy(revoked_nodes=frozenset({one.node_id}), approved=frozenset({one.node_id}))

    assert {one.node_id: AlarmKind.REVOKED} == judge(one, policy=both)


def test_approval_speaks_before_policy_behind() -> None:
    """Whom the root has named is nobody new: a member that cites a made-up policy cannot keep it out."""
    named, other = comes("a"), comes("b")
    policy = Policy(approved=frozenset({named.node_id}))

    assert {named.node_id: None, other.node_id: AlarmKind.POLICY_BEHIND} == judge(
        named, other, policy=policy, behind=True
    )


def test_nobody_new_while_a_newer_policy_is_cited() -> None:
    """A server that withholds a policy keeps candidates out, not in."""
    one = comes("a")

    assert {one.node_id: AlarmKind.POLICY_BEHIND} == judge(one, behind=True)


def test_an_invite_may_want_approval() -> None:
    """With --approve a node waits until a policy names it."""
    one = comes("a", LAB.invite(approve=True))
    named = Policy(approved=frozenset({one.node_id}))

    assert ({one.node_id: AlarmKind.UNAPPROVED}, {one.node_id: None}) == (judge(one), judge(one, policy=named))


@pytest.mark.parametrize("over", ["late", "revoked"])
def test_a_dead_invite_needs_a_voucher(over: str) -> None:
    """A back-dated enrolment with a stolen invite is refused unless a member had accepted the node before."""
    invite = LAB.invite(hours=1)
    one, other = comes("a", invite), comes("b")
    policy = Policy(revoked_invites=frozenset({invite.grant.invite})) if over == "revoked" else NOBODY
    now = NOW + 7200 if over == "late" else NOW
    member = replace(other, accepted=frozenset({one.node_id}))

    assert {one.node_id: AlarmKind.EXPIRED} == judge(one, members=(other,), policy=policy, now=now)
    assert {one.node_id: None} == judge(one, members=(member,), policy=policy, now=now)


def test_a_thief_cannot_vouch_for_itself() -> None:
    """Whoever came with the same invite is no witness."""
    invite = LAB.invite(hours=1, most=2)
    thief, accomplice = comes("thief", invite), comes("accomplice", invite, "thief")

    assert AlarmKind.EXPIRED == judge(thief, members=(accomplice,), now=NOW + 7200)[thief.node_id]


def test_a_newcomer_believes_at_least_half_of_what_it_first_reads() -> None:
    """At a first reading the records themselves are the witnesses, and one liar among three is too few."""
    old = [LAB.invite(hours=1) for _ in range(4)]
    a = comes("a", old[0], "b", "c")
    b = comes("b", old[1], "a", "c")
    c = comes("c", old[2], "a", "b", "thief")
    thief = comes("thief", old[3], "a", "b", "c")

    found = judge(a, b, c, thief, now=NOW + 7200)

    assert {a.node_id: None, b.node_id: None, c.node_id: None, thief.node_id: AlarmKind.EXPIRED} == found


def test_a_lone_record_with_a_dead_invite_is_no_member() -> None:
    """Nobody to ask means no."""
    one = comes("a", LAB.invite(hours=1))

    assert {one.node_id: AlarmKind.EXPIRED} == judge(one, now=NOW + 7200)


def test_a_used_up_invite_admits_nobody() -> None:
    """A stolen invite that was used already is refused and said."""
    invite = LAB.invite()
    thief = comes("thief", invite)

    assert {thief.node_id: AlarmKind.QUOTA} == judge(thief, held={LAB.node_id("a"): invite.grant.invite})


def test_a_race_admits_neither() -> None:
    """Two nodes for one place, and nobody knows which came first: the root decides."""
    invite = LAB.invite()
    one, two = comes("a", invite), comes("b", invite)

    assert {one.node_id: AlarmKind.CONTESTED, two.node_id: AlarmKind.CONTESTED} == judge(one, two)


def test_a_race_is_won_by_whom_the_members_accepted() -> None:
    """When the members agree on one, the other is the thief."""
    invite = LAB.invite()
    one, two, member = comes("a", invite), comes("b", invite), comes("m", None, "a")

    assert {one.node_id: None, two.node_id: AlarmKind.QUOTA} == judge(one, two, members=(member,))


def test_members_that_disagree_leave_it_to_the_root() -> None:
    """Each of two members accepted another one: neither is admitted until a policy names one."""
    invite = LAB.invite()
    one, two = comes("a", invite), comes("b", invite)
    members = (comes("m", None, "a"), comes("n", None, "b"))
    named = Policy(approved=frozenset({one.node_id}))

    assert {one.node_id: AlarmKind.CONTESTED, two.node_id: AlarmKind.CONTESTED} == judge(one, two, members=members)
    assert {one.node_id: None, two.node_id: AlarmKind.QUOTA} == judge(one, two, members=members, policy=named)


def test_who_left_may_come_back() -> None:
    """A node that holds a place already needs no second one."""
    invite = LAB.invite()
    one = comes("a", invite)

    held = {one.node_id: invite.grant.invite}

    assert {one.node_id: None} == judge(one, held=held, left=frozenset(held), now=NOW + 10**6, behind=True)


def test_the_cluster_has_a_size() -> None:
    """Beyond the limit nobody is admitted, and all members leave out the same one."""
    held = {seed(str(n)).hex()[:40]: "x" for n in range(limits.MEMBERS - 1)}
    one, two = sorted([comes("a"), comes("b")], key=lambda each: each.node_id)

    assert {one.node_id: None, two.node_id: AlarmKind.FULL} == judge(one, two, held=held)


def test_who_has_left_takes_no_place_in_the_cluster() -> None:
    """However many were here before, only who is here now counts; who has left keeps its invite's place even so."""
    invite = LAB.invite()
    gone = {seed(str(n)).hex()[:40]: "x" for n in range(3 * limits.MEMBERS)}
    thief, one = comes("thief", invite), comes("a")
    held = {**gone, seed("owner").hex()[:40]: invite.grant.invite}

    assert {one.node_id: None, thief.node_id: AlarmKind.QUOTA} == judge(one, thief, held=held, left=frozenset(held))


def test_who_comes_back_needs_room() -> None:
    """A member that had left finds the cluster full when others have taken every place."""
    invite = LAB.invite()
    one = comes("a", invite)
    held = {seed(str(n)).hex()[:40]: "x" for n in range(limits.MEMBERS)} | {one.node_id: invite.grant.invite}

    assert {one.node_id: AlarmKind.FULL} == judge(one, held=held, left=frozenset({one.node_id}))


@pytest.mark.parametrize("kind", AlarmKind)
def test_every_alarm_is_a_sentence(kind: AlarmKind) -> None:
    """An alarm names its subject, and its hint is a command where there is one."""
    alarm = Alarm(kind, "SUBJECT", "detail")

    assert "{" not in str(alarm) + alarm.hint
    assert not str(alarm).endswith(".")
