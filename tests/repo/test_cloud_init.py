"""User-data: the examples are what the templates make, and a node takes them."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from goldnode.cluster.user_data import NodeSpec, UserData, render
from goldnode.config import node_config
from goldnode.paths import REPOSITORY

FOLDER = REPOSITORY / "cloud-init"
TEMPLATES = sorted(path for path in FOLDER.glob("*.yaml.j2"))
INVITE = "gn1_replace2this2line2by2the2invite"


def _example(role: str) -> str:
    nodes = [NodeSpec(f"{role}-1", role, INVITE)]
    if role == "multi-node":
        nodes = [
            NodeSpec("validator-1", "validator", INVITE),
            NodeSpec("sentry-1", "sentry", INVITE),
            NodeSpec("sentry-2", "sentry", INVITE),
        ]
    if role == "rendezvous":
        nodes = []
    if role == "hosted":
        return render(UserData("mine", "daml", role, [NodeSpec("alice", role, "")], []))
    return render(UserData("mine", "osmosis", role, nodes, ["http://203.0.113.10:8700"]))


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_examples_are_what_the_templates_make(template: Path) -> None:
    """The plain example of each role is its template, rendered."""
    role = template.name.removesuffix(".yaml.j2")

    assert _example(role) == (FOLDER / f"{role}.example.yaml").read_text()


@pytest.mark.parametrize("example", sorted(FOLDER.glob("*.example.yaml")), ids=lambda path: path.name)
def test_a_node_takes_every_example(example: Path) -> None:
    """What an example writes to /etc/goldnode/node.yaml is valid as it stands."""
    document = yaml.safe_load(example.read_text())
    files = {entry["path"]: entry for entry in document["write_files"]}

    config = node_config.parse(files["/etc/goldnode/node.yaml"]["content"])

    assert example.name.removesuffix(".example.yaml") == config.role
    assert "0600" == files["/etc/goldnode/node.yaml"]["permissions"]
