"""`./invoke watch` on real pages: in the terminal, as JSON, and in a real browser at phone and desktop width."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from goldnode.node.agent import metrics
from goldnode.node.agent.health import Health, NodeState
from goldnode.node.agent.lease_keeper import LeaseReport
from goldnode.node.agent.metrics_page import serving
from goldnode.node.agent.supervisor import NodeReport
from goldnode.node.agent.vitals import ValidatorView, Vitals
from goldnode.node.observe import exposition
from goldnode.node.observe.alerting import Alert, Severity
from goldnode.node.observe.slashing import SlashingState
from goldnode.paths import REPOSITORY
from goldnode.run import run, spawn
from tests.support.browser import browser
from tests.support.lease_stores import port
from tests.support.waiting import until

#: Seconds within which a node's death is seen.
SEEN = 5.0
PICTURES = REPOSITORY / "docs" / "pictures"
#: Pixels of a phone's window and of a desktop's.
PHONE, DESKTOP = (390, 720), (1280, 480)
#: Holds in the page once it shows that one node is dead.
DEAD = "document.getElementById('nodes').textContent.includes('silent') && document.body.dataset.alerts === '1'"
#: A name that would be markup, if a page took it for that.
EVIL = "<img src=x onerror=document.title=1>"


@dataclass
class Machine:
    """A machine's page, told by the agent's own code from what a test makes up."""

    report: NodeReport
    vitals: Vitals = field(default_factory=Vitals)
    view: metrics.MachineView = field(default_factory=lambda: metrics.MachineView(9.0))
    stack: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)
    port: int = 0

    def start(self) -> None:
        """Serve it; where it was before."""
        self.port = self.stack.enter_context(serving("127.0.0.1", self.port, self.page))

    def page(self) -> str:
        """The page."""
        name = self.report.name
        return exposition.merge([metrics.families([self.report], {name: self.vitals}, self.view, time.time())])


@pytest.fixture
def machines() -> Iterator[tuple[Machine, Machine]]:
    """A validator that signs by a lease, and its sentry."""
    health = Health(NodeState.SIGNING, healthy=True, height=48_000_123, age=1.2, peers=2, node_id="1" * 40)
    lease = LeaseReport("held", 1, 9, "etcd://e/g", fences=True, renewed=time.time(), reason="")
    validator = Machine(NodeReport("val-1", "validator", "1" * 40, health, "", False, (), "", 2, (), None, lease=lease))
    follows = replace(health, state=NodeState.FOLLOWING, peers=41, node_id="2" * 40)
    sentry = Machine(NodeReport("s-1", "sentry", "2" * 40, follows, "", False, (), "", 2, (), None))
    state = SlashingState(True, False, False, 0, 12, 10_000, 9_500, "07", "val-1", 9)
    sentry.vitals = Vitals(validators=(ValidatorView("val-1", "AB", True, state),))
    with validator.stack, sentry.stack:
        validator.start()
        sentry.start()
        yield validator, sentry


def _words(machines: tuple[Machine, Machine]) -> list[str]:
    return [word for machine in machines for word in ("--page", f"127.0.0.1:{machine.port}")]


def test_one_look_tells_all(machines: tuple[Machine, Machine]) -> None:
    """Nodes, what the validator missed, the lease; an alert that two machines tell in the same words stands once."""
    for machine in machines:
        alert = Alert("ValidatorNotSigning", "val-1", Severity.CRITICAL, "val-1 signs nothing")
        machine.view = replace(machine.view, alerts=(alert,))

    document = json.loads(run(["./invoke", "watch", *_words(machines), "--json"], cwd=REPOSITORY, timeout=120).stdout)
    text = run(["./invoke", "watch", *_words(machines), "--once"], cwd=REPOSITORY, timeout=120).stdout

    sentry, validator = document["nodes"]
    assert ("s-1", "following", 41) == (sentry["name"], sentry["state"], sentry["peers"])
    assert ("val-1", "signing", "held", 48_000_123) == (
        validator["name"],
        validator["state"],
        validator["lease"],
        validator["height"],
    )
    assert [{"name": "val-1", "signing": True, "missed": 12, "left": 9489, "jailed": False}] == document["validators"]
    assert ["ValidatorNotSigning"] == [each["name"] for each in document["alerts"]]
    assert [] == [phrase for phrase in ("val-1 signs nothing", "48,000,123", "9,489") if phrase not in text]


@pytest.mark.long
def test_a_browser_shows_a_nodes_death_within_five_seconds(machines: tuple[Machine, Machine], tmp_path: Path) -> None:
    """At phone and desktop width: every node, nothing wider than the window, names as text; then the death of one."""
    validator, sentry = machines
    number = port()
    words = ["./invoke", "watch", *_words(machines), "--web", f"127.0.0.1:{number}"]
    with spawn(words, cwd=REPOSITORY), browser() as page:
        assert until(lambda: _answers(number), 60)
        for width, height in (PHONE, DESKTOP):
            sentry.report = replace(sentry.report, name=EVIL)
            page.open(f"http://127.0.0.1:{number}/", width, height)
            assert until(lambda: EVIL in page.text("nodes"), 30)
            assert until(lambda: "2 of 2 nodes are well" == page.text("sum"))
            assert len(machines) == page.value("document.querySelectorAll('#nodes tr').length")
            assert page.value("document.documentElement.scrollWidth <= window.innerWidth")
            sentry.report = replace(sentry.report, name="s-1")
            assert until(lambda: "s-1" in page.text("nodes"), 10)

            began = time.monotonic()
            validator.stack.close()
            assert until(lambda: page.value(DEAD), 60, 0.05)
            took = time.monotonic() - began
            print(f"{width} pixels wide: a node's death is seen after {took:.1f} s")

            assert took < SEEN
            folder = PICTURES if os.environ.get("GOLDNODE_WRITE_PICTURES") else tmp_path
            page.picture(folder / f"watch-{width}.png")
            assert (folder / f"watch-{width}.png").read_bytes().startswith(b"\x89PNG")
            validator.start()
        assert [] == page.errors


def test_the_page_is_for_this_machine_only(machines: tuple[Machine, Machine]) -> None:
    """Another name that leads here reads nothing, and it is served on loopback or not at all."""
    number = port()
    with spawn(["./invoke", "watch", *_words(machines), "--web", f"127.0.0.1:{number}"], cwd=REPOSITORY):
        assert until(lambda: _answers(number), 60)
        assert [200, 403] == [_asked(number, host) for host in (f"localhost:{number}", f"evil.example.org:{number}")]
    done = run(["./invoke", "watch", *_words(machines), "--web", "0.0.0.0:8600"], cwd=REPOSITORY, check=False)

    assert (2, True) == (done.returncode, "served on this machine only" in done.stderr)


def _asked(number: int, host: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", number, timeout=5)
    with contextlib.closing(connection):
        connection.request("GET", "/state.json", headers={"Host": host})
        return connection.getresponse().status


def _answers(number: int) -> bool:
    try:
        return _asked(number, "127.0.0.1") == http.client.OK
    except OSError:
        return False
