"""One damaged, missing or foreign file of one node: its siblings go on, and the message names the file."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from goldnode.errors import GoldnodeError, HostError
from goldnode.files import write_json
from goldnode.node import preflight
from goldnode.node.agent.agent import Agent
from goldnode.node.agent.rpc import Status
from goldnode.node.configure import ConfiguredMachine
from goldnode.node.keys import keys
from goldnode.node.plan.upgrade import Halt
from tests.support.node_lab import Cluster, Tree

#: Whom a test's file belongs to when it is somebody else's.
STRANGER = 64_000
NOW = 1_800_000_000.0
#: The default tier does one in so many of all cases; a number that shares no factor with how many damages there are.
SHARE = 29
NAMES = ("val-1", "s-1", "val-2")


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


class Silent:
    """A daemon that does not answer."""

    def status(self) -> Status:
        """Nothing."""
        raise HostError("nobody there")

    def peers(self) -> frozenset[str]:
        """Nobody."""
        raise HostError("nobody there")

    def signed(self, height: int) -> frozenset[str]:
        """Nothing."""
        raise HostError(f"nobody there at {height}")

    def upgrade_plan(self) -> Halt | None:
        """Nothing."""
        raise HostError("nobody there")

    def dial(self, peers: tuple[str, ...]) -> None:
        """Nobody."""
        raise HostError(f"nobody there to dial {len(peers)}")


@dataclass
class Copies:
    """Copies of one machine that runs two validators and a sentry; each test damages its own."""

    source: Path
    folder: Path
    count: int = 0

    def take(self) -> Tree:
        """A fresh copy of the machine, as it is after some boots."""
        self.count += 1
        root = self.folder / f"copy-{self.count}" / "machine"
        shutil.copytree(self.source, root, symlinks=True)
        # The genesis is linked by its whole path.
        for link in [path for path in root.rglob("*") if path.is_symlink()]:
            target = str(link.readlink()).replace(str(self.source), str(root))
            link.unlink()
            link.symlink_to(target)
        return Tree.of(root)


@pytest.fixture
def copies(tmp_path: Path) -> Copies:
    """A machine whose nodes have run."""
    tree = Tree(tmp_path / "machine")
    roles = dict.fromkeys(NAMES, "validator") | {"s-1": "sentry"}
    nodes = [{"name": name, "role": roles[name], "join": Cluster(name).invite(roles[name])} for name in NAMES]
    tree.node_yaml("multi-node", nodes=nodes)
    machine, _ = tree.configure()
    for name in NAMES:
        node = tree.layout.node(name)
        program = Path(preflight.read(node).argv[0])
        program.parent.mkdir(parents=True, exist_ok=True)
        program.write_text("")
        program.chmod(0o755)
        if roles[name] == "validator":
            keys.mark_used(node)
        write_json(node.loaded, [machine.facts["val-1"].node_id])
    return Copies(tree.layout.root, tmp_path)


def _files(tree: Tree, name: str) -> list[Path]:
    """Every file of a node, on disk and in memory."""
    node = tree.layout.node(name)
    found = [path for path in node.base.rglob("*") if path.is_file() or path.is_symlink()]
    return sorted([*found, node.launch, node.mesh_config("wireguard")])


def _keys(tree: Tree) -> set[bytes]:
    """Every consensus key that lies somewhere on the machine, whole."""
    found = [path for path in tree.layout.nodes.rglob("*priv_validator_key*") if stat.S_ISREG(path.lstat().st_mode)]
    return {path.read_bytes() for path in found}


def _faults(copies: Copies, damage: str, victim: str, relative: str) -> Iterator[str]:
    """What is wrong with a machine on which one file was damaged, and which then boots, and is looked after."""
    tree = copies.take()
    path = tree.layout.root / relative
    running, _ = tree.configure()
    DAMAGES[damage](path)
    kept = _keys(tree)
    _agent(tree, running).reconcile()
    try:
        # Whoever starts a daemon now, before the next boot, is told by the gate alone.
        yield from _gate_faults(tree, victim)
        machine, _ = tree.configure()
        _agent(tree, machine).reconcile()
        yield from _gate_faults(tree, victim, refused=victim in machine.failures)
    except Exception as error:  # noqa: BLE001 - every case is told at once
        yield f"{type(error).__name__}: {error}"
        return
    if [name for name in NAMES if name != victim] != [name for name in machine.facts if name != victim]:
        yield "siblings are not configured"
    refusal = machine.failures.get(victim)
    if refusal and (str(path) not in refusal.message or not refusal.hint):
        yield f"the refusal does not help: {refusal} ({refusal.hint})"
    if not kept <= _keys(tree):
        yield "a consensus key is gone"


def _gate_faults(tree: Tree, victim: str, *, refused: bool = False) -> Iterator[str]:
    """What is wrong with the last look before a daemon: it opens for siblings, and refuses in one sentence or opens."""
    for name in NAMES:
        node = tree.layout.node(name)
        try:
            preflight.become(node, lambda *_: None)
        except GoldnodeError as error:
            if name != victim:
                yield f"the gate of {name} is closed: {error}"
            elif not error.hint:
                yield f"the gate does not help: {error}"
        else:
            if refused and name == victim:
                yield "the gate is open for a node that was refused"


def _agent(tree: Tree, machine: ConfiguredMachine) -> Agent:
    return Agent(tree.layout, machine, tree.system, lambda: NOW, lambda: 41.5, lambda _: Silent())


def _cases(copies: Copies) -> list[tuple[str, str]]:
    tree = Tree.of(copies.source)
    return [(name, str(path.relative_to(copies.source))) for name in ("val-1", "s-1") for path in _files(tree, name)]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_one_nodes_refusal(copies: Copies, damage: str) -> None:
    """Siblings are configured, the refusal names file and command: each damage to some files, each file by some."""
    if damage == "foreign" and os.geteuid():
        # `./invoke check` needs no root; `./invoke test` has it, and leaves none out.
        pytest.skip("only root can give a file away")
    first = list(DAMAGES).index(damage) % SHARE

    found = [f"{name} {file}: {fault}" for name, file in _cases(copies)[first::SHARE]
             for fault in _faults(copies, damage, name, file)]  # fmt: skip

    assert "" == "\n".join(found)


@pytest.mark.long
@pytest.mark.parametrize("damage", DAMAGES)
def test_every_damaged_file_is_one_nodes_refusal(copies: Copies, damage: str) -> None:
    """The same of every file of a validator and of a sentry, whatever becomes of it."""
    cases = _cases(copies)
    assert len(cases) > 20

    found = [f"{name} {file}: {fault}" for name, file in cases for fault in _faults(copies, damage, name, file)]

    assert "" == "\n".join(found)
