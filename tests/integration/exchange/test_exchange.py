"""Members and the real server: they find each other, and nothing the server suffers takes that away."""

from __future__ import annotations

import shutil
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from goldnode.bake.vm.ssh_wait import free_port
from goldnode.discovery.alarm import AlarmKind
from goldnode.discovery.client import Endpoint
from goldnode.discovery.exchange import BACKOFF_MAX, Exchange, Session, backoff
from goldnode.discovery.member import Membership
from goldnode.errors import ExchangeError
from goldnode.protocol import limits
from goldnode.protocol.policy import Policy, sign_policy
from goldnode.protocol.request import sign_request
from goldnode.protocol.seal import room_key, room_of
from tests.integration.exchange.cluster_of import know_each_other, lab, running, server, until
from tests.integration.rendezvous.support import serving
from tests.support.cluster_lab import Lab, accepted_by, facts, seed

NAMES = ("validator-1", "sentry-1", "sentry-2")


def cluster(made: Lab, folder: Path) -> list[Membership]:
    """A validator and two sentries, joined, not running."""
    return [made.member(folder, name, role=name.split("-")[0]) for name in NAMES]


def test_three_nodes_within_a_second(tmp_path: Path) -> None:
    """Once the last of three has started, all three know both others within one second."""
    members = cluster(lab(), tmp_path)
    with serving(tmp_path / "db") as url, running(members[:2], [url]):
        until(lambda: know_each_other(members[:2]))
        started = time.monotonic()
        with running(members[2:], [url]):
            until(lambda: know_each_other(members))
            took = time.monotonic() - started

    assert took < 1.0


def test_any_boot_order(tmp_path: Path) -> None:
    """Nodes that start before their rendezvous find each other when it comes."""
    members, port = cluster(lab(), tmp_path), free_port()
    with running(members, [f"http://127.0.0.1:{port}"]) as loops:
        until(lambda: all(AlarmKind.UNREACHABLE in {alarm.kind for alarm in loop.alarms()} for loop in loops))
        with server(tmp_path / "db", port):
            until(lambda: know_each_other(members))
            until(lambda: all(loop.published() and not loop.alarms() for loop in loops))


def test_a_rendezvous_that_comes_is_believed_at_once(tmp_path: Path) -> None:
    """A node that is left alone says that it is published, without an alarm, long before its next heartbeat."""
    (member, *_), port = cluster(lab(), tmp_path), free_port()
    with running([member], [f"http://127.0.0.1:{port}"]) as (loop,):
        until(lambda: AlarmKind.UNREACHABLE in {alarm.kind for alarm in loop.alarms()})
        with server(tmp_path / "db", port):
            until(lambda: loop.published() and not loop.alarms(), 20)


def test_a_node_that_has_said_nothing_is_not_published(tmp_path: Path) -> None:
    """A node that follows its room is published from its first record on, not before."""
    made = lab()
    made.member(tmp_path, "sentry-1")
    member = Membership(tmp_path / "sentry-1", made.node("sentry-1"))
    with serving(tmp_path / "db") as url, running([member], [url]) as (loop,):
        until(lambda: loop.clock_offset() is not None)
        before = loop.published()
        member.publish(facts("sentry-1"))
        until(loop.published)

    assert not before


def test_everybody_is_accepted_and_says_so(tmp_path: Path) -> None:
    """Admission shows in the records of those who admitted: both ways, without anybody asking."""
    members = cluster(lab(), tmp_path)
    with serving(tmp_path / "db") as url, running(members, [url]):
        until(lambda: all(len(accepted_by(member)) == 2 for member in members))


def test_server_killed_wiped_restarted_under_load(tmp_path: Path) -> None:
    """Members that write all the time lose nobody while the server dies, and fill an empty one, policy included."""
    made, port = lab(), free_port()
    members, database = cluster(made, tmp_path), tmp_path / "server" / "db"
    stop, losses = threading.Event(), []

    def load(member: Membership) -> None:
        port_number = 1
        while not stop.wait(0.02):
            port_number = port_number % 60000 + 1
            member.publish(replace(facts(_name(made, member), member.role), p2p_port=port_number))
            if len(member.members()) != 2:
                losses.append(member.node_id)

    with running(members, [f"http://127.0.0.1:{port}"]):
        with server(database, port) as (url, process):
            until(lambda: know_each_other(members))
            Endpoint(url).put_policy(made.fingerprint, made.policy(1))
            until(lambda: all(member.policy()[0] == 1 for member in members))
            writers = [threading.Thread(target=load, args=[member]) for member in members]
            for writer in writers:
                writer.start()
            time.sleep(0.5)
            process.kill()
        shutil.rmtree(database.parent)
        with server(database, port) as (url, _):
            took = until(lambda: _whole(made, url, members), limits.TOUCH_INTERVAL)
            stop.set()
            for writer in writers:
                writer.join()
            until(lambda: know_each_other(members))

    assert ([], True) == (losses, took < limits.TOUCH_INTERVAL)


def test_server_restored_from_an_old_backup(tmp_path: Path) -> None:
    """Old records that come back with the server move nobody's mark, and are replaced."""
    made, port = lab(), free_port()
    members, database, backup = cluster(made, tmp_path), tmp_path / "server" / "db", tmp_path / "backup"
    with running(members, [f"http://127.0.0.1:{port}"]):
        with server(database, port):
            until(lambda: know_each_other(members))
        shutil.copytree(database.parent, backup)
        with server(database, port):
            members[0].publish(replace(facts(NAMES[0], "validator"), p2p_port=7))
            until(lambda: {_port_of(member, members[0]) for member in members[1:]} == {7})
        shutil.rmtree(database.parent)
        shutil.copytree(backup, database.parent)
        with server(database, port) as (url, _):
            until(lambda: _whole(made, url, members, policy=False), 60)

            assert {7} == {_port_of(member, members[0]) for member in members[1:]}
            assert know_each_other(members)


def test_reboot_with_the_rendezvous_gone(tmp_path: Path) -> None:
    """A node that starts with no rendezvous in sight has its roster."""
    made = lab()
    members = cluster(made, tmp_path)
    with serving(tmp_path / "db") as url, running(members, [url]):
        until(lambda: know_each_other(members))

    again = Membership(tmp_path / NAMES[1], made.node(NAMES[1]))
    assert 2 == len(again.members())


def test_two_rendezvous_one_of_them_dead(tmp_path: Path) -> None:
    """Writing to all and reading the union: one living rendezvous is enough, and the dead one is named."""
    members = cluster(lab(), tmp_path)
    dead = f"http://127.0.0.1:{free_port()}"
    with serving(tmp_path / "db") as url, running(members, [dead, url]) as loops:
        until(lambda: know_each_other(members))

        assert {(AlarmKind.UNREACHABLE, dead)} == {(alarm.kind, alarm.subject) for alarm in loops[0].alarms()}
        assert loops[0].published()


def test_members_of_different_rendezvous_meet_in_the_union(tmp_path: Path) -> None:
    """A node that reads two servers knows the nodes of both."""
    members = cluster(lab(), tmp_path)
    with serving(tmp_path / "one") as one, serving(tmp_path / "two") as two:  # noqa: SIM117
        with running(members[:1], [one]), running(members[1:2], [two]), running(members[2:], [one, two]):
            until(lambda: len(members[2].members()) == 2)


def test_a_policy_reaches_everybody_at_once(tmp_path: Path) -> None:
    """A new policy ends the long-polls of all members, and its endpoints are used."""
    made = lab()
    members = cluster(made, tmp_path)
    with serving(tmp_path / "one") as one, serving(tmp_path / "two") as two, running(members, [one]) as loops:
        until(lambda: know_each_other(members))
        Endpoint(one).put_policy(made.fingerprint, made.policy(1, Policy(endpoints=(two,))))
        took = until(lambda: all(member.policy()[0] == 1 for member in members))
        until(lambda: _whole(made, two, members))

        assert took < 1.0
        assert all(not loop.alarms() for loop in loops)


def test_a_revoked_node_is_out(tmp_path: Path) -> None:
    """After a revocation with its new key, the revoked node reads nothing new and disturbs nobody."""
    made = lab()
    members = cluster(made, tmp_path)
    with serving(tmp_path / "db") as url, running(members, [url]) as loops:
        until(lambda: know_each_other(members))
        out, stay = members[2], [members[0], members[1]]
        boxes = [
            peer.announcement.enrolment.wrapping_key for node, peer in out.members().items() if node != out.node_id
        ]
        old, new = made.cluster_key, seed("K 2")
        revoked = Policy(revoked_nodes=frozenset({out.node_id}))
        policy = sign_policy(made.root, revoked, version=1, epoch=2, cluster_key=new, members=boxes, random=made.dice)
        Endpoint(url).put_policy(made.fingerprint, policy)

        until(lambda: know_each_other(stay))
        until(lambda: all(loop.published() and not loop.alarms() for loop in loops[:2]))
        until(lambda: AlarmKind.LOCKED_OUT in {alarm.kind for alarm in loops[2].alarms()})
        out.publish(replace(facts(NAMES[2]), p2p_port=666))
        time.sleep(0.3)

        assert know_each_other(stay)
        assert (room_of(old), room_of(new)) == (out.keys().room, stay[0].keys().room)
        with pytest.raises(ExchangeError, match="does not belong to this room"):
            _list_as(room_key(old), room_of(new), url)


def test_a_farewell_is_heard(tmp_path: Path) -> None:
    """A node that leaves is forgotten by the others, and by nobody's silence otherwise."""
    members = cluster(lab(), tmp_path)
    with serving(tmp_path / "db") as url, running(members, [url]) as loops:
        until(lambda: know_each_other(members))
        loops[2].leave()

        until(lambda: know_each_other(members[:2]))


def test_clones_alarm_each_other(tmp_path: Path) -> None:
    """Two machines from one disk: both say so."""
    made = lab()
    first = made.member(tmp_path, "sentry-1")
    shutil.copytree(tmp_path / "sentry-1", tmp_path / "clone")
    second = Membership(tmp_path / "clone", made.node("sentry-1"))
    second.publish(facts("sentry-1", boot="another machine"))
    with serving(tmp_path / "db") as url, running([first], [url]) as one:
        until(one[0].published)
        with running([second], [url]):
            until(lambda: all(AlarmKind.CLONE in {alarm.kind for alarm in each.alarms()} for each in (first, second)))


def test_touches_keep_a_record_alive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between two records a heartbeat extends the life of the one stored, and one that is gone is put again."""
    made = lab()
    member = made.member(tmp_path, "sentry-1")
    monkeypatch.setattr(limits, "TOUCH_INTERVAL", 0)
    with serving(tmp_path / "one") as one:
        session = Session(member, Endpoint(one))
        session.write()
        written = member.current()
        session.write()
        listed = _list(made, one)
        assert written is not None
        assert (written.data,) == tuple(data for _, data in listed)
    with serving(tmp_path / "two") as two:
        session.endpoint = Endpoint(two)
        session.write()

        assert listed == _list(made, two)


def test_stopping_does_not_wait_for_a_long_poll(tmp_path: Path) -> None:
    """Leaving the block ends the long-polls."""
    member = lab().member(tmp_path, "sentry-1")
    with serving(tmp_path / "db") as url:
        with Exchange(member, [url]) as loop:
            until(loop.published)
            time.sleep(0.2)
            started = time.monotonic()
        took = time.monotonic() - started

    assert took < 1.0


@pytest.mark.parametrize("luck", [0.0, 1.0])
def test_backoff_grows_and_obeys(luck: float) -> None:
    """Each failure waits longer, up to a bound, and never less than the server asks for."""
    pauses = [backoff(n, 0, luck) for n in range(1, 40)]

    assert sorted(pauses) == pauses
    assert pauses[-1] <= BACKOFF_MAX
    assert backoff(1, 90, luck) >= 90


def _name(made: Lab, member: Membership) -> str:
    return next(name for name in NAMES if made.node_id(name) == member.node_id)


def _port_of(reader: Membership, writer: Membership) -> int:
    return reader.members()[writer.node_id].announcement.facts.p2p_port


def _list(made: Lab, url: str) -> tuple[tuple[str, bytes], ...]:
    now = int(time.time() * 1000)
    return Endpoint(url).list(room_key(made.cluster_key), now, after="", wait=0, policy=made.fingerprint).items


def _whole(made: Lab, url: str, members: list[Membership], *, policy: bool = True) -> bool:
    """Whether the server shows the present record of every member, and the policy all hold."""
    held = {slot for slot, _ in _list(made, url)}
    shown = {member.keys().slot for member in members} <= held
    if not policy:
        return shown
    try:
        return shown and Endpoint(url).get_policy(made.fingerprint) == members[0].policy()[1]
    except ExchangeError:
        return False


def _list_as(key: Ed25519PrivateKey, room: str, url: str) -> None:
    """Ask for a room with another room's key."""
    target = f"/v1/rooms/{room}?policy={'0' * 64}"
    headers = sign_request(key, "GET", target, body=b"", now_ms=int(time.time() * 1000))
    Endpoint(url)._call("GET", target, b"", headers, 5)
