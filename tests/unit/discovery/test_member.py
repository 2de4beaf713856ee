"""A member: what it takes in, what it writes and when, and what survives on its disk."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from goldnode.discovery.alarm import Alarm, AlarmKind
from goldnode.discovery.member import Membership
from goldnode.discovery.own_record import SETTLE
from goldnode.errors import ExchangeError, InputError
from goldnode.protocol import limits
from goldnode.protocol.announcement import Announcement
from goldnode.protocol.record import sign_tombstone, verify_record
from goldnode.protocol.seal import slot_key
from tests.support.cluster_lab import NOW, Lab, accepted_by, facts, listing, read_announcement


def written(lab: Lab, member: Membership) -> Announcement:
    """What the member would put now."""
    record = member.current()
    assert record is not None
    return read_announcement(verify_record(record.data, member.keys().slot), lab.cluster_key, lab.root_public)


def seq(member: Membership) -> int:
    """The number it would put under."""
    record = member.current()
    assert record is not None
    return record.seq


def test_two_members_learn_each_other(tmp_path: Path) -> None:
    """What one writes, the other admits, both ways, by their node IDs."""
    lab = Lab()
    one, two = lab.member(tmp_path, "a"), lab.member(tmp_path, "b", role="validator")
    first, second = one.current(), two.current()
    assert first is not None
    assert second is not None

    one.take(listing({two.keys().slot: second.data}))
    two.take(listing({one.keys().slot: first.data}))

    assert ({two.node_id}, {one.node_id}) == (set(one.members()), set(two.members()))


def test_the_roster_survives_a_restart(tmp_path: Path) -> None:
    """With no rendezvous in sight a member starts from the roster on its disk."""
    lab = Lab()
    lab.member(tmp_path, "a").take(listing({lab.slot("b"): lab.record("b")}))

    again = Membership(tmp_path / "a", lab.node("a"), clock=lab.clock)

    assert {lab.node_id("b")} == again.members().keys()


def test_marks_survive_a_restart(tmp_path: Path) -> None:
    """A record replayed after a reboot is still below the mark."""
    lab = Lab()
    old = lab.record("b", seq=5)
    lab.member(tmp_path, "a").take(listing({lab.slot("b"): lab.record("b", seq=9)}))
    again = Membership(tmp_path / "a", lab.node("a"), clock=lab.clock)

    again.take(listing({lab.slot("b"): old}))

    assert 9 == again.members()[lab.node_id("b")].seq


def test_bad_records_are_counted_and_harm_nobody(tmp_path: Path) -> None:
    """One record that does not hold is skipped; the next one counts."""
    lab = Lab()
    member = lab.member(tmp_path, "a")
    hurt = lab.record("b")[:-1] + b"\0"

    bad = member.take(listing({lab.slot("b"): hurt, lab.slot("c"): lab.record("c")}, policy=b"junk"))

    assert ({lab.slot("b"), "policy"}, {lab.node_id("c")}) == (set(bad), set(member.members()))


def test_a_record_moved_to_another_slot_does_not_open(tmp_path: Path) -> None:
    """The server cannot show one member's record as another's."""
    lab = Lab()
    member = lab.member(tmp_path, "a")

    bad = member.take(listing({lab.slot("c"): lab.record("b")}))

    assert ([lab.slot("c")], {}) == (list(bad), member.members())


def test_another_clusters_node_is_refused(tmp_path: Path) -> None:
    """Who holds the key but was invited by another root is nobody."""
    lab, other = Lab(), Lab()
    other.root = lab.node("another root")
    stranger = other.enrol("b")

    bad = lab.member(tmp_path, "a").take(listing({lab.slot("b"): lab.record("b", lab.announcement("b", stranger))}))

    assert "another cluster" in bad[lab.slot("b")]


def test_numbers_only_rise(tmp_path: Path) -> None:
    """Each record has a greater number, also when the clock goes back, also after a restart."""
    lab = Lab()
    first = seq(lab.member(tmp_path, "a"))
    lab.clock.now -= 1000
    again = Membership(tmp_path / "a", lab.node("a"), clock=lab.clock)
    again.publish(facts("a"))

    assert seq(again) > first


def test_a_restored_disk_does_not_lock_itself_out(tmp_path: Path) -> None:
    """A number found in our own slot, under our own signature, is gone beyond."""
    lab = Lab()
    member = lab.member(tmp_path, "a")
    far = int(NOW * 1000) + 10**9

    member.take(listing({lab.slot("a"): lab.record("a", seq=far)}))

    assert (far + 1, set()) == (seq(member), member.alarms())


def test_our_own_tombstone_is_gone_beyond(tmp_path: Path) -> None:
    """A node that left and comes back writes above its farewell."""
    lab = Lab()
    member = lab.member(tmp_path, "a")
    far = int(NOW * 1000) + 10**9

    member.take(listing(gone={lab.slot("a"): sign_tombstone(slot_key(lab.node("a"), lab.room), far)}))

    assert far + 1 == seq(member)


def test_a_clone_is_said_and_answered(tmp_path: Path) -> None:
    """Somebody else writes as us while we run: alarm, and a new record so that the other one hears it too."""
    lab = Lab()
    member = lab.member(tmp_path, "a")
    mine = seq(member)
    other = lab.announcement("a", facts=facts("a", boot="elsewhere"))

    member.take(listing({lab.slot("a"): lab.record("a", other, mine + 5)}))

    assert {Alarm(AlarmKind.CLONE, member.node_id)} == member.alarms()
    assert mine + 6 == seq(member)


def test_a_machine_restored_with_its_memory_is_a_clone(tmp_path: Path) -> None:
    """A newer record under our own signature and of our own boot, after we wrote: no number but ours is that new."""
    lab = Lab()
    member = lab.member(tmp_path, "a")
    other = lab.announcement("a", facts=facts("a"))
    ahead = lab.record("a", seq=seq(member) + 7, announcement=other)

    member.take(listing({member.keys().slot: ahead}))

    assert Alarm(AlarmKind.CLONE, member.node_id) in member.alarms()


def test_clones_do_not_race(tmp_path: Path) -> None:
    """A second answer waits a heartbeat interval, however fast the other one is."""
    lab = Lab()
    member = lab.member(tmp_path, "a")
    other = lab.announcement("a", facts=facts("a", boot="elsewhere"))
    member.take(listing({lab.slot("a"): lab.record("a", other, seq(member) + 5)}))
    answered = seq(member)
    member.take(listing({lab.slot("a"): lab.record("a", other, answered + 5)}))

    waiting = seq(member)
    lab.clock.now += limits.TOUCH_INTERVAL

    assert answered == waiting
    assert seq(member) > answered + 5


def test_the_boot_before_is_no_clone(tmp_path: Path) -> None:
    """After a reboot our own older record is nobody else's."""
    lab = Lab()
    before = lab.announcement("a", facts=facts("a", boot="yesterday"))
    member = lab.member(tmp_path, "a")

    member.take(listing({lab.slot("a"): lab.record("a", before, 7)}))

    assert set() == member.alarms()


def test_changed_facts_are_due_at_once(tmp_path: Path) -> None:
    """What a node says anew leaves with the next write; the same again changes nothing."""
    lab = Lab()
    member = lab.member(tmp_path, "a")
    first = seq(member)
    member.publish(facts("a"))
    unchanged = seq(member)

    member.publish(replace(facts("a"), p2p_port=1))

    assert (first, 1) == (unchanged, written(lab, member).facts.p2p_port)


def test_accepted_nodes_are_listed_soon(tmp_path: Path) -> None:
    """A newly admitted node is in our next record, once the list has settled."""
    lab = Lab()
    member = lab.member(tmp_path, "a")
    before = written(lab, member).accepted
    member.take(listing({lab.slot("b"): lab.record("b")}))
    at_once = written(lab, member).accepted
    lab.clock.now += SETTLE

    assert ((), (), (lab.node_id("b"),)) == (before, at_once, written(lab, member).accepted)


def test_a_scheduled_refresh_carries_the_view(tmp_path: Path) -> None:
    """Every hour a record says what we have seen of the others."""
    lab = Lab()
    member = lab.member(tmp_path, "a")
    seq(member)
    member.take(listing({lab.slot("b"): lab.record("b", seq=77)}))
    lab.clock.now += SETTLE
    between = written(lab, member).seen
    lab.clock.now += limits.REFRESH_INTERVAL

    assert (None, {lab.node_id("b"): 77}) == (between, written(lab, member).seen)


def test_facts_others_would_refuse_are_not_said(tmp_path: Path) -> None:
    """A fault in our own facts is found here, not by silence out there."""
    with pytest.raises(ExchangeError, match="addresses"):
        Lab().member(tmp_path, "a").publish(replace(facts("a"), addresses=("127.0.0.1",)))


def test_the_same_invite_again_goes_on(tmp_path: Path) -> None:
    """Joining twice with one invite is joining once."""
    lab = Lab()
    invite = lab.invite()
    first = written(lab, lab.member(tmp_path, "a", invite)).enrolment

    assert first == written(lab, lab.member(tmp_path, "a", invite)).enrolment


def test_an_expired_invite_is_refused_by_its_own_node(tmp_path: Path) -> None:
    """An invite that is over is said at the node, with the command that mints another."""
    lab = Lab()
    with pytest.raises(ExchangeError, match="expired") as refusal:
        lab.member(tmp_path, "a", lab.invite(hours=-1))

    assert "cluster invite" in refusal.value.hint
    assert not Membership.joined(tmp_path / "a")


def test_another_nodes_directory_is_refused(tmp_path: Path) -> None:
    """A state directory under another node key is not ours to use."""
    lab = Lab()
    lab.member(tmp_path, "a")
    with pytest.raises(InputError, match="belongs to node"):
        Membership(tmp_path / "a", lab.node("b"))


@pytest.mark.parametrize("name", ["identity.json", "membership.json"])
@pytest.mark.parametrize("damage", ["", "{}", '{"version": 2}', "[]"])
def test_a_damaged_file_is_named(tmp_path: Path, name: str, damage: str) -> None:
    """A damaged file is one sentence with its path, never a traceback."""
    lab = Lab()
    lab.member(tmp_path, "a")
    (tmp_path / "a" / name).write_text(damage)
    with pytest.raises(InputError, match=name):
        Membership(tmp_path / "a", lab.node("a"))


def test_nothing_to_open(tmp_path: Path) -> None:
    """Opening what was never joined says so."""
    with pytest.raises(InputError, match="does not hold a membership"):
        Membership(tmp_path, Lab().node("a"))


def test_the_secrets_are_the_owners(tmp_path: Path) -> None:
    """Keys are in files nobody else may read."""
    lab = Lab()
    lab.member(tmp_path, "a")

    assert {0o600} == {path.stat().st_mode & 0o777 for path in (tmp_path / "a").iterdir()}


def test_a_farewell_ends_the_writing(tmp_path: Path) -> None:
    """After its tombstone a member writes nothing until it is told what to say."""
    lab = Lab()
    member = lab.member(tmp_path, "a")
    last = seq(member)
    farewell = member.farewell()
    silent = member.current()

    member.publish(facts("a"))

    assert (b"\1", None) == (farewell[:1], silent)
    assert seq(member) > last + 1


def test_waiting_ends_with_news(tmp_path: Path) -> None:
    """`wait` gives the version after a change, and the same one when nothing happens."""
    lab = Lab()
    member = lab.member(tmp_path, "a")
    member.take(listing({lab.slot("b"): lab.record("b")}))
    version = member.wait(0, 0)

    assert (1, 1) == (version, member.wait(version, 0))


def test_accepted_by_names_who_lists_us(tmp_path: Path) -> None:
    """A member knows who has admitted it."""
    lab = Lab()
    member = lab.member(tmp_path, "a")
    said = lab.announcement("b", accepted=(member.node_id,))

    member.take(listing({lab.slot("b"): lab.record("b", said), lab.slot("c"): lab.record("c")}))

    assert {lab.node_id("b")} == accepted_by(member)
