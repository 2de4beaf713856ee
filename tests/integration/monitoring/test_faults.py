"""Faults of a real fleet, and what Debian's Prometheus and Alertmanager tell a webhook of each: its alert, no other."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from goldnode.fleet.plan import NETWORK, PACE
from goldnode.node.agent.metrics_page import HOST_PORT
from goldnode.node.keys.cometbft_keys import Key
from goldnode.node.plan.upgrade import program
from goldnode.node.versions import rungs
from goldnode.protocol.limits import WAIT_MAX
from goldnode.run import run
from tests.integration.monitoring.test_rules import DASHBOARDS, RULES, queries
from tests.integration.monitoring.test_watch import DESKTOP, PHONE, SEEN
from tests.integration.node.fleet import Fleet, Host, fleet
from tests.integration.node.machine_process import SKEW
from tests.integration.node.programs import programs
from tests.integration.node.scenarios import bring, expect_blocks, write_genesis
from tests.support.browser import Browser, browser
from tests.support.lease_stores import Etcd, etcd, port
from tests.support.monitors import Monitors, monitors
from tests.support.node_lab import seed
from tests.support.waiting import kill, until

pytestmark = [pytest.mark.root, pytest.mark.long]
#: Seconds within which the webhook hears of an alert, beyond what its rule waits: a look of the agent, Prometheus' next
#: reading and evaluation, Alertmanager's ten seconds of grouping.
TOLD = 60
#: What else passes before a fault can be seen: a connection without a sign of life, a question without an answer, a
#: lease without a renewal, a machine that boots; the rendezvous' time comes with its next answer.
LEADS = {
    "PeerMissing": 60,
    "RendezvousUnreachable": 60,
    "LeaseStoreUnreachable": 45,
    "UpgradeNotReady": 30,
    "ClockWrong": WAIT_MAX,
}
#: Seconds until the webhook hears that it is over: a daemon starts and catches up; Alertmanager tells once a minute.
RESOLVED = 240
#: The end of a daemon is told for five minutes.
LONGER = {"DaemonEnded": 300}
STORE = f"{NETWORK}.8"
#: MiB of a machine's disk, and of what is left of the one that is filled.
DISK, LEFT = 900, 100


class Watched:
    """A validator that signs by a lease, and its sentries, watched."""

    def __init__(self, made: Fleet, validator: Host, sentries: list[Host], store: Etcd, seen: Monitors) -> None:
        self.made, self.validator, self.sentries, self.store, self.seen = made, validator, sentries, store, seen

    def raises(self, alert: str) -> None:
        """The fault that is there raises one alert, at the webhook, in its time."""
        within = TOLD + LEADS.get(alert, 0) + _seconds(str(RULES[alert].get("for", "0s")))
        took = self.seen.wait(alert, within)
        assert {alert} == self.seen.told() | self.seen.firing()
        print(f"{alert}: told after {took:.0f} s of {within}", flush=True)

    def resolves(self, alert: str) -> None:
        """It is over, which the webhook hears, and nothing else was raised meanwhile."""
        within = RESOLVED + LONGER.get(alert, 0)
        took = self.seen.wait(alert, within, "resolved")
        assert {alert} == self.seen.told()
        assert until(lambda: not self.seen.firing(), 60, 2), self.seen.firing()
        assert until(self.well, 120, 2), [host.node() for host in self.hosts]
        print(f"{alert}: told to be over after {took:.0f} s of {within}", flush=True)
        self.seen.forget()

    def well(self) -> bool:
        """Every node needs nobody."""
        return all(host.node().get("healthy") for host in self.hosts)

    @property
    def hosts(self) -> tuple[Host, ...]:
        """All machines."""
        return (self.validator, *self.sentries)


def _seconds(text: str) -> int:
    """What a rule waits."""
    return int(text[:-1]) * {"s": 1, "m": 60, "h": 3600}[text[-1]]


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """A localwasm chain with real slashing, a hidden validator and two sentries on it, and what watches them."""
    tools = programs(tmp_path_factory.mktemp("programs"), name="localwasm")
    page: dict[str, Any] = {"metrics": [f"{NETWORK}.0/24"]}
    # Short: a unix socket's path has at most 107 characters.
    with (
        tempfile.TemporaryDirectory(prefix="gnf") as name,
        fleet(Path(name), tools, name="localwasm") as made,
        contextlib.ExitStack() as stack,
    ):
        key = Key(seed("hidden"))
        write_genesis(made, {key: 10})
        store = stack.enter_context(_store(made))
        leased: dict[str, Any] = {"lease": store.url, "takeover": "automatic"}
        # Disks of their own: that of whoever runs the tests may be almost full, which an alert would tell.
        for each in ("val-1", "s-1", "s-2"):
            disk = made.folder / each
            disk.mkdir()
            run(["mount", "-t", "tmpfs", "-o", f"size={DISK}m", "none", disk])
            stack.callback(run, ["umount", "--lazy", disk])
        validator = made.add("val-1", "validator", consensus_key="existing", min_sentries=2, **leased, **page)
        sentries = [made.add(each, "sentry", **page) for each in ("s-1", "s-2")]
        bring(validator, key)
        for host in (*sentries, validator):
            exporter = ["prometheus-node-exporter", f"--web.listen-address=127.0.0.1:{HOST_PORT}"]
            stack.enter_context(made.inside(host.space, exporter))
            _image_of(host, datetime.now(UTC).date())
            expect_blocks(host, PACE)
            host.boot()
        assert until(lambda: all(sentry.node() for sentry in sentries), 60)
        made.outside(sentries)
        assert until(lambda: validator.node().get("signing"), 180), validator.console.read_text()
        seen = stack.enter_context(monitors(made, [validator, *sentries]))
        fleet_ = Watched(made, validator, sentries, store, seen)
        assert until(fleet_.well, 120), [host.node() for host in fleet_.hosts]
        yield fleet_


@contextlib.contextmanager
def _store(made: Fleet) -> Iterator[Etcd]:
    """The lease's store, on a machine of its own."""
    space = f"{made.prefix}-store"
    made.plug(space, STORE)
    within = ("ip", "netns", "exec", space)
    with etcd(made.folder / "etcd", STORE, within) as store:
        yield store


def test_every_query_of_every_dashboard_has_an_answer(watched: Watched) -> None:
    """A real Prometheus that reads a real fleet's page has data for each panel."""
    exprs = [expr.replace("$cluster", ".*") for board in DASHBOARDS for expr in queries(board)]

    def unanswered() -> list[str]:
        return [expr for expr in exprs if not watched.seen.query(expr)]

    until(lambda: not unanswered(), 120, 5)
    assert [] == unanswered()


def test_every_metric_of_a_rule_that_a_quiet_fleet_has_is_there(watched: Watched) -> None:
    """Rules name metrics that a real page has, but for those of a fault, an upgrade or a lease."""
    rare = re.compile("goldnode_(alarm|peer_missing|catch_up|upgrade|lease|disk_days_left|debian)")
    text = " ".join(rule["expr"] for rule in RULES.values())
    names = {name for name in re.findall(r"goldnode_[a-z_]+", text) if not rare.match(name)}

    assert [] == sorted(name for name in names if not watched.seen.query(name))


@pytest.mark.timeout(1500)
def test_a_quiet_quarter_of_an_hour_raises_nothing(watched: Watched) -> None:
    """As long as nothing is wrong, nobody is told anything."""
    assert not until(lambda: watched.seen.told() or watched.seen.firing(), 900, 2), watched.seen.firing()


def test_a_killed_daemon(watched: Watched) -> None:
    """It is started again, and that it ended is told once."""
    _kill_daemon(watched.sentries[0])

    watched.raises("DaemonEnded")
    watched.resolves("DaemonEnded")


def test_a_stopped_validator(watched: Watched) -> None:
    """Stopped on purpose it is not down, but its sentries see that it does not sign."""
    hold = watched.validator.tree.layout.node("val-1").hold
    hold.write_text("a test\n")
    watched.validator.halt()
    watched.validator.boot()

    watched.raises("ValidatorNotSigning")
    hold.unlink()
    watched.resolves("ValidatorNotSigning")


def test_a_destroyed_sentry(watched: Watched) -> None:
    """Its machine is gone: a browser shows it within seconds, and the others do not complain of it besides."""
    sentry, made = watched.sentries[1], watched.made
    within, number = ("ip", "netns", "exec", made.world), port()
    pages = [word for host in watched.hosts for word in ("--page", host.address)]
    web = ["./invoke", "watch", *pages, "--web", f"127.0.0.1:{number}"]
    with made.inside(made.world, web), browser(within) as page:
        for width, _ in (PHONE, DESKTOP):
            assert until(partial(_well, page, number, width), 90, 1), page.text("sum")
            began = time.monotonic()
            sentry.lose_power()
            assert until(lambda: page.text("sum").startswith("2 of 3"), 60, 0.05), page.text("sum")
            took = time.monotonic() - began
            print(f"{width} pixels wide: a machine's death is seen after {took:.1f} s")
            assert took < SEEN
            assert "silent" in page.text("nodes")
            if width < DESKTOP[0]:
                sentry.boot()

    watched.raises("MachineDown")
    sentry.boot()
    watched.resolves("MachineDown")


def _well(page: Browser, number: int, width: int) -> bool:
    """Open the page in a window of that width; whether it shows that all is well."""
    page.open(f"http://127.0.0.1:{number}/", width, 800)
    return until(lambda: page.text("sum") == "3 of 3 nodes are well", 2)


def test_a_rendezvous_that_is_gone(watched: Watched) -> None:
    """All of its nodes say so, as one alert, and go on."""
    made = watched.made
    assert made.rendezvous
    os.killpg(made.rendezvous.pid, signal.SIGSTOP)

    watched.raises("RendezvousUnreachable")
    os.killpg(made.rendezvous.pid, signal.SIGCONT)
    watched.resolves("RendezvousUnreachable")


def test_peers_that_are_cut(watched: Watched) -> None:
    """Two that run and do not reach each other: that is between them, and told so."""
    sentry = watched.sentries[0]
    drop = ["ip", "netns", "exec", watched.validator.space, "nft"]
    run([*drop, "add table inet cut"])
    for hook, side in (("input", "saddr"), ("output", "daddr")):
        run([*drop, f"add chain inet cut {hook} {{ type filter hook {hook} priority -300; }}"])
        run([*drop, f"add rule inet cut {hook} ip {side} {sentry.address} drop"])

    watched.raises("PeerMissing")
    run([*drop, "delete table inet cut"])
    watched.resolves("PeerMissing")


def test_a_disk_that_is_filled(watched: Watched) -> None:
    """The daemon is stopped before the disk is full, which is part of the alert; with space it starts by itself."""
    sentry = watched.sentries[1]
    ballast = sentry.tree.layout.at("/var/ballast")
    free = shutil.disk_usage(sentry.tree.layout.root).free
    run(["fallocate", "--length", f"{free - (LEFT << 20)}", ballast])
    assert until(lambda: sentry.node().get("state") == "stopped", 30), sentry.node()

    watched.raises("DiskFull")
    ballast.unlink()
    watched.resolves("DiskFull")


def test_a_clock_that_is_skewed(watched: Watched) -> None:
    """What a wrong clock makes of blocks is not told besides."""
    skew = watched.sentries[0].tree.write(SKEW, "30")

    watched.raises("ClockWrong")
    skew.unlink()
    watched.resolves("ClockWrong")


def test_a_lease_store_that_is_gone(watched: Watched) -> None:
    """The validator stops signing for that, on purpose, which is not told besides."""
    began = time.monotonic()
    watched.store.stop()

    watched.raises("LeaseStoreUnreachable")
    assert until(lambda: watched.validator.node().get("state") == "not signing", 180), watched.validator.node()
    assert until(lambda: "ValidatorNotSigning" in watched.seen.firing(), 120)
    print(f"LeaseStoreUnreachable: not signing after {time.monotonic() - began:.0f} s, and that is not told besides")
    watched.store.start()
    watched.resolves("LeaseStoreUnreachable")


def test_an_upgrade_whose_binary_is_missing(watched: Watched) -> None:
    """The ladder names a version that the machine does not have; with it, all is well."""
    sentry = watched.sentries[0]
    library = sentry.tree.layout.library
    path = library / "network.json"
    before = path.read_text()
    rung = {"name": "v2", "height": 1_000_000, "version": "99.0.0"}
    path.write_text(json.dumps(json.loads(before) | {"upgrades": [rung]}))
    sentry.boot()

    watched.raises("UpgradeNotReady")
    draft, goal = library / "draft", program(library, "wasmd", "99.0.0")
    (draft / "bin").mkdir(parents=True)
    (draft / "bin" / "wasmd").symlink_to(watched.made.program.binary)
    goal.parent.parent.parent.mkdir(parents=True, exist_ok=True)
    rungs.settle(draft, goal)
    watched.resolves("UpgradeNotReady")
    path.write_text(before)
    sentry.boot()
    assert until(watched.well, 120, 2)


def test_an_old_image(watched: Watched) -> None:
    """The date of its Debian packages tells."""
    sentry, today = watched.sentries[0], datetime.now(UTC).date()
    _image_of(sentry, today - timedelta(days=40))
    sentry.boot()

    watched.raises("ImageOld")
    _image_of(sentry, today)
    sentry.boot()
    watched.resolves("ImageOld")


def _image_of(host: Host, day: date) -> None:
    """A machine's image is of a day's Debian packages."""
    facts = host.tree.layout.library / "image.json"
    facts.write_text(json.dumps({"debian": {"suite": "trixie", "date": day.isoformat()}}))


def _kill_daemon(host: Host) -> None:
    """Kill a machine's daemon as the kernel would."""
    home = str(host.tree.layout.node(host.name).home)
    daemons = []
    for pid in run(["ip", "netns", "pids", host.space]).stdout.split():
        # What the agent started for a moment may have ended since it was listed.
        with contextlib.suppress(OSError):
            words, program = Path(f"/proc/{pid}/cmdline").read_text(), str(Path(f"/proc/{pid}/exe").readlink())
            if home in words and "wasmd" in program:
                daemons.append(pid)
    assert daemons
    kill(daemons)
