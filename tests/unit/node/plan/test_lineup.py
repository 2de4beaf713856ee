"""One node more or less on a machine, and what its siblings notice: nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from goldnode.config.node_config import MAX_NODES
from goldnode.files import write_json
from goldnode.node.keys import keys
from goldnode.node.keys.signing_state import SigningState, to_document
from goldnode.node.plan import blocks
from tests.support.node_lab import Cluster, Person, Tree


@pytest.fixture
def person(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Person:
    """At a machine with two validators of two clusters."""
    tree = Tree(tmp_path / "machine")
    nodes = [{"name": f"val-{n}", "role": "validator", "join": Cluster(str(n)).invite("validator")} for n in (1, 2)]
    tree.node_yaml("multi-node", nodes=nodes)
    found = Person(tree, capsys)
    assert 0 == found.types("configure")[0]
    return found


def _entry(tmp_path: Path, **entry: object) -> Path:
    file = tmp_path / "entry.yaml"
    file.write_text(yaml.safe_dump(entry))
    return file


def _files(tree: Tree, name: str) -> dict[str, bytes]:
    return {path: text for path, text in tree.files().items() if f"/{name}" in path}


@given(st.lists(st.lists(st.sampled_from("abcdefgh"), unique=True), max_size=6))
def test_a_block_is_kept_and_never_shared(lineups: list[list[str]]) -> None:
    """However nodes come and go, who stays keeps its block, and no two have the same."""
    given_: dict[str, int] = {}
    for names in lineups:
        now = blocks.assign(given_, names)
        assert (list(now), len(now)) == (names, len(set(now.values())))
        assert {name: given_[name] for name in names if name in given_}.items() <= now.items()
        assert all(0 <= block < MAX_NODES for block in now.values())
        given_ = now


def test_a_node_is_added_beside_those_that_are_there(person: Person, tmp_path: Path) -> None:
    """`add` configures the new node and changes no file of a sibling."""
    before = _files(person.tree, "val-1")
    file = _entry(tmp_path, name="s-3", role="sentry", join=Cluster("3").invite("sentry"))

    code, said = person.types("add", file)

    assert 0 == code, said
    assert before == _files(person.tree, "val-1")
    home = person.tree.layout.node("s-3").home
    assert ":26856" in (home / "config" / "config.toml").read_text()
    assert "gn1_" not in person.tree.layout.applied.read_text().replace("gn1_joined", "")


def test_a_removed_node_keeps_its_key_and_its_siblings_their_ports(person: Person) -> None:
    """`remove` takes a node out of node.yaml, keeps every key file, says where, and moves nobody."""
    node = person.tree.layout.node("val-1")
    key, before = node.consensus_key.read_bytes(), _files(person.tree, "val-2")

    code, said = person.types("remove", "val-1")

    assert 0 == code
    assert f"stay in {node.base}, its consensus key among them" in said
    assert (key, False) == (node.consensus_key.read_bytes(), node.launch.exists())
    assert before == _files(person.tree, "val-2")
    assert {"val-2": 1} == blocks.known(person.tree.layout)


def test_a_removed_node_can_come_back(person: Person, tmp_path: Path) -> None:
    """Added again under its name it is who it was, with the key and state it had; no invite is needed."""
    node = person.tree.layout.node("val-1")
    keys.mark_used(node)
    write_json(node.signing_state, to_document(SigningState(7, 0, 3)))
    person.types("remove", "val-1")

    assert 0 == person.types("add", _entry(tmp_path, name="val-1", role="validator"))[0]

    record = keys.read_record(node)
    assert record
    assert SigningState(7, 0, 3) == record.state


def test_a_machine_with_one_role_takes_a_second_node(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A plain role becomes the first of `nodes:`, unchanged."""
    person = Person(Tree(tmp_path / "machine"), capsys)
    person.tree.node_yaml("validator", Cluster().invite("validator"), "val-1", min_sentries=2)
    person.types("configure")
    before = _files(person.tree, "val-1")

    code, said = person.types("add", _entry(tmp_path, name="s-1", role="sentry", join=Cluster().invite("sentry")))

    assert 0 == code, said
    assert before == _files(person.tree, "val-1")
    assert ["val-1", "s-1"] == list(person.tree.configure()[0].facts)


def test_the_last_node_is_not_removed(person: Person) -> None:
    """A machine without a node is none of ours: the command says what to do instead."""
    person.types("remove", "val-1")

    code, said = person.types("remove", "val-2")

    assert 2 == code
    assert "goldnode stop --hold val-2" in said


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [
        ("- 1", 3, "is not a node"),
        ("a: [", 3, "is not valid YAML"),
        ("name: val-1\nrole: sentry\n", 3, "appears twice"),
        ("name: s-3\nrole: sentri\n", 3, "no such role"),
    ],
)
def test_a_wrong_file_adds_nothing(person: Person, tmp_path: Path, text: str, code: int, said: str) -> None:
    """What is no entry of `nodes:` is refused before anything changes."""
    file, before = tmp_path / "wrong.yaml", person.tree.files()
    file.write_text(text)

    done = person.types("add", file)

    assert code == done[0]
    assert said in done[1]
    assert before == person.tree.files()


def test_a_key_that_a_sibling_has_is_not_imported(person: Person, tmp_path: Path) -> None:
    """Two nodes of one machine never get the same consensus key by `key import`."""
    file = tmp_path / "key.json"
    file.write_text(person.tree.layout.node("val-1").consensus_key.read_text())

    code, said = person.types("key", "import", "--never-used", file, "val-2")

    assert 8 == code
    assert "val-1 of this machine has the consensus key" in said
