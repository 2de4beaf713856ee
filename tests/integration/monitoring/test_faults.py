"""Faults of a real fleet, and what Debian's Prometheus and Alertmanager tell a webhook of each: its alert, no other."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from goldnode.fleet.plan import NETWORK
from goldnode.node.agent.metrics_page import HOST_PORT
from goldnode.node.keys.cometbft_keys import Key
from goldnode.run import run
from tests.integration.monitoring.test_rules import DASHBOARDS, RULES, queries
from tests.integration.node.fleet import Fleet, Host, fleet
from tests.integration.node.programs import programs
from tests.integration.node.scenarios import bring, write_genesis
from tests.support.monitors import Monitors, monitors
from tests.support.node_lab import seed
from tests.support.waiting import until

pytestmark = [pytest.mark.root, pytest.mark.long]
#: Seconds until an alert must be there, and be gone again: what its rule waits for, a scrape or two, Alertmanager.
RAISED, RESOLVED = 240, 420


class Watched:
    """A validator and its sentries, watched."""

    def __init__(self, made: Fleet, validator: Host, sentries: list[Host], seen: Monitors) -> None:
        self.made, self.validator, self.sentries, self.seen = made, validator, sentries, seen

    def raises(self, alert: str) -> None:
        """The fault that is there raises one alert, at the webhook too."""
        assert until(lambda: alert in self.seen.told(), RAISED, 2), (alert, self.seen.firing())
        assert {alert} == self.seen.told()

    def resolves(self, alert: str) -> None:
        """It is over, which the webhook hears, and nothing else was raised meanwhile."""
        assert until(lambda: alert in self.seen.told("resolved"), RESOLVED, 2), (alert, self.seen.firing())
        assert {alert} == self.seen.told()
        assert until(lambda: not self.seen.firing(), RESOLVED, 2), self.seen.firing()
        self.seen.forget()


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """A localwasm chain with real slashing, a hidden validator and two sentries on it, and what watches them."""
    tools = programs(tmp_path_factory.mktemp("programs"), name="localwasm")
    page: dict[str, Any] = {"metrics": [f"{NETWORK}.0/24"]}
    with fleet(tmp_path_factory.mktemp("fleet"), tools, name="localwasm") as made, contextlib.ExitStack() as stack:
        key = Key(seed("hidden"))
        write_genesis(made, {key: 10})
        validator = made.add("val-1", "validator", consensus_key="existing", min_sentries=2, **page)
        sentries = [made.add(name, "sentry", **page) for name in ("s-1", "s-2")]
        bring(validator, key)
        for host in (*sentries, validator):
            exporter = ["prometheus-node-exporter", f"--web.listen-address=127.0.0.1:{HOST_PORT}"]
            stack.enter_context(made.inside(host.space, exporter))
            host.boot()
        assert until(lambda: all(sentry.node() for sentry in sentries), 60)
        made.outside(sentries)
        assert until(lambda: validator.node().get("signing"), 180), validator.console.read_text()
        seen = stack.enter_context(monitors(made, [validator, *sentries]))
        yield Watched(made, validator, sentries, seen)


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


def test_a_quiet_fleet_raises_nothing(watched: Watched) -> None:
    """As long as nothing is wrong, nobody is told anything for a minute."""
    assert not until(lambda: watched.seen.told() or watched.seen.firing(), 60, 2), watched.seen.firing()


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
    """Its machine is gone: the others do not complain of it besides."""
    sentry = watched.sentries[1]
    sentry.lose_power()

    watched.raises("MachineDown")
    sentry.boot()
    watched.resolves("MachineDown")


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


def test_an_old_image(watched: Watched) -> None:
    """The date of its Debian packages tells."""
    sentry = watched.sentries[0]
    facts = sentry.tree.layout.library / "image.json"
    before = facts.read_text() if facts.exists() else ""
    facts.write_text(json.dumps({"debian": {"suite": "trixie", "date": "2024-01-01"}}))
    sentry.boot()

    watched.raises("ImageOld")
    facts.unlink()
    if before:
        facts.write_text(before)
    sentry.boot()
    watched.resolves("ImageOld")


def _kill_daemon(host: Host) -> None:
    """Kill a machine's daemon as the kernel would."""
    home = str(host.tree.layout.node(host.name).home)
    pids = run(["ip", "netns", "pids", host.space]).stdout.split()
    daemons = [
        pid
        for pid in pids
        if home in Path(f"/proc/{pid}/cmdline").read_text() and "wasmd" in str(Path(f"/proc/{pid}/exe").readlink())
    ]
    assert daemons
    for pid in daemons:
        os.kill(int(pid), signal.SIGKILL)
