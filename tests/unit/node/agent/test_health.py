"""Health: the tip by its age, peers by name, and one's own signature."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date

import pytest

from goldnode.discovery.alarm import Alarm, AlarmKind
from goldnode.errors import HostError
from goldnode.node.agent import console, metrics
from goldnode.node.agent.explain import explain, failure
from goldnode.node.agent.health import NodeState, probe
from goldnode.node.agent.lease_keeper import LeaseReport
from goldnode.node.agent.rpc import Status, seconds
from goldnode.node.agent.supervisor import NodeReport
from goldnode.node.keys.key_rules import KeyRecord
from goldnode.node.observe import exposition
from goldnode.node.plan.upgrade import Halt

OWN, PEER, ADDRESS = "1" * 40, "2" * 40, "AB" * 20


@dataclass
class Daemon:
    """A daemon that answers what it is told to."""

    status_: Status = field(default_factory=lambda: Status(OWN, 100, 1000.0, False, ADDRESS, 10))
    signers: frozenset[str] = frozenset({ADDRESS})
    silent: bool = False
    late: bool = False

    def status(self) -> Status:
        """What it was told."""
        if self.silent:
            raise HostError("nobody there")
        return self.status_

    def peers(self) -> frozenset[str]:
        """One peer."""
        return frozenset({PEER})

    def signed(self, height: int) -> frozenset[str]:
        """The same for every height; a late vote is in nobody's commit but its own daemon's newest."""
        assert height > 0
        return self.signers if not self.late or height == self.status_.height else frozenset()

    def query(self, path: str, data: bytes) -> bytes:  # noqa: ARG002
        """It knows of nothing."""
        return b""

    def upgrade_plan(self) -> Halt | None:
        """Nobody votes here."""
        return None

    def dial(self, peers: tuple[str, ...]) -> None:
        """Nobody is dialled."""


def _status(height: int = 100, time: float = 1000.0, *, catching_up: bool = False, power: int = 10) -> Status:
    return Status(OWN, height, time, catching_up, ADDRESS, power)


@pytest.mark.parametrize(
    ("daemon", "signs", "state"),
    [
        (Daemon(), True, NodeState.SIGNING),
        (Daemon(signers=frozenset()), True, NodeState.NOT_SIGNING),
        (Daemon(late=True), True, NodeState.NOT_SIGNING),
        (Daemon(_status(power=0)), True, NodeState.NOT_IN_SET),
        (Daemon(signers=frozenset()), False, NodeState.FOLLOWING),
        (Daemon(_status(catching_up=True)), True, NodeState.SYNCING),
        (Daemon(_status(time=900.0)), True, NodeState.STALLED),
        (Daemon(_status(time=900.0, catching_up=True)), True, NodeState.SYNCING),
        (Daemon(_status(height=0, time=0.0)), False, NodeState.SYNCING),
        (Daemon(silent=True), True, NodeState.STARTING),
    ],
)
def test_states(daemon: Daemon, signs: bool, state: NodeState) -> None:
    """Each state is told from what was seen; `catching_up` is not believed when blocks are old."""
    assert state is probe(daemon, now=1001.0, signs=signs, wanted=(), block_time=1.0).state


@pytest.mark.parametrize(
    ("apart", "age", "state"),
    [
        (5.0, 8.5, NodeState.SIGNING),
        (5.0, 30.5, NodeState.STALLED),
        (1.0, 8.5, NodeState.STALLED),
        (60.0, 59.0, NodeState.SIGNING),
        (60.0, 61.0, NodeState.STALLED),
    ],
)
def test_a_chain_that_is_slow_has_not_stalled(apart: float, age: float, state: NodeState) -> None:
    """A tip's age counts in blocks as they come at present: a chain of one-second blocks may make one in five."""
    daemon = Daemon(_status(time=1000.0))

    found = probe(daemon, now=1000.0 + age, signs=True, wanted=(), block_time=1.0, interval=apart)

    assert state is found.state


def test_a_missing_peer_is_no_health() -> None:
    """Signing without a wanted peer is said, by its ID."""
    found = probe(Daemon(), now=1001.0, signs=True, wanted=(PEER, "3" * 40), block_time=1.0)

    assert (("3" * 40,), False) == (found.missing, found.healthy)


def test_times_have_nanoseconds() -> None:
    """CometBFT's times are read to the microsecond."""
    assert seconds("2026-11-20T18:00:00.123456789Z") == pytest.approx(1795197600.123456)
    assert seconds("2026-11-20T18:00:00Z") == pytest.approx(1795197600.0)


@pytest.mark.parametrize(
    ("log", "alone", "said"),
    [
        ("", False, "starting"),
        ("failed: found signature from the same key in block", False, "double-sign check)"),
        ("found signature from the same key", True, "single validator"),
        ('ERR UPGRADE "v32" NEEDED at height: 5', False, "waiting for upgrade v32"),
        ("goldnode-node@s-1.service: Failed with result 'oom-kill'.", False, "the machine's memory is full"),
        ("ERR lookup seed.example.org on 127.0.0.53:53: no such host", False, "the name seed.example.org does not"),
        (
            "ERR lookup s.example on [fd00::53]:53: read udp [fd00::10:1]:40000->[fd00::53]:53: i/o timeout",
            False,
            "the name s.example does not",
        ),
        ("ERR lookup s.example: cannot unmarshal DNS message", False, "the name s.example does not resolve"),
        (
            "lookup s.example: no such host\nError: couldn't resolve any seed nodes",
            False,
            "the name s.example does not resolve",
        ),
        (
            f"auth failure: conn.ID ({OWN}) dialed ID ({PEER}) mismatch\nERR Couldn't connect to any seeds",
            False,
            "another node answers where 22222222 should",
        ),
        ("ERR Couldn't connect to any seeds module=p2p", False, "none of its seeds answers"),
        ("write /x/000007.log: no space left on device", False, "the disk is full"),
        ("can't get pubkey: timed out", False, "remote signer"),
        ("write: no space left on device", False, "disk is full"),
        ("listen tcp: bind: address already in use", False, "in use"),
        ('ERR err="database entry point either missing or corrupted"', False, "ended with a damaged database"),
        ("error during handshake: app hash mismatch", False, "does not start"),
        (
            "12:00 INF x\npanic: runtime error: nil map\n\ngoroutine 1",
            False,
            "ended with panic: runtime error: nil map",
        ),
        ("Error: unknown flag: --x\nUsage:", False, "ended with Error: unknown flag: --x"),
        ("no space left\nfound signature from the same key", False, "double-sign"),
    ],
)
def test_waiting_is_explained(log: str, alone: bool, said: str) -> None:
    """What a daemon that does not answer waits for is told from the end of its log."""
    assert said in explain(log, alone=alone)


def _report(name: str = "val-1") -> NodeReport:
    health = probe(Daemon(), now=1001.0, signs=True, wanted=("3" * 40,), block_time=1.0)
    key = KeyRecord(ADDRESS, used=True, height=99, step=3)
    return NodeReport(name, "validator", OWN, health, "", False, (), "fd00::1", 2, (), key, "cHVi")


def test_metrics_have_labels_of_each_node() -> None:
    """One page, one set of labels per node, each family announced once."""
    machine = metrics.MachineView(12.34, frozenset({Alarm(AlarmKind.FULL, "1")}))

    page = exposition.merge([metrics.families([_report("val-1"), _report("val-2")], {}, machine, 9.0)])

    labels = f'{{node="val-2",role="validator",node_id="{OWN}"}}'
    assert f"goldnode_height{labels} 100" in page.splitlines()
    assert f"goldnode_signed_height{labels} 99" in page.splitlines()
    assert page.count("# TYPE goldnode_height gauge") == 1
    assert {"goldnode_alarms 1", "goldnode_uptime_seconds 12.3"} <= set(page.splitlines())


def test_a_large_number_is_whole() -> None:
    """Heights above a million and instants are not rounded: alerts subtract one from another."""
    report = _report()
    report = replace(report, health=replace(report.health, height=12_345_678))

    page = exposition.merge([metrics.families([report], {}, metrics.MachineView(1234567.8), 9.0)])
    assert "goldnode_height" in page
    assert {"12345678", "1234567.8"} <= {line.split()[-1] for line in page.splitlines()}


def test_the_age_of_debian_is_in_the_metrics_and_in_a_line() -> None:
    """The day, as an instant that an alert can subtract from now; the state, where a snapshot service gave it."""
    debian = {"suite": "trixie", "date": "2026-11-29", "snapshot": "20261129T060000Z"}

    page = exposition.merge([metrics.families([], {}, metrics.MachineView(1.0, debian=debian), 9.0)])

    assert 'goldnode_debian_date{suite="trixie",snapshot="20261129T060000Z"} 1795910400' in page.splitlines()
    said = "image: Debian trixie of 2026-11-29, 12 days old, snapshot 20261129T060000Z"
    assert [said] == console.debian(debian, date(2026, 12, 11))
    assert [] == console.debian({}, date(2026, 12, 11))


def test_the_console_says_what_counts() -> None:
    """Role, node ID, height, peers, who is missing; and the seconds since power-on when ready."""
    report = _report()

    assert f"validator val-1: signing, node id {OWN}, height 100, 1 peer, missing 33333333" == console.headline(report)
    assert f"validator val-1 ready 41.2 s after power-on, node id {OWN}, 1 peer" == console.ready(report, 41.23)


def test_a_lease_is_told_in_a_line_and_its_absence_too() -> None:
    """State, heights and store; that a file fences nothing; and of a validator without one, what that means."""
    held = LeaseReport("held", 5, 15, "etcd://e:2379/g", fences=True, renewed=9.0, reason="")
    file = replace(held, fences=False, store="file:///l", reason="why")
    reports = [replace(_report(), lease=held), replace(_report("v"), lease=file), replace(_report("w"), alone=True)]

    assert [
        "val-1: lease held, heights 5 to 15, in etcd://e:2379/g",
        "v: lease held, heights 5 to 15, in file:///l; a file fences nothing: another machine may sign too: why",
        "w: no lease: two machines with this key would both sign",
    ] == console.leases([console.document(each) for each in reports])


def test_a_lease_is_in_the_metrics() -> None:
    """Whether it is held, which heights it opens, and when the store last took a write."""
    held = LeaseReport("held", 5, 15, "etcd://e:2379/g", fences=True, renewed=9.0, reason="")

    page = exposition.merge([metrics.families([replace(_report(), lease=held)], {}, metrics.MachineView(1.0), 13.5)])

    values = [line.split()[-1] for line in page.splitlines() if line.startswith("goldnode_lease_")]
    assert ["1", "5", "15", "4.5"] == values


def test_only_changes_are_told() -> None:
    """A new height is no news, a new state is."""
    before = _report()

    assert (True, False) == (console.changed(None, before), console.changed(before, _report()))


def test_the_table_has_a_line_per_node() -> None:
    """Columns align, and each node is one line."""
    table = console.table([console.document(_report("a")), console.document(_report("longer"))])

    assert ["NAME", "a", "longer"] == [line.split()[0] for line in table.splitlines()]


def test_a_banner_holds_no_escapes() -> None:
    """What a node is called cannot make agetty print something else."""
    assert "\\" not in console.banner(["a\\4b"])


APP_HASH = "+2/3 committed an invalid block: wrong Block.Header.AppHash.  Expected 00, got 01"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (f'E[2026] CONSENSUS FAILURE!!!      module=consensus err="{APP_HASH}" stack="goroutine 7"', APP_HASH),
        ('ERR CONSENSUS FAILURE!!! err="index out of range" module=consensus stack="g"', "said: index out of range"),
        (r'ERR CONSENSUS FAILURE!!! err="UPGRADE \"v32\" NEEDED at height: 5" module=consensus', "for upgrade v32"),
        (f"ERR CONSENSUS FAILURE!!! err={'x' * 9000} module=consensus", f"it said: {'x' * 240}"),
        ('CONSENSUS FAILURE!!! err="write /x/wal: no space left on device" module=consensus', "the disk is full, and"),
        ("INF Ensure peers module=pex", ""),
    ],
)
def test_a_failed_consensus_is_told_in_its_own_words(line: str, said: str) -> None:
    """In either format of the log, an upgrade's halt as such, and never a whole block."""
    assert said in failure(line)
    assert bool(said) == bool(failure(line))
    assert len(failure(line)) < 400
