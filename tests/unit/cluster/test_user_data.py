"""User-data: what is pasted is what the node reads."""

from __future__ import annotations

import base64
import gzip
import hashlib
from pathlib import Path
from typing import Any

import pytest
import yaml

from goldnode.cluster.user_data import TEMPLATES, NodeSpec, UserData, render, write
from goldnode.config import node_config
from goldnode.errors import InputError, UsageError
from goldnode.protocol.invite import write_invite
from tests.support.cluster_lab import Lab

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGZvbyBiYXIgYmF6IHF1eCBxdXV4IGNvcmdlIGdy me@there"


def machine(role: str, **changes: Any) -> UserData:
    """A machine of this role."""
    join = write_invite(Lab().invite())
    nodes = {
        "multi-node": [NodeSpec("val-1", "validator", join), NodeSpec("sentry-1", "sentry", join)],
        "rendezvous": [],
        "hosted": [NodeSpec("alice", role, "")],
    }.get(role, [NodeSpec("node-1", role, join)])
    given = {"nodes": nodes, "rendezvous": [] if role == "hosted" else ["http://203.0.113.10:8700"], **changes}
    return UserData(cluster="demo", network="localnet", role=role, **given)


def files(text: str) -> dict[str, Any]:
    """What cloud-init would write, by path."""
    return {item["path"]: item for item in yaml.safe_load(text)["write_files"]}


@pytest.mark.parametrize("role", sorted(path.name.removesuffix(".yaml.j2") for path in TEMPLATES.glob("*.yaml.j2")))
def test_every_template_makes_a_valid_node(role: str) -> None:
    """Each role's user-data starts as cloud-init wants it and holds a node.yaml that parses."""
    text = render(machine(role, ssh_keys=[KEY]))
    config = node_config.parse(files(text)["/etc/goldnode/node.yaml"]["content"])

    assert text.startswith("#cloud-config\n")
    assert (role, (KEY,)) == (config.role, config.ssh_keys)


def test_nodes_keep_their_invites() -> None:
    """Each node of a machine gets its own line."""
    wanted = machine("multi-node")
    config = node_config.parse(files(render(wanted))["/etc/goldnode/node.yaml"]["content"])

    assert [(node.name, node.role, node.join) for node in wanted.nodes] == [
        (node.name, node.role, node.join) for node in config.nodes
    ]


def test_hosted_nodes_share_a_machine_without_invites() -> None:
    """Several nodes of a JVM network: names and roles, and neither an invite nor a rendezvous."""
    nodes = [NodeSpec(name, "hosted", "") for name in ("alice", "bob")]
    text = render(machine("multi-node", nodes=nodes, rendezvous=[]))
    config = node_config.parse(files(text)["/etc/goldnode/node.yaml"]["content"])

    assert [("alice", "hosted", ""), ("bob", "hosted", "")] == [(n.name, n.role, n.join) for n in config.nodes]
    assert "invites are secrets" not in text


def test_a_genesis_arrives_to_the_byte() -> None:
    """The private network's genesis is what the node checks its digest against."""
    genesis = b'{"a": 1}\n\n'
    written = files(render(machine("sentry", genesis=genesis)))
    config = node_config.parse(written["/etc/goldnode/node.yaml"]["content"])
    file = written["/etc/goldnode/genesis.json"]

    assert "gz+b64" == file["encoding"]
    assert genesis == gzip.decompress(base64.b64decode(file["content"]))
    assert hashlib.sha256(genesis).hexdigest() == config.genesis_sha256


def test_further_keys_are_written() -> None:
    """What the operator adds stands in node.yaml."""
    written = files(render(machine("sentry", extra={"mesh": "vpncloud", "addresses": ["203.0.113.5"]})))
    config = node_config.parse(written["/etc/goldnode/node.yaml"]["content"])

    assert ("vpncloud", ("203.0.113.5",)) == (config.mesh, config.nodes[0].addresses)


def test_what_the_node_would_refuse_is_not_handed_out() -> None:
    """A fault in further keys is found here, not on a serial console."""
    with pytest.raises(InputError, match="colour"):
        render(machine("sentry", extra={"colour": "red"}))


def test_names_cannot_break_out_of_their_line() -> None:
    """A name with a line break is refused, not a second key."""
    with pytest.raises(InputError):
        render(machine("sentry", nodes=[NodeSpec("a\nssh_keys: [x]", "sentry", "gn1_aa")]))


def test_an_unknown_role_lists_the_known() -> None:
    """The hint names the templates there are."""
    with pytest.raises(UsageError) as refusal:
        render(machine("pope"))

    assert "validator" in refusal.value.hint


def test_clouds_take_so_much_and_no_more() -> None:
    """User-data that a cloud would refuse is refused here."""
    noise = hashlib.shake_256(b"genesis").digest(20000)
    with pytest.raises(InputError, match="clouds accept"):
        render(machine("sentry", genesis=noise))


def test_the_file_is_the_owners(tmp_path: Path) -> None:
    """User-data holds an invite."""
    write(tmp_path / "u.yaml", "x")

    assert 0o600 == (tmp_path / "u.yaml").stat().st_mode & 0o777
