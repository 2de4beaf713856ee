"""A member and the root's word: which policies it accepts, what they change, what stays on its disk."""

from __future__ import annotations

from pathlib import Path

from goldnode.discovery.alarm import Alarm, AlarmKind
from goldnode.discovery.member import Membership
from goldnode.protocol import limits
from goldnode.protocol.policy import Policy, sign_policy
from tests.support.cluster_lab import Lab, listing, seed


def rotated(lab: Lab, box: bytes | None, policy: Policy | None = None, version: int = 9) -> bytes:
    """A policy of a second epoch, with a box for this public key."""
    return sign_policy(
        lab.root,
        policy or Policy(),
        version=version,
        epoch=2,
        cluster_key=seed("K 2"),
        members=[box] if box else [],
        random=lab.dice,
    )


def test_a_policy_moves_the_member_to_the_new_epoch(tmp_path: Path) -> None:
    """With a new key come a new room and a new slot, a record there, and the old key is on no disk."""
    lab = Lab()
    member = lab.member(tmp_path, "a")
    old = member.keys()
    written = member.current()
    assert written is not None
    box = written.announcement.enrolment.wrapping_key

    member.take(listing({lab.slot("b"): lab.record("b")}, policy=rotated(lab, box)))

    new = member.keys()
    disk = b"".join(path.read_bytes() for path in (tmp_path / "a").iterdir())
    assert (old.room != new.room, old.slot != new.slot) == (True, True)
    assert lab.cluster_key.hex().encode() not in disk
    record = member.current()
    assert record is not None
    assert (new.room, 9) == (record.room, record.announcement.policy[0])


def test_a_policy_that_leaves_us_out_locks_us_out(tmp_path: Path) -> None:
    """Without a box there is no new key: the member stays, says so, and keeps its roster."""
    lab = Lab()
    member = lab.member(tmp_path, "a")
    member.take(listing({lab.slot("b"): lab.record("b")}))
    room = member.keys().room

    member.take(listing(policy=rotated(lab, None)))

    assert {Alarm(AlarmKind.LOCKED_OUT, member.node_id)} == member.alarms()
    assert (room, {lab.node_id("b")}) == (member.keys().room, set(member.members()))


def test_an_old_policy_is_no_news(tmp_path: Path) -> None:
    """A policy's version only rises, also over a restart."""
    lab = Lab()
    b = lab.node_id("b")
    member = lab.member(tmp_path, "a")
    member.take(listing({lab.slot("b"): lab.record("b")}))
    revoking = lab.policy(2, Policy(revoked_nodes=frozenset({b})), ("a",))
    member.take(listing(policy=revoking))
    again = Membership(tmp_path / "a", lab.node("a"), clock=lab.clock)

    again.take(listing({lab.slot("b"): lab.record("b", seq=10**14)}, policy=lab.policy(1, members=("a",))))

    assert ((2, revoking), {}) == (again.policy(), again.members())


def test_a_member_that_cites_another_policy_is_an_alarm(tmp_path: Path) -> None:
    """The same version with another hash, in a member's record: the root speaks with two tongues."""
    lab = Lab()
    member = lab.member(tmp_path, "a")
    member.take(listing(policy=lab.policy(2)))
    said = lab.announcement("b", policy=(2, seed("another").hex()))

    member.take(listing({lab.slot("b"): lab.record("b", said)}))

    assert {Alarm(AlarmKind.POLICY_FORK, lab.node_id("b"))} == member.alarms()


def test_a_policy_under_a_wrong_key_is_refused(tmp_path: Path) -> None:
    """The root's signature alone is not enough: the body must open with the epoch's key."""
    lab, other = Lab(), Lab(cluster_key=seed("another K"))
    member = lab.member(tmp_path, "a")

    bad = member.take(listing(policy=other.policy(3)))

    assert "does not open" in bad["policy"]


def test_a_revoked_member_that_still_reads_says_so(tmp_path: Path) -> None:
    """Named in a policy it can open, a member raises the alarm itself."""
    lab = Lab()
    member = lab.member(tmp_path, "a")

    member.take(listing(policy=lab.policy(3, Policy(revoked_nodes=frozenset({member.node_id})))))

    assert {Alarm(AlarmKind.REVOKED, member.node_id)} == member.alarms()


def test_two_policies_of_one_version_are_an_alarm(tmp_path: Path) -> None:
    """A root kept in two places is noticed, and the first word stands."""
    lab = Lab()
    member = lab.member(tmp_path, "a")
    member.take(listing(policy=lab.policy(2)))
    held = member.policy()

    member.take(listing(policy=lab.policy(2, Policy(time=1))))

    assert ({Alarm(AlarmKind.POLICY_FORK, member.node_id)}, held) == (member.alarms(), member.policy())


def test_a_forged_policy_is_refused(tmp_path: Path) -> None:
    """Another root's policy is nobody's."""
    lab, other = Lab(), Lab()
    other.root = lab.node("another root")
    member = lab.member(tmp_path, "a")

    bad = member.take(listing(policy=other.policy(7)))

    assert (["policy"], (0, b"")) == (list(bad), member.policy())


def test_a_policy_that_stays_away_is_an_alarm(tmp_path: Path) -> None:
    """Members cite a policy the server does not show: said after two touch intervals."""
    lab = Lab()
    member = lab.member(tmp_path, "a")
    said = lab.announcement("b", policy=(4, seed("policy").hex()))
    member.take(listing({lab.slot("b"): lab.record("b", said)}))
    at_once = member.alarms()
    lab.clock.now += 2 * limits.TOUCH_INTERVAL

    assert (set(), {Alarm(AlarmKind.POLICY_BEHIND, lab.node_id("b"))}) == (at_once, member.alarms())


def test_a_policy_names_endpoints(tmp_path: Path) -> None:
    """A rendezvous the root names is used beside the ones the node was given."""
    lab = Lab()
    member = lab.member(tmp_path, "a")

    member.take(listing(policy=lab.policy(1, Policy(endpoints=("http://203.0.113.9:8700",)))))

    assert ("http://203.0.113.9:8700",) == member.endpoints()
