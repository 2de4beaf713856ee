"""An update edits a person's file: what differs changes, everything else stays where it is."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from goldnode.authoring import chain_registry, renewal
from goldnode.config import network_check
from goldnode.errors import SafetyError
from tests.unit.authoring.test_chain_registry import SHA, VERSIONS
from tests.unit.authoring.test_registry_hostile import FULL

FRESH = chain_registry.convert(FULL, VERSIONS, "chain.json").document


def faults(text: str) -> list[str]:
    """What the checker says."""
    return [str(fault) for fault in network_check.faults(network_check.parse("example.yaml", text))]


@st.composite
def files(draw: st.DrawFn) -> tuple[str, list[str]]:
    """A network file as somebody may have it: less than the registry knows, in any layout, with comments."""
    document: dict[str, Any] = copy.deepcopy(FRESH)
    for key in ("seeds", "persistent_peers", "catch_up", "upgrades", "minimum_gas_prices", "bech32_prefix"):
        if draw(st.booleans()):
            document.pop(key, None)
    if "catch_up" in document and draw(st.booleans()):
        del document["catch_up"]["state_sync"]["servers"][1:]
        document["catch_up"]["state_sync"]["servers"].append("https://mine.org")
    if "upgrades" in document and draw(st.booleans()):
        del document["upgrades"][draw(st.integers(0, 1)) :]
    if draw(st.booleans()):
        document["daemon"]["version"] = "1.1.0"
    if draw(st.booleans()):
        document["daemon"]["start_args"] = ["--mine"]
    if draw(st.booleans()):
        document["genesis"] |= {"sha256": SHA, "size": 7}
    keys = draw(st.permutations(sorted(document)))
    comments, lines = [], []
    for key in keys:
        flow = draw(st.sampled_from([True, False, None]))
        if flow is True or not isinstance(document[key], dict | list):
            value = yaml.safe_dump(document[key], default_flow_style=True, width=9999).splitlines()[0]
            lines.append(f"{key}: {value}\n")
        else:
            lines.append(yaml.safe_dump({key: document[key]}, default_flow_style=flow, width=200, sort_keys=False))
        comments.append(f"# about {key}")
        lines.append(f"{comments[-1]}\n")
    return "".join(lines), comments


@settings(max_examples=40)
@given(files())
def test_whatever_the_layout_an_update_changes_only_what_differs(file: tuple[str, list[str]]) -> None:
    """The result is the document that was worked out, passes the checker, keeps every comment, and stays."""
    text, comments = file
    old = network_check.parse("example.yaml", text).data

    changed, _ = renewal.renewed("example.yaml", text, FRESH)

    assert renewal.merged(old, FRESH, []) == network_check.parse("example.yaml", changed).data
    assert faults(changed) == []
    assert comments == [line for line in changed.splitlines() if line in comments]
    assert changed == renewal.renewed("example.yaml", changed, FRESH)[0]


def test_the_same_again_changes_nothing() -> None:
    """A file as the import writes it is up to date."""
    text = chain_registry.convert(FULL, VERSIONS, "chain.json").text

    assert text == renewal.renewed("example.yaml", text, FRESH)[0]


def test_another_version_drops_the_pins_that_were_for_the_old_one() -> None:
    """Binaries of the old version go, a build of it becomes a draft of the new one, and it is said."""
    old = copy.deepcopy(FRESH)
    old["daemon"] |= {
        "version": "1.1.0",
        "release": {"amd64": {"url": "https://h.org/old", "sha256": SHA}},
        "source": {"git": "https://h.org/o/r", "tag": "v1.1.0", "sum": "h1:x", "package": "./cmd/exampled",
                   "ldflags": ["-X main.version=1.1.0"]},
    }  # fmt: skip
    remarks: list[str] = []

    daemon = renewal.merged(old, FRESH, remarks)["daemon"]

    assert FRESH["daemon"]["release"] == daemon["release"]
    assert {
        "git": "https://h.org/o/r", "tag": "v1.2.0", "package": "./cmd/exampled", "ldflags": ["-X main.version=1.2.0"],
    } == daemon["source"]  # fmt: skip
    assert "daemon.version: 1.1.0 becomes 1.2.0" in remarks


def test_another_hash_for_a_pinned_url_is_refused() -> None:
    """Somebody has to look which one is right."""
    old = copy.deepcopy(FRESH)
    old["daemon"]["release"]["amd64"]["sha256"] = "cd" * 32

    with pytest.raises(SafetyError, match=r"daemon\.release\.amd64 is pinned as cdcd.*, the registry publishes abab"):
        renewal.merged(old, FRESH, [])
