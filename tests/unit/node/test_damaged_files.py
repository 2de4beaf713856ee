"""One damaged, missing or foreign file of one node: its siblings go on, and the message names the file."""

from __future__ import annotations

import json
import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

import pytest

from goldnode.errors import GoldnodeError
from goldnode.files import write_json
from goldnode.node import catch_up, preflight
from goldnode.node.agent.agent import Agent
from goldnode.node.agent.lease_keeper import LeaseReport
from goldnode.node.catch_up import CatchUpState, Phase
from goldnode.node.configure import ConfiguredMachine
from goldnode.node.keys import handover, keys, recovery
from goldnode.node.layout import Layout, NodeLayout
from goldnode.node.plan.catch_up import Trust
from goldnode.node.versions import upgrades
from tests.support.agent_lab import Daemon
from tests.support.keeping_leases import keep_leases
from tests.support.node_lab import Cluster, Tree
from tests.support.order_lab import APP_TOML
from tests.unit.node.conftest import MEMORY

#: Whom a test's file belongs to when it is somebody else's.
STRANGER = 64_000
NOW = 1_800_000_000.0
#: The default tier does one in so many of all cases; a number that shares no factor with how many damages there are.
SHARE = 29
#: val-3 has a signing lease, so its key is with its signer; val-2 and s-2 are siblings whom nothing happens to.
ROLES = {"val-1": "validator", "s-1": "sentry", "val-2": "validator", "val-3": "validator", "s-2": "sentry"}
NAMES = tuple(ROLES)
#: The version that its chain runs next, one day.
NEXT = {"name": "v2", "height": 1_000_000, "version": "0.39.0"}
LEASE = "etcd://10.0.0.4:2379/goldnode"
#: Paths of a node that are no files with something to read: folders and sockets.
NO_FILES = {"base", "home", "signer", "store", "member", "runtime", "daemon_socket", "control_socket"}


def _write(content: bytes) -> Callable[[Path], None]:
    def damage(path: Path) -> None:
        path.unlink()
        path.write_bytes(content)

    return damage


def _halve(path: Path) -> None:
    content = path.read_bytes()
    # Not through the link: the genesis it leads to is the machine's.
    path.unlink()
    path.write_bytes(content[: len(content) // 2])


def _give_away(path: Path) -> None:
    os.chown(path, STRANGER, STRANGER, follow_symlinks=False)


def _link(path: Path) -> None:
    target = path.with_name("elsewhere")
    path.rename(target)
    path.symlink_to(target)


def _dangle(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.with_name("nowhere"))


def _make_fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _make_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


#: What may become of a file.
DAMAGES: dict[str, Callable[[Path], None]] = {
    "missing": Path.unlink,
    "empty": _write(b""),
    "zeros": _write(bytes(400)),
    "half": _halve,
    "not text": _write(b"\xff\xfe{\x00\x80"),
    "null": _write(b"null\n"),
    "list": _write(b"[]\n"),
    "number": _write(b"7\n"),
    "object": _write(b"{}\n"),
    "deep": _write(b"[" * 100_000),
    "foreign": _give_away,
    "link": _link,
    "dangling": _dangle,
    "fifo": _make_fifo,
    "folder": _make_folder,
}


def _put_aside(make: Callable[[Path, Path], object]) -> Callable[[Path], None]:
    def damage(path: Path) -> None:
        elsewhere = path.with_name(f"{path.name}-elsewhere")
        path.rename(elsewhere)
        make(path, elsewhere)

    return damage


#: What may become of a folder.
FOLDER_DAMAGES: dict[str, Callable[[Path], None]] = {
    "missing": _put_aside(lambda *_: None),
    "link": _put_aside(Path.symlink_to),
    "dangling": _put_aside(lambda path, _: path.symlink_to(path.with_name("nowhere"))),
    "fifo": _put_aside(lambda path, _: os.mkfifo(path)),
    "file": _put_aside(lambda path, _: path.write_text("{}")),
}


def _run_on(node: NodeLayout) -> None:
    """It runs: nothing more to write."""


def _leave(node: NodeLayout) -> None:
    """It is stopped for good, and on its way to another machine."""
    node.hold.write_text("another machine has this node's identity\n")
    node.paused.write_text("by order\n")
    handover.offer(node, "another machine")


def _recover(node: NodeLayout) -> None:
    """Its signing state was lost in a power cut, and is being made again."""
    node.signing_state.write_text("")
    recovery.begin(node)


def _go_on(node: NodeLayout) -> None:
    """An order restarts it where it signed a moment ago."""
    write_json(node.continuation, {"passed": preflight.passed(node), "height": 41, "until": 101.5})


def _go_back(node: NodeLayout) -> None:
    """A person went back from an upgrade, for which the daemon had halted."""
    write_json(node.home / "data" / "upgrade-info.json", {"name": NEXT["name"], "height": NEXT["height"]})
    write_json(node.rollback, {"version": upgrades.started(node), "skip": str(NEXT["height"]), "rung": NEXT["name"]})


def _catch_up(node: NodeLayout) -> None:
    """It is in the middle of a state sync."""
    trust = Trust(1000, "AB" * 32, ("http://192.0.2.1:26657", "http://192.0.2.2:26657"), "168h", 2000)
    catch_up.write(node, CatchUpState(Phase.STATE_SYNC, 1, trust, "no peer had a chunk"))


def _take_lease(node: NodeLayout) -> None:
    """A person had it take another machine's lease, and its keeper has told of that."""
    node.takeover.write_text("")
    report = LeaseReport("pending", 0, 0, LEASE, fences=True, renewed=NOW, reason="waits")
    write_json(node.lease_status, {**asdict(report), "time": NOW})


def _refuse(node: NodeLayout) -> None:
    """The boot before refused it."""
    node.failure.write_text("its signing state was lost\n")


#: What a node is in the middle of, and who it is then; those who just run are told of by all their files.
SITUATIONS: dict[Callable[[NodeLayout], None], tuple[str, ...]] = {
    _run_on: ("val-1", "s-1", "val-3"),
    _leave: ("val-1",),
    _recover: ("val-1",),
    _go_on: ("val-1",),
    _go_back: ("val-1",),
    _catch_up: ("s-1",),
    _take_lease: ("val-3",),
    _refuse: ("s-1",),
}


@dataclass
class Copies:
    """Copies of one machine that has run; each test damages its own.

    Attributes:
        source: The machine.
        cases: Every file of a node, in every situation.
        folders: Every folder of a node.
    """

    source: Path
    cases: list[Case] = field(default_factory=list)
    folders: list[Case] = field(default_factory=list)

    def take(self) -> Tree:
        """A fresh copy of the machine, as it is after some boots; the one before is gone."""
        root = self.source.with_name("copy") / "machine"
        shutil.rmtree(root, ignore_errors=True)
        shutil.copytree(self.source, root, symlinks=True)
        # The genesis is linked by its whole path.
        for link in [path for path in root.rglob("*") if path.is_symlink()]:
            target = str(link.readlink()).replace(str(self.source), str(root))
            link.unlink()
            link.symlink_to(target)
        return Tree.of(root)


@pytest.fixture(scope="module")
def copies() -> Iterator[Copies]:
    """A machine whose nodes have run, and what there is to damage."""
    with tempfile.TemporaryDirectory(prefix="goldnode-test-", dir=MEMORY if MEMORY.is_dir() else None) as folder:
        made = Copies(_machine(Path(folder) / "machine").layout.root)
        made.cases, made.folders = _cases(made), _folders(made)
        yield made


def _machine(root: Path) -> Tree:
    tree = Tree(root)
    tree.write("/usr/lib/goldnode/bin/goldnode-signer", "")
    tree.write("/usr/lib/goldnode/defaults/app.toml", APP_TOML)
    network = tree.layout.library / "network.json"
    document = json.loads(network.read_text())
    # A ladder is what daemons of the Cosmos SDK have.
    daemon = {**document["daemon"], "family": "cosmos-sdk"}
    network.write_text(json.dumps({**document, "daemon": daemon, "upgrades": [NEXT]}))
    nodes = [{"name": name, "role": role, "join": Cluster(name).invite(role)} for name, role in ROLES.items()]
    nodes[NAMES.index("val-3")]["lease"] = LEASE
    tree.node_yaml("multi-node", nodes=nodes)
    machine, _ = tree.configure()
    assert {} == machine.failures
    for name in NAMES:
        node = tree.layout.node(name)
        program = Path(preflight.read(node).argv[0])
        program.parent.mkdir(parents=True, exist_ok=True)
        program.write_text("")
        program.chmod(0o755)
        if ROLES[name] == "validator":
            keys.mark_used(node)
        upgrades.note_height(node, 41)
        preflight.become(node, lambda *_: None)
    keep_leases(tree, machine.facts["s-1"])
    # Its first look makes the journal of orders.
    _agent(tree, machine).reconcile()
    return tree


def _files(layout: Layout, name: str) -> set[Path]:
    """Every file of a node, on disk and in memory."""
    node = layout.node(name)
    found = [path for path in node.base.rglob("*") if path.is_file() or path.is_symlink()]
    return {*found, *(path for path in node.runtime.rglob(f"{name}.*") if path.is_file())}


def _keys(tree: Tree) -> set[bytes]:
    """Every consensus key that lies somewhere on the machine, whole."""
    found = [path for path in tree.layout.nodes.rglob("*priv_validator_key*") if stat.S_ISREG(path.lstat().st_mode)]
    return {path.read_bytes() for path in found}


@dataclass(frozen=True)
class Case:
    """A file, of a node, in a situation."""

    situation: Callable[[NodeLayout], None]
    victim: str
    file: str

    def faults(self, copies: Copies, damage: Callable[[Path], None]) -> Iterator[str]:
        """What is wrong with a machine on which the file was damaged, and which then boots, and is looked after."""
        tree = copies.take()
        path = tree.layout.root / self.file
        running, _ = tree.configure()
        self.situation(tree.layout.node(self.victim))
        damage(path)
        kept = _keys(tree)
        try:
            _agent(tree, running).reconcile()
            # Whoever starts a daemon now, before the next boot, is told by the gate alone.
            yield from _gate_faults(tree, self.victim)
            machine, _ = tree.configure()
            _agent(tree, machine).reconcile()
            yield from _gate_faults(tree, self.victim, refused=self.victim in machine.failures)
        except Exception as error:  # noqa: BLE001 - every case is told at once
            yield f"{type(error).__name__}: {error}"
            return
        if [name for name in NAMES if name != self.victim] != [name for name in machine.facts if name != self.victim]:
            yield "siblings are not configured"
        refusal = machine.failures.get(self.victim)
        # Where what a node is in the middle of refuses it with all files whole, it is told of that.
        if refusal and (not refusal.hint or (self.situation is _run_on and str(path) not in refusal.message)):
            yield f"the refusal does not help: {refusal} ({refusal.hint})"
        if not kept <= _keys(tree):
            yield "a consensus key is gone"


def _gate_faults(tree: Tree, victim: str, *, refused: bool = False) -> Iterator[str]:
    """What is wrong with the last look before a daemon: it opens for siblings, and refuses in one sentence or opens."""
    for name in NAMES:
        node = tree.layout.node(name)
        try:
            preflight.become(node, lambda *_: None)
            if name == "val-3":
                preflight.check_signer(node)
        except GoldnodeError as error:
            if name != victim:
                yield f"the gate of {name} is closed: {error}"
            elif not error.hint:
                yield f"the gate does not help: {error}"
        else:
            if refused and name == victim:
                yield "the gate is open for a node that was refused"


def _agent(tree: Tree, machine: ConfiguredMachine) -> Agent:
    return Agent(tree.layout, machine, tree.system, lambda: NOW, lambda: 41.5, lambda _: Daemon())


def _cases(copies: Copies) -> list[Case]:
    """Every file that a node has in a situation, but for those that it has in any."""
    found = []
    for situation, victims in SITUATIONS.items():
        tree = copies.take()
        tree.configure()
        for victim in victims:
            usual = _files(tree.layout, victim) if situation is not _run_on else set()
            situation(tree.layout.node(victim))
            files = sorted(_files(tree.layout, victim) - usual)
            found += [Case(situation, victim, str(path.relative_to(tree.layout.root))) for path in files]
    return found


def _told(cases: list[Case], copies: Copies, damage: Callable[[Path], None]) -> str:
    return "\n".join(
        f"{case.situation.__name__} {case.file}: {fault}" for case in cases for fault in case.faults(copies, damage)
    )


def test_every_file_of_a_node_is_among_the_cases(copies: Copies) -> None:
    """Whatever file a node's layout names, a file that a later version adds included, is damaged below."""
    files = {copies.source / case.file for case in copies.cases}
    named = {name for name in dir(NodeLayout) if isinstance(getattr(NodeLayout, name), property)} - NO_FILES
    nodes = [Layout(copies.source).node(name) for name in NAMES]
    paths = {name: {getattr(node, name) for node in nodes} for name in named}

    unseen = [name for name, places in paths.items() if isinstance(next(iter(places)), Path) and not places & files]

    assert [] == unseen


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_one_nodes_refusal(copies: Copies, damage: str) -> None:
    """Siblings are configured, the refusal names file and command: each damage to some files, each file by some."""
    if damage == "foreign" and os.geteuid():
        # `./invoke check` needs no root; `./invoke test` has it, and leaves none out.
        pytest.skip("only root can give a file away")

    assert "" == _told(copies.cases[list(DAMAGES).index(damage) % SHARE :: SHARE], copies, DAMAGES[damage])


@pytest.mark.long
@pytest.mark.parametrize("damage", DAMAGES)
def test_every_damaged_file_is_one_nodes_refusal(copies: Copies, damage: str) -> None:
    """The same of every file of a validator, of a sentry and of a validator with a lease, whatever becomes of it."""
    assert "" == _told(copies.cases, copies, DAMAGES[damage])


def _folders(copies: Copies) -> list[Case]:
    """Every folder of a node whose files are damaged above."""
    nodes = [(name, Layout(copies.source).node(name)) for name in SITUATIONS[_run_on]]
    folders = [
        (name, folder) for name, node in nodes for folder in (node.base, *node.base.rglob("*")) if folder.is_dir()
    ]
    return [Case(_run_on, name, str(folder.relative_to(copies.source))) for name, folder in folders]


@pytest.mark.parametrize("damage", FOLDER_DAMAGES)
def test_a_damaged_folder_is_one_nodes_refusal(copies: Copies, damage: str) -> None:
    """The same of folders, which a daemon may replace by links: each damage to some, each folder by some."""
    first = list(FOLDER_DAMAGES).index(damage)

    assert "" == _told(copies.folders[first :: len(FOLDER_DAMAGES)], copies, FOLDER_DAMAGES[damage])


@pytest.mark.long
@pytest.mark.parametrize("damage", FOLDER_DAMAGES)
def test_every_damaged_folder_is_one_nodes_refusal(copies: Copies, damage: str) -> None:
    """The same of every folder."""
    assert "" == _told(copies.folders, copies, FOLDER_DAMAGES[damage])
