"""A machine whose instance ID alone has changed: one question, one answer, and the node goes on."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.node_lab import Cluster, Person, Tree

DMI = "ec2f0a52-0000-4000-8000-000000000001"


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """A validator that has been configured once, and whose cloud then renamed its machine."""
    made = Tree(tmp_path / "machine")
    made.write("/sys/class/dmi/id/product_uuid", DMI)
    made.node_yaml("validator", Cluster().invite("validator"), "val-1")
    made.configure()
    made.write("/var/lib/cloud/data/instance-id", "i-2\n")
    return made


def test_the_question_names_what_changed(tree: Tree, capsys: pytest.CaptureFixture[str]) -> None:
    """The refusal says which fact changed and which did not, and the command for an answer."""
    _, said = Person(tree, capsys).types("configure")

    assert "its instance ID was i-1 and is i-2; its DMI UUID is the same; its machine-id is the same" in said
    assert "goldnode rebind" in said


def test_nobody_answers_by_accident(tree: Tree, capsys: pytest.CaptureFixture[str]) -> None:
    """Without a terminal and without --yes, nothing changes."""
    code, _ = Person(tree, capsys).types("rebind")

    assert (2, True) == (code, "val-1" in tree.configure()[0].failures)


def test_the_answer_is_remembered(tree: Tree, capsys: pytest.CaptureFixture[str]) -> None:
    """After the word of a person the same validator is configured, with the key it had, at every boot."""
    key = tree.layout.node("val-1").consensus_key.read_bytes()
    code, said = Person(tree, capsys).types("rebind", "--yes")
    machine, _ = tree.configure()

    assert (0, {}, key) == (code, machine.failures, tree.layout.node("val-1").consensus_key.read_bytes())
    assert "i-2 is this machine's instance ID from now on" in said


def test_a_copy_cannot_be_answered_for(tree: Tree, capsys: pytest.CaptureFixture[str]) -> None:
    """With firmware of its own it is another machine, whatever a person says."""
    tree.write("/sys/class/dmi/id/product_uuid", DMI.replace("1", "2"))
    code, said = Person(tree, capsys).types("rebind", "--yes")

    assert (8, True) == (code, "this is another machine" in said)
    assert "val-1" in tree.configure()[0].failures
