"""The roster: what a reading may change, and what it may not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from goldnode.discovery.alarm import Alarm, AlarmKind
from goldnode.discovery.cluster_view import find_unseen, split_views
from goldnode.discovery.roster import Context, RoomReading, Roster, check_fit, merge
from goldnode.errors import ExchangeError
from goldnode.protocol import limits
from goldnode.protocol.announcement import Announcement
from goldnode.protocol.policy import Policy
from goldnode.protocol.record import Tombstone, sign_tombstone, verify_record, verify_tombstone
from goldnode.protocol.seal import slot_key
from tests.support.cluster_lab import NOW, Lab, facts, seed

LAB = Lab()
ME = Context(LAB.node_id("me"), "mine", "lab-1", seed("genesis").hex(), NOW)
HOUR = limits.REFRESH_INTERVAL


def reading(*announcements: tuple[str, int, Announcement]) -> RoomReading:
    """Records by name, number and content."""
    return RoomReading(
        tuple((verify_record(LAB.record(name, said, seq), LAB.slot(name)), said) for name, seq, said in announcements)
    )


def tombstone(name: str, seq: int) -> Tombstone:
    """A farewell."""
    return verify_tombstone(sign_tombstone(slot_key(LAB.node(name), LAB.room), seq), LAB.slot(name))


def with_members(*names: str) -> Roster:
    """A roster that has admitted these."""
    return merge(Roster(), reading(*((name, 10, LAB.announcement(name)) for name in names)), ME)


def test_a_valid_record_makes_a_member() -> None:
    """Reading a record admits its node."""
    assert {LAB.node_id("a")} == with_members("a").members.keys()


def test_absence_removes_nobody() -> None:
    """An empty answer, a wiped server, a hidden record: the roster stays as it is."""
    roster = with_members("a", "b")

    assert roster == merge(roster, RoomReading(), ME)


def test_an_old_record_changes_nothing() -> None:
    """A replayed record is below the mark."""
    said = LAB.announcement("a")
    roster = merge(Roster(), reading(("a", 10, said)), ME)
    moved = replace(said, facts=replace(said.facts, p2p_port=1))

    assert roster == merge(roster, reading(("a", 9, moved), ("a", 10, moved)), ME)


def test_a_newer_record_replaces_the_facts_and_keeps_the_first_sight() -> None:
    """What a member says anew counts; since when it is known stays."""
    said = LAB.announcement("a")
    roster = merge(Roster(), reading(("a", 10, said)), ME)
    moved = replace(said, facts=replace(said.facts, p2p_port=1))

    peer = merge(roster, reading(("a", 11, moved)), replace(ME, now=NOW + 9)).members[LAB.node_id("a")]

    assert (1, 11, NOW) == (peer.announcement.facts.p2p_port, peer.seq, peer.first_seen)


def test_our_own_record_is_no_peer() -> None:
    """A member does not list itself."""
    assert {} == with_members("me").members


def test_a_tombstone_with_a_greater_number_removes() -> None:
    """Who says farewell is gone, and its old record does not bring it back."""
    said = LAB.announcement("a")
    roster = merge(Roster(), reading(("a", 10, said)), ME)

    gone = merge(roster, RoomReading((), (tombstone("a", 11),)), ME)

    assert {} == gone.members
    assert {} == merge(gone, reading(("a", 10, said)), ME).members
    assert {LAB.node_id("a")} == merge(gone, reading(("a", 12, said)), ME).members.keys()


def test_an_old_tombstone_removes_nobody() -> None:
    """A replayed farewell is below the mark."""
    roster = with_members("a")

    assert roster == merge(roster, RoomReading((), (tombstone("a", 10),)), ME)


def test_a_tombstone_in_a_slot_of_another_room_means_nothing() -> None:
    """After a change of room, a member's farewell in a slot that none of its records came from removes nobody."""
    roster, former = with_members("a"), Lab(cluster_key=seed("former key"))
    data = sign_tombstone(slot_key(former.node("a"), former.room), 99)

    assert LAB.node_id("a") == former.node_id("a")
    assert roster == merge(roster, RoomReading((), (verify_tombstone(data, former.slot("a")),)), ME)


def test_a_policy_removes_whom_it_revokes() -> None:
    """Revocation is the only way others can put a member out."""
    policy = Policy(revoked_nodes=frozenset({LAB.node_id("a")}))

    roster = merge(with_members("a", "b"), RoomReading(), replace(ME, policy=policy))

    assert {LAB.node_id("b")} == roster.members.keys()


def test_a_cluster_does_not_wear_out() -> None:
    """Nodes may come and go for ever: three times as many as fit, and there is room, on disk as well."""
    roster, lab = Roster(), Lab()
    for number in range(3 * limits.MEMBERS):
        name = f"node {number}"
        me = replace(ME, now=lab.clock.now)
        roster = merge(roster, reading((name, 10, lab.announcement(name))), me)

        assert LAB.node_id(name) in roster.members

        roster = merge(roster, RoomReading((), (tombstone(name, 11),)), me)
        lab.clock.now += 6 * HOUR  # four nodes a day, for weeks

    assert {} == roster.members
    assert len(roster.peers) <= 4 * 8 + 1  # eight days, until tombstone and invite are over


def test_a_departed_node_holds_its_invite_until_that_is_over() -> None:
    """Who has left is remembered as long as somebody could come with its invite, and no longer."""
    week = limits.TOMBSTONE_TTL
    said = LAB.announcement("a", LAB.enrol("a", LAB.invite(hours=24 * 30)))
    roster = merge(Roster(), reading(("a", 10, said)), ME)
    roster = merge(roster, RoomReading((), (tombstone("a", 11),)), ME)

    kept = [
        LAB.node_id("a") in merge(roster, RoomReading(), replace(ME, now=NOW + later)).peers
        for later in (0, week + 1, 30 * 24 * 3600 - 1, 30 * 24 * 3600 + 1)
    ]

    assert [True, True, True, False] == kept


def test_who_comes_back_keeps_its_history() -> None:
    """A member that had left and writes again is the member it was, also long after its invite is over."""
    said = LAB.announcement("a")
    roster = merge(Roster(), reading(("a", 10, said)), ME)
    roster = merge(roster, RoomReading((), (tombstone("a", 11),)), ME)
    later = replace(ME, now=NOW + 2 * 24 * 3600)
    back = replace(said, time=int(later.now * 1000))

    peer = merge(roster, reading(("a", 12, back)), later).members[LAB.node_id("a")]

    assert (NOW, False) == (peer.first_seen, peer.left)


def test_a_policy_forgets_a_machine_that_is_gone() -> None:
    """Who is forgotten leaves the roster and its old record does not bring it back; a newer one does."""
    node = LAB.node_id("a")
    forgetting = replace(ME, policy=Policy(forgotten={node: int(NOW * 1000)}))
    said = LAB.announcement("a")

    gone = merge(with_members("a", "b"), RoomReading(), forgetting)
    replayed = merge(gone, reading(("a", 11, said)), forgetting)
    late = merge(Roster(), reading(("a", 11, said)), forgetting)
    back = merge(gone, reading(("a", 12, replace(said, time=said.time + 1))), forgetting)

    assert {LAB.node_id("b")} == gone.members.keys() == replayed.members.keys()
    assert ({}, {LAB.node_id("a"), LAB.node_id("b")}) == (late.members, set(back.members))


def test_a_cited_policy_keeps_newcomers_out() -> None:
    """While a member cites a newer policy than ours, who is in stays in and nobody new comes."""
    said = replace(LAB.announcement("a"), policy=(5, seed("policy").hex()))
    roster = merge(Roster(), reading(("a", 10, said)), ME)

    later = merge(roster, reading(("b", 10, LAB.announcement("b"))), ME)
    informed = merge(later, RoomReading(), replace(ME, policy_version=5))

    assert {LAB.node_id("b"): AlarmKind.POLICY_BEHIND} == later.refused
    assert {LAB.node_id("a"), LAB.node_id("b")} == informed.members.keys()


def test_our_own_invite_has_our_place() -> None:
    """Whoever copies our invite finds its place taken by ourselves."""
    invite = LAB.invite()
    mine = replace(ME, invite=invite.grant.invite)

    roster = merge(Roster(), reading(("thief", 10, LAB.announcement("thief", LAB.enrol("thief", invite)))), mine)

    assert {LAB.node_id("thief"): AlarmKind.QUOTA} == roster.refused


def test_a_boot_that_comes_back_is_a_clone() -> None:
    """A member whose boot ID flips to a former one runs twice."""
    said = LAB.announcement("a")
    other = replace(said, facts=facts("a", boot="other"))
    roster = merge(Roster(), reading(("a", 10, said)), ME)
    roster = merge(roster, reading(("a", 11, other)), ME)

    flipped = merge(roster, reading(("a", 12, said)), ME)

    assert (frozenset(), frozenset({LAB.node_id("a")})) == (roster.clones, flipped.clones)


def test_a_new_role_is_judged_anew() -> None:
    """A member that comes back with another invite is a candidate under that one."""
    roster = with_members("a")
    again = LAB.announcement("a", LAB.enrol("a", LAB.invite("validator", approve=True)))

    waiting = merge(roster, reading(("a", 11, again)), ME)
    admitted = merge(waiting, RoomReading(), replace(ME, policy=Policy(approved=frozenset({LAB.node_id("a")}))))

    assert "sentry" == waiting.members[LAB.node_id("a")].announcement.enrolment.role
    assert "validator" == admitted.members[LAB.node_id("a")].announcement.enrolment.role


def test_who_waits_is_forgotten_with_its_clock() -> None:
    """A candidate's record stops counting when its time is too long ago."""
    policy = Policy(approved=frozenset({LAB.node_id("a")}))
    waiting = merge(Roster(), reading(("a", 10, LAB.announcement("a", LAB.enrol("a", LAB.invite(approve=True))))), ME)

    later = merge(waiting, RoomReading(), replace(ME, now=NOW + limits.CLOCK_SKEW + 1, policy=policy))

    assert {} == later.members


@pytest.mark.parametrize(
    ("context", "word"),
    [
        (replace(ME, chain_id="other-1"), "chain"),
        (replace(ME, genesis="0" * 64), "genesis"),
        (replace(ME, now=NOW + limits.CLOCK_SKEW + 1), "off"),
        (replace(ME, now=NOW - limits.CLOCK_SKEW - 1), "off"),
    ],
)
def test_a_record_must_fit_its_reader(context: Context, word: str) -> None:
    """Another chain, another genesis, another time: not for us."""
    with pytest.raises(ExchangeError, match=word):
        check_fit(LAB.announcement("a"), context)


def test_a_hidden_record_is_noticed_after_two_intervals() -> None:
    """A member's view of something we were never shown becomes an alarm, in its time and not before."""
    hidden = LAB.node_id("b")
    said = replace(LAB.announcement("a"), accepted=(hidden,), seen={hidden: 99})
    roster = merge(Roster(), reading(("a", 10, said)), ME)
    unseen = find_unseen(roster, {}, NOW)

    assert set() == split_views(roster, find_unseen(roster, unseen, NOW + HOUR), ME.node_id, NOW + HOUR)
    assert {Alarm(AlarmKind.SPLIT_VIEW, hidden, "is hidden from us")} == split_views(
        roster, find_unseen(roster, unseen, NOW + 2 * HOUR), ME.node_id, NOW + 2 * HOUR
    )


def test_a_late_record_ends_the_suspicion() -> None:
    """News that travels slowly is no attack."""
    b = LAB.node_id("b")
    said = replace(LAB.announcement("a"), accepted=(b,), seen={b: 99})
    roster = merge(Roster(), reading(("a", 10, said)), ME)
    unseen = find_unseen(roster, {}, NOW)

    arrived = merge(roster, reading(("b", 99, LAB.announcement("b"))), ME)

    assert {} == find_unseen(arrived, unseen, NOW + HOUR)


def test_news_that_is_still_on_its_way_is_no_alarm() -> None:
    """A view that lacks a record of a moment ago accuses nobody."""
    b = LAB.node_id("b")
    said = replace(LAB.announcement("a"), accepted=(b,), seen={b: 5})
    roster = merge(Roster(), reading(("a", 10, said), ("b", 50, LAB.announcement("b"))), ME)

    assert set() == split_views(roster, {}, ME.node_id, NOW)


def test_a_member_that_is_shown_old_records_is_named() -> None:
    """A fresh view that lacks what lay there two intervals before: that member is kept in the dark."""
    b = LAB.node_id("b")
    late = int((NOW + 2 * HOUR + 60) * 1000)
    said = replace(LAB.announcement("a"), accepted=(b,), seen={b: 5}, time=late)
    roster = merge(Roster(), reading(("a", 10, said), ("b", 50, LAB.announcement("b"))), ME)

    found = split_views(roster, {}, ME.node_id, NOW)

    assert {Alarm(AlarmKind.SPLIT_VIEW, LAB.node_id("a"), "is shown old records")} == found
