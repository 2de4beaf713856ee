"""The operator at the keyboard: each task against the real rendezvous and real members."""

from __future__ import annotations

import getpass
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from goldnode.bake.vm.ssh_wait import free_port
from goldnode.discovery.alarm import AlarmKind
from goldnode.discovery.member import Membership
from goldnode.errors import ExchangeError, InputError, UsageError
from goldnode.protocol.invite import read_invite
from goldnode.protocol.wire import key_from_seed
from goldnode.tasks import cluster as tasks
from tests.integration.cluster.desk import Desk
from tests.integration.exchange.cluster_of import know_each_other, running, until
from tests.integration.exchange.hostile import lying
from tests.integration.rendezvous.support import serving
from tests.support.cluster_lab import accepted_by, facts, seed


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Desk:
    """An operator with a folder of his own."""
    monkeypatch.setenv("GOLDNODE_CLUSTERS", str(tmp_path / "clusters"))
    monkeypatch.chdir(tmp_path)
    return Desk(capsys, tasks.ns)


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    """A real rendezvous."""
    with serving(tmp_path / "rendezvous" / "db") as found:
        yield found


def joins(folder: Path, name: str, line: str) -> Membership:
    """A node that was given this invite."""
    member = Membership.join(folder / name, key_from_seed(seed(name)), read_invite(line))
    member.publish(facts(name, member.role))
    return member


def test_from_nothing_to_a_table_of_members(desk: Desk, url: str, tmp_path: Path) -> None:
    """New, two invites, two nodes: status shows both, each accepted by the other, and nothing wrong."""
    desk.type(f"cluster.new demo --network localnet --rendezvous {url}")
    members = [
        joins(tmp_path, "v", desk.type("cluster.invite demo --role validator").strip()),
        joins(tmp_path, "s", desk.type("cluster.invite demo --role sentry").strip()),
    ]
    with running(members, [url]):
        until(lambda: all(accepted_by(member) for member in members))
        found, table = desk.status(), desk.type("cluster.status demo")

    assert [("s", "member", 1), ("v", "member", 1)] == [
        (row["moniker"], row["state"], row["accepted_by"]) for row in found["members"]
    ]
    assert ([url], []) == (found["answered"], found["alarms"])
    assert "validator" in table


def test_an_old_cluster_takes_in_a_newcomer(desk: Desk, url: str, tmp_path: Path) -> None:
    """A lone member whose invite is long over is believed by a candidate, because minting names it in a policy."""
    desk.type(f"cluster.new demo --network localnet --rendezvous {url}")
    old = joins(tmp_path, "v", desk.type("cluster.invite demo --role validator --hours 1").strip())
    with running([old], [url]) as loops:
        until(loops[0].published)
        desk.status()
        new = joins(tmp_path, "s", desk.type("cluster.invite demo --role sentry").strip())
        old.clock = new.clock = _later(new)
        with running([new], [url]):
            until(lambda: know_each_other([old, new]))


def test_approve(desk: Desk, url: str, tmp_path: Path) -> None:
    """A node that waits is in as soon as the operator says so."""
    desk.type(f"cluster.new demo --network localnet --rendezvous {url}")
    members = [
        joins(tmp_path, "v", desk.type("cluster.invite demo --role validator").strip()),
        joins(tmp_path, "s", desk.type("cluster.invite demo --role sentry --approve").strip()),
    ]
    with running(members, [url]) as loops:
        until(lambda: AlarmKind.UNAPPROVED in {alarm.kind for alarm in loops[0].alarms()})
        until(lambda: len(desk.status()["members"]) == 2)
        said = desk.type("cluster.approve demo s")
        until(lambda: know_each_other(members))

    assert f"published at {url}" in said


def test_revoke(desk: Desk, url: str, tmp_path: Path) -> None:
    """A revoked node is out, the rest has moved, and an invite nobody had used is printed anew and works."""
    desk.type(f"cluster.new demo --network localnet --rendezvous {url}")
    lines = [desk.type(f"cluster.invite demo --role {role}").strip() for role in ("validator", "sentry", "sentry")]
    unused = desk.type("cluster.invite demo --role sentry").strip()
    members = [joins(tmp_path, name, line) for name, line in zip("vst", lines, strict=True)]
    with running(members, [url]) as loops:
        until(lambda: know_each_other(members))
        desk.status()
        said = desk.type(f"cluster.revoke demo {members[2].node_id[:8]}")
        until(lambda: know_each_other(members[:2]))
        until(lambda: AlarmKind.LOCKED_OUT in {alarm.kind for alarm in loops[2].alarms()})
        again = next(word for word in said.split() if word.startswith("gn1_"))
        with running([late := joins(tmp_path, "u", again)], [url]):
            until(lambda: know_each_other([*members[:2], late]))

    assert unused != again


def test_forget(desk: Desk, url: str, tmp_path: Path) -> None:
    """A machine that is gone leaves every roster without a new key; one that runs after all is back by itself."""
    desk.type(f"cluster.new demo --network localnet --rendezvous {url}")
    line = desk.type("cluster.invite demo --role sentry --max 3").strip()
    members = [joins(tmp_path, name, line) for name in "abc"]
    with running(members[:2], [url]):
        with running(members[2:], [url]):
            until(lambda: know_each_other(members))
        room = members[0].keys().room
        said = desk.type(f"cluster.forget demo {members[2].node_id[:8]}")
        until(lambda: know_each_other(members[:2]))
        states = {row["moniker"]: row["state"] for row in desk.status()["members"]}
        with running(members[2:], [url]):
            until(lambda: know_each_other(members))

        assert {room} == {member.keys().room for member in members}
    assert "if it still runs it comes back" in said
    assert {"a": "member", "b": "member", "c": "left"} == states


def test_rotate(desk: Desk, url: str, tmp_path: Path) -> None:
    """A new key for everybody: nobody is lost, and all are in the new room."""
    desk.type(f"cluster.new demo --network localnet --rendezvous {url}")
    line = desk.type("cluster.invite demo --role sentry --max 3").strip()
    members = [joins(tmp_path, name, line) for name in "abc"]
    with running(members, [url]):
        until(lambda: know_each_other(members))
        before = members[0].keys().room
        desk.type("cluster.rotate demo")
        until(lambda: len({member.keys().room for member in members} - {before}) == 1)
        until(lambda: {row["policy"] for row in desk.status()["members"]} == {1})

        assert know_each_other(members)


def test_the_operator_reads_as_strictly_as_a_member(desk: Desk, tmp_path: Path) -> None:
    """Junk in the room, a forged policy, a false farewell: counted and said, and the members stay."""
    with lying() as server:
        desk.type(f"cluster.new demo --network localnet --rendezvous {server.url}")
        member = joins(tmp_path, "s", desk.type("cluster.invite demo --role sentry").strip())
        record = member.current()
        assert record is not None
        server.records[member.keys().slot] = record.data
        honest = desk.status()
        server.records["0" * 64] = b"junk"
        server.tombstones[member.keys().slot] = record.data
        server.policy = b"junk"
        found = desk.status()

    assert ["member"] == [row["state"] for row in honest["members"]]
    assert ["member"] == [row["state"] for row in found["members"]]
    assert ["bad-records"] == [alarm["kind"] for alarm in found["alarms"]]


def test_the_operator_hears_a_farewell(desk: Desk, url: str, tmp_path: Path) -> None:
    """A node that has left is shown as that."""
    desk.type(f"cluster.new demo --network localnet --rendezvous {url}")
    member = joins(tmp_path, "s", desk.type("cluster.invite demo --role sentry").strip())
    with running([member], [url]) as loops:
        until(loops[0].published)
        desk.status()
        loops[0].leave()

        assert ["left"] == [row["state"] for row in desk.status()["members"]]


def test_two_copies_of_the_folder(desk: Desk, url: str, tmp_path: Path) -> None:
    """A copy that slept through a rotation learns the new epoch from the rendezvous."""
    desk.type(f"cluster.new demo --network localnet --rendezvous {url}")
    shutil.copytree(tmp_path / "clusters", tmp_path / "copy")
    desk.type("cluster.rotate demo")
    (tmp_path / "clusters").rename(tmp_path / "first")
    (tmp_path / "copy").rename(tmp_path / "clusters")

    assert 2 == desk.status()["epoch"]


def test_user_data(desk: Desk, tmp_path: Path) -> None:
    """What is printed is a cloud-config whose invite joins this cluster, and --out writes it privately."""
    (tmp_path / "genesis.json").write_text("{}")
    (tmp_path / "extra.yaml").write_text("data: /dev/vdb\n")
    (tmp_path / "key.pub").write_text("ssh-ed25519 AAAA me\n")
    desk.type("cluster.new demo --network localnet --rendezvous http://203.0.113.10:8700")
    text = desk.type(
        "cluster.user-data demo --role multi-node --node v=validator --node s=sentry"
        " --genesis genesis.json --extra extra.yaml --ssh-key key.pub"
    )
    desk.type("cluster.user-data demo --role sentry --out u.yaml")
    node = yaml.safe_load(yaml.safe_load(text)["write_files"][0]["content"])

    assert ["validator", "sentry"] == [read_invite(each["join"]).grant.role for each in node["nodes"]]
    assert "/dev/vdb" == node["data"]
    assert 0o600 == (tmp_path / "u.yaml").stat().st_mode & 0o777


def test_user_data_of_hosted_nodes(desk: Desk) -> None:
    """Nodes of a JVM network need no rendezvous, and no invite is minted for them."""
    desk.type("cluster.new ledgers --network daml")
    text = desk.type("cluster.user-data ledgers --role multi-node --node alice=hosted --node bob=hosted")
    alone = desk.type("cluster.user-data ledgers --role hosted --node carol")
    node, single = (yaml.safe_load(yaml.safe_load(each)["write_files"][0]["content"]) for each in (text, alone))

    assert [{"name": "alice", "role": "hosted"}, {"name": "bob", "role": "hosted"}] == node["nodes"]
    assert {"version": 1, "role": "hosted", "name": "carol"} == single


@pytest.mark.parametrize(("line", "error"), [
    ("cluster.status nothing", UsageError),
    ("cluster.invite demo --role Sentry", InputError),
    ("cluster.invite demo --role sentry --max 65", InputError),
    ("cluster.user-data demo --role multi-node --node a", UsageError),
    ("cluster.user-data demo --role sentry --genesis missing", UsageError),
    ("cluster.user-data demo --role sentry --extra bad.yaml", InputError),
    ("cluster.user-data demo --role sentry --extra list.yaml", InputError),
    ("cluster.approve demo nobody", UsageError),
    ("cluster.revoke demo nobody", UsageError),
    ("cluster.rotate demo", ExchangeError),
])  # fmt: skip
def test_mistakes_are_sentences(desk: Desk, tmp_path: Path, line: str, error: type[Exception]) -> None:
    """A mistake is an error of its class, and no traceback of ours."""
    (tmp_path / "bad.yaml").write_text("a: [")
    (tmp_path / "list.yaml").write_text("[]")
    desk.type(f"cluster.new demo --network localnet --rendezvous http://127.0.0.1:{free_port()}")
    with pytest.raises(error):
        desk.type(line)


def test_a_decision_outlives_a_dead_rendezvous(desk: Desk, tmp_path: Path) -> None:
    """What no rendezvous took is on disk, and the next look brings it."""
    port = free_port()
    desk.type(f"cluster.new demo --network localnet --rendezvous http://127.0.0.1:{port}")
    with pytest.raises(ExchangeError, match="no rendezvous took it"):
        desk.type("cluster.rotate demo")
    with serving(tmp_path / "db") as url:
        found = json.loads(desk.type(f"cluster.status demo --json --rendezvous {url}"))
        again = json.loads(desk.type("cluster.status demo --json"))

    assert (2, 1) == (found["epoch"], again["policy"])
    assert {f"http://127.0.0.1:{port}"} == {alarm["subject"] for alarm in again["alarms"]}


def test_backup_and_restore(desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the passphrase typed twice, the folder comes back; two different ones are refused."""
    answers = iter(["correct horse battery"] * 3 + ["one thing", "another"])
    monkeypatch.setattr(getpass, "getpass", lambda _: next(answers))
    desk.type("cluster.new demo --network localnet")
    desk.type("cluster.backup demo")
    (tmp_path / "clusters" / "demo").rename(tmp_path / "clusters" / "old")
    desk.type("cluster.restore demo.backup")

    assert (tmp_path / "clusters" / "old" / "root.key").read_bytes() == (
        tmp_path / "clusters" / "demo" / "root.key"
    ).read_bytes()
    with pytest.raises(UsageError, match="differ"):
        desk.type("cluster.backup demo --out other")


def _later(member: Membership) -> Any:
    """A clock 90 minutes ahead: the first node's invite is over, the second one's is not."""
    clock = member.clock
    return lambda: clock() + 5400
