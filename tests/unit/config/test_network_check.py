"""Every fault of a network file at once, with line, path, value and fix."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from goldnode.config import network_check
from goldnode.config.source import Source
from goldnode.errors import InputError

GOOD = """\
version: 1
chain_id: example-1
daemon:
  name: exampled
  version: 1.2.3
  home: .example
  release:
    amd64: {url: https://example.org/exampled}
genesis: {url: https://example.org/genesis.json}
"""


def faults(tmp_path: Path, text: str) -> list[str]:
    """Check a text; line, path and fix of each fault."""
    path = tmp_path / "example.yaml"
    path.write_text(text, encoding="utf-8")
    found = network_check.faults(network_check.read(path))
    return [str(fault).removeprefix(f"{path}:") for fault in found]


def test_the_smallest_network_passes(tmp_path: Path) -> None:
    """Nine lines are enough, and the document learns its name from the file."""
    path = tmp_path / "example.yaml"
    path.write_text(GOOD)

    assert network_check.checked(path)["name"] == "example"


def test_all_faults_come_at_once(tmp_path: Path) -> None:
    """A file with faults of every kind is reported whole, in the order of its lines."""
    text = """\
version: 2
chain_id: [x]
daemon:
  name: 9xampled
  version: 1.2
  hom: .example
  release:
    amd64: {url: ftp://example.org/exampled, sha256: ABC}
genesis: {private: true, url: https://example.org/g}
seeds:
  - team@host:26656
block_time: -1
ports: {Ledger: 3}
sysctls: {kernel: 1}
"""

    assert faults(tmp_path, text) == [
        "1: version (2): is not of the right form; write version: 1",
        "2: chain_id: must be string; write the chain id as genesis.json has it",
        "3: daemon.home: is missing; add it; networks/README.md explains every field",
        "4: daemon.name (9xampled): is not of the right form; write the program's file name",
        "5: daemon.version (1.2): must be string; put it in quotes",
        "6: daemon.hom (.example): is not a field of a network file; did you mean home?",
        (
            "8: daemon.release.amd64.sha256 (ABC): is not of the right form; "
            "write 64 lower-case hex digits, as sha256sum prints them"
        ),
        (
            "8: daemon.release.amd64.url (ftp://example.org/exampled): is not of the right form; "
            "write a URL that begins with https:// (or http://)"
        ),
        (
            "9: genesis.url (https://example.org/g): contradicts private: true, with which every cluster makes its own "
            "genesis; remove one of the two"
        ),
        (
            "11: seeds[0] (team@host:26656): has an id that is not 40 hex digits; "
            "ask the operator for the output of show-node-id"
        ),
        "12: block_time (-1): -1 is less than or equal to the minimum of 0",
        "13: ports.Ledger (3): is not a valid key; write lower-case letters, digits and underscores",
        "14: sysctls.kernel (1): is not a valid key; write lower-case letters, digits and underscores",
    ]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (
            ("  name:", "  kind: jvm\n  name:"),
            ["daemon.jvm: is missing", "daemon.release: has no meaning with kind: jvm"],
        ),
        (
            ("  name:", "  jvm: {mode: native, main: A, jars: a.jars}\n  name:"),
            ["daemon.jvm: needs kind: jvm beside it"],
        ),
        (("  name:", "  kind: java\n  name:"), ["daemon.kind (java): must be one of go, jvm"]),
        (("  name:", "  family: cosmos\n  name:"), ["did you mean cosmos-sdk?"]),
        (("  home: .example", "  home: ../etc"), ["write a path below the node's home"]),
        (("version: 1\n", "version: 1\nzzz: 1\n"), ["zzz (1): is not a field of a network file; known here: bech32"]),
        (("version: 1\n", "version: 1\ndescription: ''\n"), ["description"]),
        (("genesis: {url: https://example.org/genesis.json}", "genesis: {sha256: zz}"), ["genesis.url: is missing"]),
    ],
)
def test_contradictions_are_explained(tmp_path: Path, change: tuple[str, str], expected: list[str]) -> None:
    """What excludes each other is said in words of the field, not of JSON Schema."""
    found = "\n".join(faults(tmp_path, GOOD.replace(*change)))

    for words in expected:
        assert words in found


def test_a_key_that_stands_twice_is_found(tmp_path: Path) -> None:
    """YAML would silently take the last one."""
    assert faults(tmp_path, GOOD + "chain_id: other-1\n")[-1] == (
        "10: chain_id (other-1): appears twice in one mapping; keep one"
    )


def test_long_values_are_shortened(tmp_path: Path) -> None:
    """A fault stays one readable line."""
    found = faults(tmp_path, GOOD.replace("example-1", "x" * 500))

    assert len(found[0]) < 200


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a: [", "expected the node content"),
        ("a: &x 1\nb: *x\n", "alias"),
        ("a: &x [*x]\n", "alias"),
        ("a: \x00", "special characters"),
        ("[" * 5000, "nested too deeply"),
        ("x" * (1 << 21), "larger than"),
        ("a: !!int x", "invalid literal"),
    ],
)
def test_what_is_no_yaml_is_refused(tmp_path: Path, text: str, reason: str) -> None:
    """Broken, hostile and huge files end in one sentence."""
    with pytest.raises(InputError, match=reason):
        faults(tmp_path, text)


def test_what_is_no_text_is_refused(tmp_path: Path) -> None:
    """Binary files too."""
    path = tmp_path / "example.yaml"
    path.write_bytes(b"\xff\xfe\x00")

    with pytest.raises(InputError, match="not UTF-8"):
        network_check.read(path)


@pytest.mark.parametrize("text", ["", "- a\n", "text\n"])
def test_what_is_no_mapping_is_a_fault(tmp_path: Path, text: str) -> None:
    """An empty file or a list is a fault, not a crash."""
    assert "must be object" in faults(tmp_path, text)[0]


def test_a_faulty_file_is_not_handed_on(tmp_path: Path) -> None:
    """``checked`` raises with every fault and a command to type."""
    path = tmp_path / "example.yaml"
    path.write_text(GOOD.replace("version: 1\n", ""))

    with pytest.raises(InputError) as caught:
        network_check.checked(path)

    assert [fault.path for fault in caught.value.faults] == ["version"]
    assert f"./invoke network check {path}" in caught.value.hint


def test_a_day_stays_text(tmp_path: Path) -> None:
    """``locked: 2026-11-20`` is what the file says, not a date object."""
    text = GOOD.replace("genesis.json}", f"genesis.json, sha256: {'a' * 64}, size: 1, locked: 2026-11-20}}")

    assert faults(tmp_path, text) == []


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=60)
@given(field=st.sampled_from(["daemon", "genesis", "seeds", "config", "upgrades", "ports", "version"]), value=VALUES)
def test_any_value_anywhere_yields_faults_not_crashes(field: str, value: object) -> None:
    """Whatever a person writes under a field, the checker answers."""
    source = Source("example.yaml", {field: value}, {})

    assert network_check.faults(source)


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("chain_id", '"example-1\\n"', "not of the right form"),
        ("bech32_prefix", '"ex\\n"', "not of the right form"),
        ("minimum_gas_prices", '"1uex\\n"', "not of the right form"),
        ("minimum_gas_prices", '"0.1uex,0ufree"', "every transaction is free"),
        ("description", '"a\\nb"', "not of the right form"),
        ("seeds", f'["{"a" * 40}@host:\N{ARABIC-INDIC DIGIT FIVE}"]', "no port"),
        ("chain_id", "example-\N{ARABIC-INDIC DIGIT FIVE}", "not of the right form"),
        ("genesis", '{url: "http://169.254.169.254/g"}', "no public server has"),
        ("genesis", '{url: "http://metadata.google.internal/g"}', "metadata service"),
        ("genesis", '{url: "http://0x7f.1/g"}', "no valid host"),
        ("genesis", '{url: "http://2130706433/g"}', "no valid host"),
        ("genesis", '{url: "https://github.com/o/r/blob/main/g.json"}', "web page"),
    ],
)
def test_what_looks_right_and_is_not_is_found(tmp_path: Path, field: str, value: str, reason: str) -> None:
    """A line feed at the end, digits of another script, addresses that answer only this machine, a free token."""
    lines = [line for line in GOOD.splitlines() if not line.startswith(f"{field}:")]

    assert any(reason in fault for fault in faults(tmp_path, "\n".join([*lines, f"{field}: {value}"])))


@pytest.mark.parametrize("home", [".", ".ssh", ".ssh/x", "a/./b", "../x", ".config", '".example\\n"'])
def test_a_daemons_home_is_its_own(tmp_path: Path, home: str) -> None:
    """A home that is somebody else's would be cleaned and given away."""
    assert any("daemon.home" in fault for fault in faults(tmp_path, GOOD.replace("home: .example", f"home: {home}")))


@pytest.mark.parametrize("url", ["http://127.0.0.1:8000/g", "http://localhost/g", "http://mirror.internal/g"])
def test_this_machine_serves_artifacts_only_when_the_operator_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    """Whoever wrote the file must not make the operator's machine ask itself."""
    text = GOOD.replace("https://example.org/genesis.json", url)

    assert faults(tmp_path, text) == []
    monkeypatch.delenv("GOLDNODE_LOOPBACK")
    assert any("genesis.url" in fault and "GOLDNODE_LOOPBACK=1" in fault for fault in faults(tmp_path, text))
