"""What a person may write below ``config:``: judged by the daemon's own default file, before anything is written."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goldnode.config.node_entry import NodeEntry
from goldnode.errors import InputError
from goldnode.node.plan import setting_check
from goldnode.node.plan.daemon_config import flatten
from tests.support.node_lab import DEFAULTS, Cluster, Tree

FILE = "config.toml"
TEXT = (DEFAULTS / FILE).read_text()
KNOWN = dict(flatten(tomllib.loads(TEXT)))


def said(key: str, value: object, file: str = FILE) -> str:
    """What is wrong with one setting."""
    entry = NodeEntry("s-1", "sentry", config={file: {key: value}})
    return "\n".join(map(str, setting_check.check(entry, {FILE: TEXT})))


@given(key=st.sampled_from(sorted(KNOWN)))
def test_the_daemons_own_values_are_right(key: str) -> None:
    """Every key of the default file, in both spellings, may be set to what it is already."""
    assert ("", "") == (said(key, KNOWN[key]), said(key.replace("_", "-"), KNOWN[key]))


@given(key=st.sampled_from(sorted(KNOWN)), letter=st.sampled_from("xyz"))
def test_a_misspelt_key_is_found(key: str, letter: str) -> None:
    """One letter too many is no key, and the sentence proposes the right one."""
    assert "the daemon has no such key; did you mean" in said(key + letter, KNOWN[key])


@pytest.mark.parametrize(
    ("key", "value", "reason"),
    [
        ("consensus.timeout_commit", "5 s", "must be a duration"),
        ("consensus.timeout_commit", 5, "must be a text"),
        ("consensus.timeout_commit", "-5s", "must be a duration"),
        ("consensus.create_empty_blocks", "true", "must be true or false"),
        ("consensus.create_empty_blocks", 1, "must be true or false"),
        ("mempool.size", "9000", "must be an integer"),
        ("mempool.size", True, "must be an integer"),
        ("mempool.size", -1, "must not be negative"),
        ("rpc.cors_allowed_origins", "*", "must be a list"),
        ("rpc.laddr", "tcp://0.0.0.0:99999", "must be an address with a port"),
        ("rpc.laddr", "tcp://999.0.113.5:26657", "must be an address with a port"),
        ("rpc.laddr", "tcp://[fd00::g]:26657", "must be an address with a port"),
        ("instrumentation.prometheus_listen_addr", "26660", "must be an address with a port"),
    ],
)
def test_a_value_of_the_wrong_kind_is_found(key: str, value: object, reason: str) -> None:
    """The daemon would end at every start over each of these."""
    assert reason in said(key, value)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("consensus.timeout_commit", "1m30s"),
        ("mempool.size", 9000),
        ("instrumentation.prometheus_listen_addr", ":26661"),
        ("rpc.laddr", "tcp://[::]:26657"),
        ("rpc.laddr", "tcp://localhost:0"),
        ("rpc.laddr", "unix:///run/rpc.sock"),
    ],
)
def test_right_values_pass(key: str, value: object) -> None:
    """What the daemon takes is no fault."""
    assert "" == said(key, value)


def test_a_file_that_the_daemon_lacks() -> None:
    """A CometBFT program has no app.toml."""
    assert "this network's daemon has no such file" in said("pruning", "nothing", "app.toml")


def test_nothing_is_written_before_all_is_right(tmp_path: Path) -> None:
    """Both faults are said, and the machine is as it was."""
    tree = Tree(tmp_path / "machine")
    settings = {"config.toml": {"mempool.sise": 1, "consensus.timeout_commit": "5 s"}}
    tree.node_yaml("sentry", Cluster().invite("sentry"), "s-1", config=settings)

    with pytest.raises(InputError) as caught:
        tree.configure()

    assert 2 == len(caught.value.faults)
    assert ([], False) == (tree.system.done, tree.layout.node("s-1").home.exists())
