"""Pins go into a person's file without touching anything else in it."""

from __future__ import annotations

import datetime as dt
import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from goldnode.authoring.lockfile import Pin, insert, top_level_chain_id, unpinned

DAY = dt.date(2026, 11, 20)
SHA = "ab" * 32
TEXT = """\
# A chain of mine.
version: 1
daemon:
  release:
    amd64:   # the only one
      url: https://h/d   # from their site
      member: x
    arm64: {url: https://h/e}  # rarely used
genesis: {url: "https://h/g", size: 7}   # no hash anywhere
upgrades:
- name: v2
  release:
    amd64:
      url: https://h/f"""


def pin(*where: str | int) -> Pin:
    """A pin at a path."""
    return Pin(where, "https://h/x", SHA, 7)


def test_pins_take_the_style_of_their_surroundings() -> None:
    """Lines get lines, braces get fields; comments, order and quotes stay; an existing size is not repeated."""
    pins = [
        pin("genesis"),
        pin("daemon", "release", "amd64"),
        pin("upgrades", 0, "release", "amd64"),
        pin("daemon", "release", "arm64"),
    ]

    assert (
        insert(TEXT, pins, DAY)
        == f"""\
# A chain of mine.
version: 1
daemon:
  release:
    amd64:   # the only one
      url: https://h/d   # from their site
      sha256: {SHA}
      size: 7
      locked: 2026-11-20
      member: x
    arm64: {{url: https://h/e, sha256: {SHA}, size: 7, locked: 2026-11-20}}  # rarely used
genesis: {{url: "https://h/g", size: 7, sha256: {SHA}, locked: 2026-11-20}}   # no hash anywhere
upgrades:
- name: v2
  release:
    amd64:
      url: https://h/f
      sha256: {SHA}
      size: 7
      locked: 2026-11-20"""
    )


@given(st.booleans(), st.sampled_from(["", "  # why"]), st.integers(1, 6))
def test_a_locked_file_reads_back_with_its_pin(flow: bool, comment: str, indent: int) -> None:
    """Whatever the layout, YAML reads the pin where it belongs and everything else as before."""
    pad = " " * indent
    body = f"{{url: u, member: m}}{comment}" if flow else f"{comment}\n{pad}url: u{comment}\n{pad}member: m"
    text = f"genesis: {body}\nlast: 1\n"

    read = yaml.load(insert(text, [pin("genesis")], DAY), yaml.BaseLoader)  # noqa: S506 - strings only

    assert read["genesis"] == {"url": "u", "sha256": SHA, "size": "7", "locked": "2026-11-20", "member": "m"}
    assert read["last"] == "1"


def test_everything_without_a_hash_is_found() -> None:
    """Daemon, genesis and ladder are searched; what is pinned, private or a peer is not."""
    pinned = {"url": "https://h/p", "sha256": SHA}
    bare = {"url": "https://h/b"}
    document = {
        "daemon": {"release": {"amd64": pinned, "arm64": bare}},
        "genesis": bare,
        "upgrades": [{"release": {"amd64": pinned}}, {"release": {"amd64": bare}}],
        "catch_up": {"state_sync": {"servers": ["https://h"]}},
    }

    assert [where for where, _ in unpinned(document)] == [
        ("daemon", "release", "arm64"),
        ("genesis",),
        ("upgrades", 1, "release", "amd64"),
    ]
    assert list(unpinned({"genesis": {"private": True}})) == []


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ('{"app_state": {"ibc": [{"chain_id":"juno-1"}]}, "chain_id" : "osmosis-1"}', "osmosis-1"),
        ('{"chain_id":"osmosis-1","app_state":{"chain_id":"juno-1"}}', "osmosis-1"),
        ('{"app_state": {"chain_id":"juno-1"}}', ""),
        ('{"memo": "\\"chain_id\\": \\"juno-1\\" {[", "chain_id": "osmosis-1"}', "osmosis-1"),
        ('{"note": "chain_id", "x": "juno-1"}', ""),
        ('[{"chain_id": "juno-1"}]', ""),
        ("<html>not found</html>", ""),
        ("", ""),
    ],
)
def test_only_the_genesis_own_chain_id_counts(tmp_path: Path, content: str, expected: str) -> None:
    """Those of IBC counterparts, and what only looks like one, do not."""
    path = tmp_path / "genesis.json"
    path.write_text(content)

    assert expected == top_level_chain_id(path)


@given(st.recursive(st.none() | st.booleans() | st.text(), lambda inner: st.lists(inner, max_size=3)
                    | st.dictionaries(st.text() | st.just("chain_id"), inner, max_size=3), max_leaves=8))  # fmt: skip
def test_a_genesis_is_read_as_json_reads_it(value: Any) -> None:
    """Whatever stands around it, the search finds what a parser would."""
    document = {"other": value, "chain_id": "osmosis-1", "last": value}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "genesis.json"
        path.write_text(json.dumps(document, ensure_ascii=False).encode("utf-8", "replace").decode())

        assert top_level_chain_id(path) == "osmosis-1"
