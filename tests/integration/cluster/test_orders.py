"""Orders as they are typed, over a real rendezvous, to an agent that looks after a machine's tree."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from invoke import program
from invoke.collection import Collection
from invoke.exceptions import Exit

from goldnode.discovery.exchange import Exchange
from goldnode.tasks import cluster as cluster_tasks
from goldnode.tasks import node as node_tasks
from goldnode.tasks.console import guarded
from goldnode.tasks.program import CommandLine
from tests.integration.rendezvous.support import serving
from tests.support.agent_lab import World
from tests.support.node_lab import Tree
from tests.support.order_lab import APP_TOML, daemon_starts, operators_folder
from tests.support.waiting import until


class Unguarded(CommandLine):
    """The program behind `./invoke`, letting through what a command raises."""

    execute = program.Program.execute


class Desk:
    """An operator who types at a terminal."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys
        self._program = Unguarded(Collection(cluster=cluster_tasks.ns, node=node_tasks.ns))

    def types(self, line: str) -> tuple[int, str]:
        """Exit code of `./invoke LINE`, and what was printed."""
        self._capsys.readouterr()
        code = 0
        try:
            with guarded():
                self._program.run(["invoke", *line.split()], exit=False)
        except Exit as end:
            code = end.code or 0
        printed = self._capsys.readouterr()
        return code, printed.out + printed.err


class Machine:
    """A machine with one sentry whose agent looks all the time; its daemon starts when it is told to."""

    def __init__(self, world: World) -> None:
        self.world, self.sick = world, False
        self._stop = threading.Event()
        self.restarts = 0

    @contextmanager
    def running(self, url: str) -> Iterator[None]:
        """Let the agent look while the block runs."""
        member = self.world.agent.found.memberships["n-1"]
        thread = threading.Thread(target=self._run, daemon=True)
        with Exchange(member, [url]) as exchange:
            thread.start()
            assert until(exchange.published, 30)
            yield
            self._stop.set()
            thread.join(30)

    def _run(self) -> None:
        while not self._stop.is_set():
            self.world.now = time.time()
            self.world.answers()
            if self.sick:
                self.world.daemon.status_ = None
            done = self.world.reconcile(0.0)
            if any(each.startswith(("restart", "start")) for each in done):
                self.restarts += 1
                daemon_starts(self.world)
            self._stop.wait(0.05)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Machine]:
    """A sentry in the room, and its operator's folder."""
    monkeypatch.setenv("GOLDNODE_CLUSTERS", str(tmp_path / "clusters"))
    tree = Tree(tmp_path / "machine", "localwasm")
    tree.write("/usr/lib/goldnode/defaults/app.toml", APP_TOML)
    made = Machine(World(tree, "sentry", monkeypatch))
    with serving(tmp_path / "rendezvous" / "db") as url, made.running(url):
        operators_folder(tmp_path / "clusters", url)
        yield made


def test_orders_are_given_by_one_command(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    """Status, restart, hold and start, each answered by the node itself; what waits is waited for."""
    desk = Desk(capsys)
    code, said = desk.types("node n-1 status --json")
    assert (0, "following") == (code, json.loads(said[said.index("{") :].partition("\nstatus")[0])["result"]["state"])
    before = machine.restarts

    assert 0 == desk.types("node n-1 restart --within 60")[0]
    assert before + 1 == machine.restarts
    assert 0 == desk.types("node n-1 hold")[0]
    assert 8 == desk.types("node n-1 restart")[0]
    assert 0 == desk.types("node n-1 start --within 60")[0]
    code, said = desk.types("node roll --within 60")
    assert 0 == code, said


def test_a_setting_goes_back_where_the_daemon_does_not_come_back(
    machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2 for a value that is none, 0 for one that works, 4 for one after which the node is not well."""
    desk, file = Desk(capsys), machine.world.tree.layout.node("n-1").home / "config" / "app.toml"

    assert 2 == desk.types("node n-1 config set gas-prices=lots")[0]
    assert 0 == desk.types("node n-1 config set gas-prices=0.5stake --within 60")[0]
    assert 'minimum-gas-prices = "0.5stake"' in file.read_text()
    machine.sick = True
    code, said = desk.types("node n-1 config set gas-prices=9stake --within 10")

    assert (4, True) == (code, "the previous settings are in force again" in said), said
    assert 'minimum-gas-prices = "0.5stake"' in file.read_text()


def test_an_operator_key_may_order_what_it_names(
    machine: Machine, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """The root makes a file of verbs and an end; with it the status is answered, and a restart refused."""
    desk, key = Desk(capsys), tmp_path / "alice.operator"
    assert 0 == desk.types(f"cluster operator lab --verb status --days 30 --out {key}")[0]
    before = machine.restarts

    assert 0 == desk.types(f"node n-1 status --operator {key}")[0]
    code, said = desk.types(f"node n-1 restart --operator {key}")

    assert (9, True) == (code, "may not order restart; it may order status" in said), said
    assert (before, 0o600) == (machine.restarts, key.stat().st_mode & 0o777)


def test_mistakes_end_in_a_sentence(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    """A node that is none, a verb that nobody can grant, a file that is no operator's: what, and what to type."""
    desk, other = Desk(capsys), machine.world.tree.write("/etc/x.operator", "{}")
    lines = ("node n-9 status", "cluster operator lab --verb export --out x", f"node n-1 status --operator {other}",
             "node n-1 config set gas-prices")  # fmt: skip

    found = [desk.types(line) for line in lines]

    assert [2, 2, 3, 2] == [code for code, _ in found]
    assert all("try: ./invoke" in said or "try: --verb" in said for _, said in found), found
