"""What the agent does about a validator's key: rivals, claims, a lost state; and reasons that only it can tell."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from goldnode.discovery.alarm import AlarmKind
from goldnode.files import write_atomic, write_json
from goldnode.node import preflight
from goldnode.node.agent.lease_keeper import SILENCE, LeaseReport
from goldnode.node.keys import keys, recovery
from goldnode.node.keys.claims import Claim
from goldnode.node.keys.signing_state import MUTED, SigningState
from goldnode.node.plan.peers import Member
from tests.support.agent_lab import UNIT, World
from tests.support.node_lab import Tree


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """A machine."""
    return Tree(tmp_path / "machine")


def _rival(world: World, height: int = 3, ago: float = 60.0, address: str = "") -> Member:
    record = keys.read_record(world.tree.layout.node("n-1"))
    assert record
    claim = Claim("d" * 40, "val-9", address or record.address, height, world.now - ago)
    return Member("d" * 40, "validator", claim=claim)


def test_a_second_holder_of_the_key_stops_a_running_validator(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whenever another machine proves that it has this key: stopped for good, and both are named in the alarm."""
    world = World(tree, "validator", monkeypatch, min_sentries=0)
    world.reconcile()
    world.answers(power=10)
    world.reconcile()
    world.members = (_rival(world),)

    done = world.reconcile()

    assert f"stop {UNIT}" in done
    assert "val-9" in tree.layout.node("n-1").hold.read_text()
    (alarm,) = [each for each in world.agent.alarms if each.kind is AlarmKind.SAME_KEY]
    assert ("d" * 40 in str(alarm), world.own in str(alarm)) == (True, True)
    assert "val-9" in str(world.status()["reason"])


def test_a_rival_keeps_a_validator_from_starting_until_it_is_gone(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    """Judged at every look: refused while the other one is there, started by itself once it gave the key up."""
    world = World(tree, "validator", monkeypatch, min_sentries=0)
    world.members = (_rival(world),)

    held = world.reconcile()
    said = str(world.status()["reason"])
    world.members = ()
    freed = world.reconcile()

    assert (False, True) == (f"start {UNIT}" in held, f"start {UNIT}" in freed)
    assert "has the same consensus key" in said


def test_a_later_signature_elsewhere_is_seen_at_every_look(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    """A member long gone signed higher than our state: the validator does not start, and says who it was."""
    world = World(tree, "validator", monkeypatch, min_sentries=0)
    world.members = (_rival(world, height=500, ago=90_000.0),)

    assert f"start {UNIT}" not in world.reconcile()
    assert "val-9" in str(world.status()["reason"])
    assert "500" in str(world.status()["reason"])


def test_with_a_lease_no_other_machine_keeps_the_signer_from_its_key(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The machine before signed higher than a restored state says: the lease knows that, and the signer starts."""
    tree.write("/usr/lib/goldnode/bin/goldnode-signer", "")
    world = World(tree, "validator", monkeypatch, min_sentries=0, lease="etcd://10.0.0.4:2379/goldnode")
    world.reconcile()
    world.members = (_rival(world, height=500),)

    world.reconcile()

    preflight.check_signer(tree.layout.node("n-1"))


def test_a_stopped_node_does_not_say_that_it_holds_its_lease(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its keeper's last report stays on the disk; another machine may have the lease since."""
    tree.write("/usr/lib/goldnode/bin/goldnode-signer", "")
    world = World(tree, "validator", monkeypatch, min_sentries=0, lease="etcd://10.0.0.4:2379/goldnode")
    node = tree.layout.node("n-1")
    report = LeaseReport("held", 74, 86, "etcd://10.0.0.4:2379/goldnode", fences=True, renewed=world.now, reason="")
    write_json(node.lease_status, {**asdict(report), "time": world.now - SILENCE})
    states = []
    for stopped in (False, True):
        if stopped:
            write_atomic(node.hold, "val-9 has its identity\n")
        world.reconcile()
        states.append(dict(world.status()["lease"])["state"])  # type: ignore[call-overload]

    assert ["held", "unknown"] == states


def test_an_absurd_claim_is_an_alarm_and_stops_nobody(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    """A height that no chain reaches, from a machine long gone: said with its name, and the validator starts."""
    world = World(tree, "validator", monkeypatch, min_sentries=0)
    world.members = (_rival(world, height=1 << 62, ago=90_000.0),)

    assert f"start {UNIT}" in world.reconcile()
    (alarm,) = [each for each in world.agent.alarms if each.kind is AlarmKind.CLAIM]
    assert "d" * 40 in str(alarm)


def test_a_lost_state_comes_back_when_the_chain_has_passed(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    """Recovering, it runs and signs nothing; ten blocks after it saw the tip it restarts with the chain's height."""
    world, node = World(tree, "validator", monkeypatch, min_sentries=0), tree.layout.node("n-1")
    keys.mark_used(node)
    write_json(node.signing_state, {"height": "40", "round": 0, "step": 3})
    keys.note_progress(node)
    node.signing_state.write_text("")

    begun = recovery.begin(node)
    started = world.reconcile()
    muted = keys.read_state(node)
    world.daemon.signs = False
    world.answers(height=55, power=10)
    world.reconcile()
    waiting = str(world.status()["reason"])
    world.answers(height=64, power=10)
    world.reconcile()
    early = keys.read_state(node)
    world.answers(height=65, power=10)
    done = world.reconcile()

    assert (40, True, MUTED, MUTED) == (begun.known, f"start {UNIT}" in started, muted, early)
    assert "signs nothing until the chain has passed height 65" in waiting
    assert f"stop {UNIT}" in done
    assert SigningState(65, 0, 3) == keys.read_state(node)
    record = keys.read_record(node)
    assert record
    assert (SigningState(65, 0, 3), False) == (record.state, node.recovery.exists())
    assert "" == (node.signing_state.with_name("priv_validator_state.json.damaged")).read_text()
    assert f"start {UNIT}" in world.reconcile()


def test_while_another_signs_nothing_is_recovered(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    """A muted node that sees its key's signature in the last blocks says so, and counts from the last one."""
    world, node = World(tree, "validator", monkeypatch, min_sentries=0), tree.layout.node("n-1")
    keys.mark_used(node)
    recovery.begin(node, elsewhere=True)
    world.reconcile()
    seen = []
    for height, signs in ((55, True), (75, True), (84, False), (85, False)):
        world.daemon.signs = signs
        world.answers(height=height, power=10)
        world.reconcile()
        seen.append((str(world.status()["reason"]), keys.read_state(node) == MUTED))

    said, waits, _, done = seen
    assert "up to 55, carry its key's signature, and not from here" in said[0]
    assert "up to 75" in waits[0]
    assert "recovered its signing state at height 85" in done[0]
    assert [True, True, True, False] == [muted for _, muted in seen]


def test_a_daemon_whose_consensus_failed_says_why(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    """It answers and makes no block: its own word, from wherever it stands in its log, is the reason."""
    world = World(tree, "sentry", monkeypatch)
    world.reconcile()
    world.answers()
    failed = (
        'ERR CONSENSUS FAILURE!!! err="wrong Block.Header.AppHash.  Expected AB, got CD" module=consensus stack="x"'
    )
    tree.system.logs[UNIT] = "\n".join([failed, *["INF Ensure peers module=pex"] * 500])

    world.reconcile(900)

    assert "stalled" == world.status()["state"]
    assert "its consensus has failed" in str(world.status()["reason"])
    assert "wrong Block.Header.AppHash.  Expected AB, got CD" in str(world.status()["reason"])


def test_a_clock_behind_the_chains_is_said(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks from the future are this machine's clock."""
    world = World(tree, "sentry", monkeypatch)
    world.reconcile()
    world.answers()
    world.now -= 302

    world.reconcile()

    assert "this machine's clock is 300 s behind the chain's: chronyc tracking" == world.status()["reason"]


def test_a_clock_that_jumps_is_said(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    """Set an hour ahead, every block seems old: status says why the node looks stalled; set right again, it ends."""
    world = World(tree, "sentry", monkeypatch)
    uptime = [41.5]
    world.agent.since_power_on = lambda: uptime[0]
    world.reconcile(0)
    world.answers()
    said = []
    for moved in (3600, -3600):
        uptime[0] += 2
        world.reconcile(2 + moved)
        said.append(str(world.status()["reason"]))

    assert ["this machine's clock jumped by +3600 s: chronyc tracking", ""] == said


@pytest.mark.parametrize(
    ("log", "reason"),
    [
        (
            'ERR Error in peer\'s address err="lookup seed.example.org: i/o timeout"',
            "seed.example.org does not resolve",
        ),
        (
            "ERR dial tcp: lookup seed.example.org on 127.0.0.53:53: server misbehaving",
            "seed.example.org does not resolve",
        ),
        ("panic: write /home/data/cs.wal/wal: no space left on device", "the disk is full: df -h"),
        ("goldnode-node@n-1.service: Failed with result 'oom-kill'.", "the machine's memory is full"),
        ("fatal error: runtime: cannot allocate memory", "the machine's memory is full"),
    ],
    ids=["slow dns", "hostile dns", "disk", "oom", "memory"],
)
def test_the_machines_troubles_are_reasons(tree: Tree, monkeypatch: pytest.MonkeyPatch, log: str, reason: str) -> None:
    """A daemon that does not come up because of names, disk or memory: status says which, and what to type."""
    world = World(tree, "sentry", monkeypatch)
    world.reconcile()
    tree.system.logs[UNIT] = f"INF starting\n{log}\n"

    world.reconcile()

    assert reason in str(world.status()["reason"])


def test_keys_on_the_root_disk_are_warned_of(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key that was made on `data: root` is gone with the machine: status says so, and stays healthy otherwise."""
    World(tree, "validator", monkeypatch).reconcile()

    document = json.loads(tree.layout.status.read_text())

    assert 1 == len(document["warnings"])
    assert "n-1: its consensus key was made on this machine's root disk" in document["warnings"][0]
