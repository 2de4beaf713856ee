"""node.yaml: every fault at once, the schema in step, and one node no different from many."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import jsonschema
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from goldnode.config import node_config
from goldnode.config.choices import ConsensusKey, MeshKind
from goldnode.errors import InputError
from goldnode.paths import REPOSITORY

SCHEMA = json.loads((REPOSITORY / "cloud-init" / "node.schema.json").read_text())
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA, format_checker=jsonschema.FormatChecker(["ipv4", "ipv6"]))

PEM = "-----BEGIN CERTIFICATE-----\nMIIB+/==\n-----END CERTIFICATE-----\n"
PLAIN: dict[str, Any] = {
    "version": 1,
    "role": "validator",
    "name": "val-1",
    "join": "gn1_abc",
    "rendezvous": ["http://a:1"],
}
FULL: dict[str, Any] = {
    **PLAIN,
    "mesh": "wireguard",
    "data": "LABEL=chain",
    "genesis": {"sha256": "0" * 64},
    "deferred": "allow",
    "ssh_keys": ["ssh-ed25519 AAAA me"],
    "unattended_upgrades": True,
    "serve_rendezvous": True,
    "consensus_key": "remote-signer",
    "signer_keys": ["A" * 43 + "="],
    "signer_from": ["198.51.100.7"],
    "min_sentries": 2,
    "addresses": ["203.0.113.5", "2001:db8::5"],
    "peers": ["a" * 40 + "@203.0.113.5:26656"],
    "config": {"config.toml": {"mempool.size": 9000}},
    "metrics": ["10.0.0.0/8"],
    "logs": {"to": "syslog+tls://logs.example.org", "ca": PEM},
}
KEEPERS = [each * 40 for each in "abc"]
#: A sentry that a remote signer of three machines dials, and that keeps leases.
SIGNED_SENTRY: dict[str, Any] = {
    **FULL,
    "role": "sentry",
    "signer_keys": [each * 43 + "=" for each in "ABC"],
    "serve_lease": KEEPERS,
}
MANY: dict[str, Any] = {
    "version": 1,
    "role": "multi-node",
    "mesh": "vpncloud",
    "rendezvous": ["http://a:1"],
    "metrics": ["10.1.2.3"],
    "nodes": [
        {"name": "val-1", "role": "validator", "join": "gn1_abc", "consensus_key": "existing"},
        {"name": "s-1", "role": "sentry", "join": "gn1_def", "addresses": ["203.0.113.5"]},
    ],
}
SERVICE: dict[str, Any] = {"version": 1, "role": "rendezvous"}
HOSTED: dict[str, Any] = {
    "version": 1,
    "role": "multi-node",
    "nodes": [{"name": "alice", "role": "hosted"}, {"name": "bob", "role": "hosted"}],
}


def _accepts(document: Any) -> bool:
    try:
        node_config.parse(yaml.safe_dump(document))
    except InputError:
        return False
    return True


@pytest.mark.parametrize("document", [PLAIN, FULL, SIGNED_SENTRY, MANY, SERVICE, HOSTED])
def test_what_is_right_is_right_for_both(document: dict[str, Any]) -> None:
    """Parser and published schema take the same documents."""
    assert (True, True) == (_accepts(document), VALIDATOR.is_valid(document))


def _set(path: str, value: Any) -> Callable[[dict[str, Any]], None]:
    def change(document: dict[str, Any]) -> None:
        *parents, last = path.split("/")
        target: Any = document
        for part in parents:
            target = target[int(part) if part.isdigit() else part]
        if value is None:
            target.pop(last)
        else:
            target[last] = value

    return change


WRONG: list[tuple[dict[str, Any], str, Any]] = [
    (PLAIN, "version", 2),
    (PLAIN, "version", None),
    (PLAIN, "role", None),
    (PLAIN, "role", "Validator"),
    (PLAIN, "name", None),
    (PLAIN, "name", "Val"),
    (PLAIN, "name", "a" * 25),
    (PLAIN, "name", 7),
    (PLAIN, "join", "gn1_0189"),
    (PLAIN, "rendezvous", None),
    (PLAIN, "rendezvous", "http://a:1"),
    (PLAIN, "rendezvous", ["ftp://a"]),
    (PLAIN, "rendezvous", ["http://a", "http://a"]),
    (PLAIN, "mesh", "tinc"),
    (PLAIN, "data", "somewhere"),
    (PLAIN, "deferred", "maybe"),
    (PLAIN, "surprise", 1),
    (PLAIN, "min_sentries", 17),
    (PLAIN, "min_sentries", True),
    (PLAIN, "addresses", ["example.org"]),
    (PLAIN, "unattended_upgrades", "yes"),
    (PLAIN, "logs", "syslog+tls://logs.example.org"),
    (PLAIN, "logs", {"ca": PEM}),
    (PLAIN, "logs", {"to": "syslog://logs.example.org"}),
    (PLAIN, "logs", {"to": 'syslog+tls://logs.example.org" port="1'}),
    (PLAIN, "logs", {"to": "syslog+tls://logs.example.org", "ca": "MIIB"}),
    (PLAIN, "nodes", [{"name": "a", "role": "sentry"}]),
    (PLAIN, "signer_keys", ["A" * 43 + "="]),
    (PLAIN, "ssh_keys", ["command=x ssh-ed25519 AAAA"]),
    (PLAIN, "config", {"other.toml": {}}),
    (PLAIN, "config", {"config.toml": {"p2p": {"pex": True}}}),
    (PLAIN, "peers", ["A" * 40 + "@203.0.113.5:26656"]),
    (PLAIN, "peers", ["a" * 40 + "@example.org:26656"]),
    (PLAIN, "peers", ["a" * 40 + "@203.0.113.5:99999"]),
    (PLAIN, "peers", ["a" * 40 + "@203.0.113.5:0"]),
    (PLAIN, "peers", ["a" * 40 + "@999.0.113.5:26656"]),
    (PLAIN, "rendezvous", ["http://203.0.113.10:87000"]),
    (PLAIN, "rendezvous", ["http://999.0.113.5:8700"]),
    (PLAIN, "rendezvous", ["http://203.0.113:8700"]),
    (PLAIN, "addresses", ["999.0.113.5"]),
    (PLAIN, "ssh_from", ["198.51.100.0/24"]),
    (PLAIN, "outgoing", "closed"),
    (PLAIN, "signer_from", ["198.51.100.7"]),
    (FULL, "signer_keys", None),
    (FULL, "signer_keys", []),
    (FULL, "signer_keys", "A" * 43 + "="),
    (FULL, "signer_keys", ["A" * 43 + "="] * 2),
    (FULL, "signer_from", []),
    (FULL, "signer_from", None),
    (FULL, "signer_from", ["example.org"]),
    (FULL, "mesh", "vpncloud"),
    (FULL, "genesis", {"sha256": "0" * 63}),
    (FULL, "genesis", {"md5": "0"}),
    (MANY, "name", "x"),
    (MANY, "nodes", [{**MANY["nodes"][0], "consensus_key": "remote-signer", "signer_keys": FULL["signer_keys"]}]),
    (MANY, "join", "gn1_abc"),
    (MANY, "nodes", None),
    (MANY, "nodes", []),
    (MANY, "nodes/0/role", "multi-node"),
    (MANY, "nodes/0/role", "rendezvous"),
    (MANY, "nodes/0/role", None),
    (MANY, "nodes/1/name", None),
    (MANY, "nodes/1/mesh", "wireguard"),
    (MANY, "nodes/1", "s-1"),
    (HOSTED, "name", "x"),
    (HOSTED, "nodes/0/role", "sentry"),
    (HOSTED, "nodes/0/join", "gn1_abc"),
    (HOSTED, "nodes/0/min_sentries", 1),
    (HOSTED, "nodes/0/addresses", ["203.0.113.5"]),
    (HOSTED, "nodes/0/peers", ["a" * 40 + "@203.0.113.5:26656"]),
    (HOSTED, "nodes/0/config", {"config.toml": {"mempool.size": 9000}}),
    (HOSTED, "nodes/0/consensus_key", "existing"),
    (PLAIN, "serve_lease", KEEPERS),
    (MANY, "serve_lease", KEEPERS),
    (HOSTED, "nodes/0/serve_lease", KEEPERS),
    (SIGNED_SENTRY, "serve_lease", []),
    (SIGNED_SENTRY, "serve_lease", KEEPERS[:2]),
    (SIGNED_SENTRY, "serve_lease", [*KEEPERS, "d" * 40]),
    (SIGNED_SENTRY, "serve_lease", [*KEEPERS[:2], "s-3"]),
    (SIGNED_SENTRY, "serve_lease", True),
]


@pytest.mark.parametrize(("document", "path", "value"), WRONG)
def test_what_is_wrong_is_wrong_for_both(document: dict[str, Any], path: str, value: Any) -> None:
    """Parser and published schema refuse the same documents."""
    changed = copy.deepcopy(document)
    container = changed["nodes"] if path == "nodes/1" else None
    if container is not None:
        container[1] = value
    else:
        _set(path, value)(changed)

    assert (False, False) == (_accepts(changed), VALIDATOR.is_valid(changed))


@settings(max_examples=150, deadline=None)
@given(
    document=st.sampled_from([PLAIN, FULL, MANY, HOSTED]),
    key=st.sampled_from(sorted(SCHEMA["properties"])),
    value=st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=8),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
        max_leaves=5,
    ),
)
def test_no_value_gets_past_one_of_the_two(document: dict[str, Any], key: str, value: Any) -> None:
    """Whatever stands at a key, parser and schema agree; null is absent for the parser."""
    changed = {**document, key: value}
    if value is None:
        del changed[key]

    assert VALIDATOR.is_valid(changed) == _accepts(changed)


def test_every_fault_is_reported_with_its_line() -> None:
    """One run names every fault: line, path, value, and what to write."""
    text = "version: 1\nrole: validator\nname: A\nrendezvous: x\nminn_sentries: 3\nnodes: []\n"

    with pytest.raises(InputError) as caught:
        node_config.parse(text)

    found = [(fault.line, fault.path) for fault in caught.value.faults]
    assert [(3, "name"), (4, "rendezvous"), (5, "minn_sentries"), (6, "nodes")] == found
    assert "did you mean min_sentries?" in str(caught.value)


def test_a_secret_is_never_shown_whole() -> None:
    """A mistyped invite is not printed where a console log would keep it."""
    secret = "gn1_" + "a" * 200 + "0"

    with pytest.raises(InputError) as caught:
        node_config.parse(yaml.safe_dump({**PLAIN, "join": secret}))

    assert secret[:13] not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("- 1", "not a mapping"),
        ("a: [", "cannot be read"),
        ("version: 1\nversion: 1", "appears twice"),
        ("a: &x [1]\nb: *x", "alias"),
        ("a: !!python/object:os.system {}", "cannot be read"),
        ("x" * 300_000, "larger than"),
        ("a: !!int x", "cannot be read"),
        ("[" * 5000, "nested too deeply"),
        ("\x00", "cannot be read"),
    ],
)
def test_what_is_no_yaml_is_refused(text: str, said: str) -> None:
    """Broken, doubled, aliased or executable YAML is one clear fault."""
    with pytest.raises(InputError, match=said):
        node_config.parse(text)


def test_nodes_inherit_what_they_do_not_say() -> None:
    """An entry takes shared keys from the document, and its own win."""
    config = node_config.parse(yaml.safe_dump({**MANY, "addresses": ["203.0.113.9"]}))

    assert [("203.0.113.9",), ("203.0.113.5",)] == [entry.addresses for entry in config.nodes]
    assert [("10.1.2.3",)] * 2 == [entry.metrics for entry in config.nodes]


def test_a_plain_role_is_a_list_of_one() -> None:
    """The document of a plain role becomes one entry with its values."""
    config = node_config.parse(yaml.safe_dump(FULL))

    (entry,) = config.nodes
    assert (ConsensusKey.REMOTE_SIGNER, 2, MeshKind.WIREGUARD) == (entry.consensus_key, entry.min_sentries, config.mesh)


def test_names_are_unique() -> None:
    """Two nodes of one machine cannot share a name: they would share a home."""
    document = copy.deepcopy(MANY)
    document["nodes"][1]["name"] = "val-1"

    with pytest.raises(InputError, match="the name val-1 appears twice"):
        node_config.parse(yaml.safe_dump(document))
