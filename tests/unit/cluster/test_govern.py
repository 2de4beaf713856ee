"""The operator's decisions, without a rendezvous: what they write down, and for whom."""

from __future__ import annotations

from pathlib import Path

import pytest

from goldnode.cluster import govern, status
from goldnode.cluster.room import RoomView, endpoints
from goldnode.cluster.store import Cluster, create
from goldnode.discovery.roster import RoomReading
from goldnode.errors import InputError, UsageError
from goldnode.protocol import limits
from goldnode.protocol.invite import Invite
from goldnode.protocol.policy import SignedPolicy, find_key
from goldnode.protocol.record import verify_record
from tests.support.cluster_lab import NOW, Lab, seed

DAY = govern.InviteSpec("sentry", 1, int(NOW) + 86400)


class Operator:
    """A cluster of the operator's and the lab that plays its nodes."""

    def __init__(self, folder: Path) -> None:
        self.cluster = create(folder, "demo", "localnet")
        self.lab = Lab()
        self.lab.root = self.cluster.root
        self.follow()

    def follow(self) -> None:
        """Let the lab's nodes use the epoch's key."""
        self.lab.epoch, self.lab.cluster_key = self.cluster.view.epoch, self.cluster.view.cluster_key

    def sees(self, name: str, invite: Invite | None = None) -> str:
        """Let the operator read a node's record."""
        said = self.lab.announcement(name, self.lab.enrol(name, invite))
        record = verify_record(self.lab.record(name, said), self.lab.slot(name))
        self.cluster.view.take(RoomReading(((record, said),)), NOW)
        return self.lab.node_id(name)

    @property
    def signed(self) -> SignedPolicy:
        """The policy in force."""
        signed = self.cluster.view.signed
        assert signed is not None
        return signed

    def has_box(self, name: str) -> bool:
        """Whether a node learns the epoch's key from the policy."""
        return find_key(self.signed, seed(f"box {name}")) == self.cluster.view.cluster_key


@pytest.fixture
def operator(tmp_path: Path) -> Operator:
    """A new cluster."""
    return Operator(tmp_path)


def test_an_invite_is_noted_without_its_secrets(operator: Operator) -> None:
    """cluster.json knows what was minted, and cannot be used to join."""
    invite = govern.invite(operator.cluster, DAY)
    text = (operator.cluster.folder / "cluster.json").read_text()

    assert invite.grant.invite in text
    assert invite.join_seed.hex() not in text


def test_approval_is_a_policy_with_everybody_in_it(operator: Operator) -> None:
    """Approving one node names all present members too, so that candidates can believe them later."""
    member = operator.sees("a", govern.invite(operator.cluster, DAY))
    waiting = operator.sees(
        "b", govern.invite(operator.cluster, govern.InviteSpec("sentry", 1, int(NOW) + 9, approve=True))
    )
    before = set(operator.cluster.view.roster.members)

    govern.approve(operator.cluster, [waiting], NOW)

    assert ({member}, {member, waiting}) == (before, set(operator.cluster.view.roster.members))
    assert frozenset({member, waiting}) == operator.cluster.view.policy.approved
    assert (1, 1) == (operator.signed.version, operator.signed.epoch)


def test_revocation_changes_the_key_for_the_others(operator: Operator) -> None:
    """Who is out gets no box; who stays does, and so does a copy of the operator's folder from before."""
    out, stays = operator.sees("a"), operator.sees("b")
    old = operator.cluster.view.cluster_key
    before = (operator.cluster.folder / "membership.json").read_bytes()

    govern.revoke(operator.cluster, [out], NOW)
    restored = Cluster(operator.cluster.folder)
    (operator.cluster.folder / "membership.json").write_bytes(before)
    aged = Cluster(operator.cluster.folder)
    aged.view.take_policy(operator.signed.data, NOW)

    assert (2, False, True) == (restored.view.epoch, operator.has_box("a"), operator.has_box("b"))
    assert {stays} == set(restored.view.roster.members)
    assert old != restored.view.cluster_key == aged.view.cluster_key


def test_revocation_is_for_good(operator: Operator) -> None:
    """A revoked node cannot be approved again."""
    out = operator.sees("a")
    govern.revoke(operator.cluster, [out], NOW)
    with pytest.raises(UsageError, match="revoked"):
        govern.approve(operator.cluster, [out], NOW)


def test_unused_invites_are_minted_again(operator: Operator) -> None:
    """With the new key the old lines are dead: what was not used comes back with the places left."""
    operator.sees("a", govern.invite(operator.cluster, govern.InviteSpec("sentry", 3, int(NOW) + 86400)))
    operator.sees("b", govern.invite(operator.cluster, DAY))
    govern.invite(operator.cluster, govern.InviteSpec("validator", 1, int(NOW) - 1))

    again = govern.rotate(operator.cluster, now=NOW)

    assert [("sentry", 2, 2)] == [(each.grant.role, each.grant.max, each.grant.epoch) for each in again]
    assert [each.grant.invite for each in again] == [note.invite for note in operator.cluster.settings.minted]


def test_versions_rise(operator: Operator) -> None:
    """Each decision has the next version, also in a folder opened again."""
    govern.approve(operator.cluster, [], NOW)
    govern.rotate(Cluster(operator.cluster.folder), now=NOW)

    assert (2, 2) == (
        Cluster(operator.cluster.folder).view.cited[0],
        Cluster(operator.cluster.folder).view.epoch,
    )


def test_the_list_of_the_revoked_has_an_end(operator: Operator) -> None:
    """A full list is said, and changes nothing."""
    many = [seed(str(n)).hex()[:40] for n in range(limits.REVOKED_NODES + 1)]
    with pytest.raises(InputError, match="revoke"):
        govern.revoke(operator.cluster, many, NOW)

    assert 1 == operator.cluster.view.epoch


def test_a_full_policy_fits(operator: Operator) -> None:
    """The largest policy there can be is small enough to be sent and read."""
    govern.revoke(operator.cluster, [seed(str(n)).hex()[:40] for n in range(limits.REVOKED_NODES)], NOW)
    operator.follow()
    for number in range(limits.MEMBERS):
        operator.sees(f"node {number}", govern.invite(operator.cluster, DAY))
    operator.cluster.meet_at(["http://" + "x" * 60 + "." + "x" * 49 + f".example:{port}" for port in range(1, 9)])

    govern.rotate(operator.cluster, now=NOW)

    assert (limits.BOXES, limits.MEMBERS) == (
        len(operator.signed.wrapped_keys),
        len(operator.cluster.view.policy.approved),
    )
    assert len(operator.signed.data) <= limits.POLICY_BYTES


def test_nodes_are_named_as_people_name_them(operator: Operator) -> None:
    """By ID, by the beginning of one, by moniker; anything else is asked back."""
    node = operator.sees("a")

    assert [node] * 3 == [govern.find_node(operator.cluster, text) for text in (node, node[:6], "a")] or node[0] == "a"
    with pytest.raises(UsageError, match="0 nodes"):
        govern.find_node(operator.cluster, "nobody")


def test_without_a_rendezvous_there_is_a_command(operator: Operator) -> None:
    """Nobody has said where the cluster meets: the error is the command that says it."""
    with pytest.raises(UsageError) as refusal:
        endpoints(operator.cluster)

    assert "--rendezvous" in refusal.value.hint


def test_status_lists_members_and_who_waits(operator: Operator) -> None:
    """The table has a row for each node with what keeps it out."""
    operator.sees("a")
    operator.sees("b", govern.invite(operator.cluster, govern.InviteSpec("validator", 1, int(NOW) + 9, approve=True)))

    found = status.document(operator.cluster, RoomView(("http://r",), ()), NOW + 5)

    assert [("a", "sentry", "member", 5.0), ("b", "validator", "unapproved", 5.0)] == [
        (row["moniker"], row["role"], row["state"], row["age_seconds"]) for row in found["members"]
    ]


def test_forgetting_changes_no_key(operator: Operator) -> None:
    """A machine that is gone leaves the roster and the policy's names; the epoch and everybody else stay."""
    gone, stays = operator.sees("a"), operator.sees("b")
    key = operator.cluster.view.cluster_key
    govern.approve(operator.cluster, [], NOW)

    govern.forget(operator.cluster, [gone], NOW + 1)

    membership = operator.cluster.view
    assert ({stays}, frozenset({stays})) == (set(membership.roster.members), membership.policy.approved)
    assert (key, 1, False) == (membership.cluster_key, membership.epoch, operator.has_box("a"))


def test_forgotten_nodes_are_bounded(operator: Operator) -> None:
    """Of very many machines that are gone, the policy names the latest."""
    for number in range(limits.FORGOTTEN + 3):
        govern.forget(operator.cluster, [seed(f"gone {number}").hex()[:40]], NOW + number)

    forgotten = operator.cluster.view.policy.forgotten
    assert {int((NOW + number) * 1000) for number in range(3, limits.FORGOTTEN + 3)} == set(forgotten.values())


def test_a_cluster_outlives_its_revocations(operator: Operator) -> None:
    """Twice as many nodes as the policy can name are revoked, one after another, and the cluster goes on."""
    for number in range(2 * limits.REVOKED_NODES):
        moment = NOW + number * 86400
        operator.lab.clock.now = moment
        govern.revoke(operator.cluster, [operator.sees(f"node {number}")], moment)
        operator.follow()

    policy = operator.cluster.view.policy
    assert operator.cluster.view.epoch == 2 * limits.REVOKED_NODES + 1
    assert len(policy.revoked_nodes) <= 3
    assert len(policy.revoked_nodes) == len(Cluster(operator.cluster.folder).settings.revoked)


def test_a_revocation_stands_until_everybody_has_heard_of_it(operator: Operator) -> None:
    """While a member cites an older policy, or the invite is not over, the revoked node stays named."""
    sleeper, first = operator.sees("sleeper"), operator.sees("first")
    govern.revoke(operator.cluster, [first], NOW)
    week = NOW + 7 * 86400

    govern.revoke(operator.cluster, [operator.sees("second")], week)
    heard_by_not_all = operator.cluster.view.policy.revoked_nodes
    govern.forget(operator.cluster, [sleeper], week)
    govern.revoke(operator.cluster, [operator.sees("third")], week + 1)

    assert first in heard_by_not_all
    assert first not in operator.cluster.view.policy.revoked_nodes
