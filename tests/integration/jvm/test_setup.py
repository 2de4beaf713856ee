"""What goldnode-jvm.service finds when it starts, with a real PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from benchmarks.postgres import Database, database_server
from goldnode.config.network import load
from goldnode.config.node_config import NodeConfig
from goldnode.config.node_entry import NodeEntry
from goldnode.errors import UsageError
from goldnode.node.jvm.jvm_setup import JvmPaths, setup
from goldnode.run import CommandError
from tests.integration.jvm.hosting import free_port

pytestmark = pytest.mark.long  # PostgreSQL is on few machines, and installing it starts a server


@pytest.fixture(scope="module")
def database() -> Iterator[Database]:
    """A PostgreSQL server that asks for passwords, except of its administrator."""
    with database_server(free_port(), passwords=True) as server:
        yield server


@pytest.fixture
def paths(tmp_path: Path) -> JvmPaths:
    """A machine's folders, with one jar."""
    found = JvmPaths(tmp_path / "state", tmp_path / "run", tmp_path / "jars", tmp_path / "secrets")
    found.jars.mkdir()
    (found.jars / "one.jar").touch()
    return found


def machine(names: Iterable[str]) -> NodeConfig:
    """A machine with these nodes."""
    return NodeConfig("multi-node", tuple(NodeEntry(name, "hosted") for name in names))


def settle(paths: JvmPaths, database: Database, *names: str) -> dict[str, str]:
    """Set a Daml machine up; the content of all its files."""
    given: list[Path] = []
    blocks = {name: number for number, name in enumerate(names)}
    ready = []
    setup(load("daml"), machine(names), blocks, paths, server=lambda: ready.append(1), psql=database.run, give=print,
          share=given.append, port=database.port)  # fmt: skip
    assert [1] == ready
    assert set(paths.runtime.glob("nodes/*")) <= set(given)
    return {path.name: path.read_text() for path in sorted(paths.runtime.rglob("*")) if path.is_file()}


def test_every_node_gets_a_database_that_only_it_can_open(paths: JvmPaths, database: Database) -> None:
    """A node's password opens its own database and no sibling's."""
    settle(paths, database, "alice", "bob")
    password = (paths.secrets / "alice").read_text()

    assert database.query("gn_alice", "SELECT current_user", user="gn_alice", password=password) == "gn_alice"
    with pytest.raises(CommandError, match="permission denied for database"):
        database.query("gn_bob", "SELECT 1", user="gn_alice", password=password)
    with pytest.raises(CommandError, match="password authentication failed"):
        database.query("gn_alice", "SELECT 1", user="gn_alice", password="guessed")


def test_setting_up_twice_changes_nothing(paths: JvmPaths, database: Database) -> None:
    """A second start of the service finds the same files, passwords and databases."""
    first = settle(paths, database, "carol")

    assert first == settle(paths, database, "carol")


def test_a_node_that_is_gone_from_the_machine_loses_its_file(paths: JvmPaths, database: Database) -> None:
    """The host starts what node.yaml names and nothing that it named once; the data stays."""
    settle(paths, database, "dave", "erin")

    assert ["dave.properties", "options"] == list(settle(paths, database, "dave"))
    assert (paths.state / "erin").is_dir()


def test_a_network_of_daemons_is_refused(paths: JvmPaths, database: Database) -> None:
    """The service never starts on an image without a JVM network."""
    with pytest.raises(UsageError, match="localnet does not run in a JVM"):
        setup(
            load("localnet"),
            machine(["alice"]),
            {"alice": 0},
            paths,
            server=lambda: None,
            psql=database.run,
            give=lambda _: None,
            share=lambda _: None,
        )
