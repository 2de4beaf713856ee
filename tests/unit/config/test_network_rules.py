"""What must hold in a network file beyond its shape."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goldnode.config.network_rules import findings, peer_fault

ID = "ade4d8bc8cbe014af6ebdf3cb7b1e9ad36f412c0"
FILE = Path("networks/example.yaml")


def wheres(document: dict[str, Any], file: Path = FILE) -> list[tuple[str | int, ...]]:
    """Only the paths of what is found."""
    return [where for where, _, _ in findings({"daemon": {"source": {}, "release": {"amd64": {}}}} | document, file)]


@pytest.mark.parametrize(
    "address", ["seeds.polkachu.com:12556", "168.119.37.164:1", "[2001:db8::1]:65535", "a-b:26656"]
)
def test_good_peers_pass(address: str) -> None:
    """Names, IPv4 and bracketed IPv6 addresses are peers a daemon can read."""
    assert peer_fault(f"{ID}@{address}") is None


@pytest.mark.parametrize(
    ("peer", "reason"),
    [
        (f" {ID}@host:26656", "space"),
        (f"{ID}@{ID}@host:26656", "id@host:port"),
        ("host:26656", "id@host:port"),
        ("team@host:26656", "40 hex digits"),
        (f"{ID.upper()}@host:26656", "upper case"),
        (f"{ID}@host", "no port"),
        (f"{ID}@host:0", "no port"),
        (f"{ID}@host:65536", "no port"),
        (f"{ID}@host:p2p", "no port"),
        (f"{ID}@:26656", "host"),
        (f"{ID}@300.1.1.1:26656", "host"),
        (f"{ID}@2001:db8::1:26656", "host"),
        (f"{ID}@[2001:db8::zz]:26656", "host"),
        (f"{ID}@-host:26656", "host"),
        (f"{ID}@tcp://host:26656", "host"),
    ],
)
def test_every_way_a_peer_stops_a_daemon_is_named(peer: str, reason: str) -> None:
    """Each malformed peer gets its own reason, because one of them keeps CometBFT from starting."""
    fault = peer_fault(peer)

    assert fault is not None
    assert reason in fault[0]


@given(st.text())
def test_no_text_breaks_the_peer_check(text: str) -> None:
    """Whatever stands in the list, the check answers."""
    fault = peer_fault(text)

    assert fault is None or all(fault)


def test_a_peer_listed_twice_is_found() -> None:
    """The second of two equal seeds is named."""
    assert wheres({"seeds": [f"{ID}@host:1", f"{ID}@host:2", f"{ID}@host:1"]}) == [("seeds", 2)]


@pytest.mark.parametrize(
    ("entry", "where"),
    [
        ({"url": "https://h/x.tar.gz"}, "member"),
        ({"url": "https://h/x.zip"}, "member"),
        ({"url": "https://h/x", "format": "zip"}, "member"),
        ({"url": "https://h/x", "member": "x"}, "member"),
        ({"url": "https://h/x.gz", "member": "x"}, "member"),
        ({"url": "https://h/x?checksum=sha256:00"}, "url"),
        ({"url": "https://h/x", "locked": "2026-11-20"}, "locked"),
    ],
)
def test_artifacts_that_cannot_work_are_found_everywhere(entry: dict[str, str], where: str) -> None:
    """Genesis, releases and the upgrade ladder are held to the same rules."""
    document = {
        "genesis": entry,
        "daemon": {"release": {"amd64": entry}},
        "upgrades": [{"name": "v1", "height": 1, "release": {"arm64": entry}}],
    }

    assert wheres(document) == [
        ("genesis", where),
        ("daemon", "release", "amd64", where),
        ("upgrades", 0, "release", "arm64", where),
    ]


@pytest.mark.parametrize(
    "entry",
    [{"url": "https://h/x.tgz", "member": "a"}, {"url": "https://h/x.gz"}, {"url": "https://h/x", "format": "raw"}],
)
def test_artifacts_that_work_pass(entry: dict[str, str]) -> None:
    """A member with an archive, none without."""
    assert wheres({"genesis": entry}) == []


def test_a_daemon_needs_a_way_to_be_had() -> None:
    """Neither release nor source: nothing to bake."""
    assert wheres({"daemon": {"name": "x"}}) == [("daemon",)]


def test_libraries_need_cgo() -> None:
    """Without cgo nothing is linked, and the binary panics when it starts."""
    assert wheres({"daemon": {"source": {"cgo": False}, "libraries": [{}]}}) == [("daemon", "source", "cgo")]
    assert wheres({"daemon": {"release": {"amd64": {}}, "libraries": [{}]}}) == []


def test_the_ladder_goes_up_and_names_each_step_once() -> None:
    """A step out of order or listed twice is found."""
    steps = [{"name": "v1", "height": 10}, {"name": "v2", "height": 10}, {"name": "v1", "height": 30}]

    assert wheres({"upgrades": steps}) == [("upgrades", 1, "height"), ("upgrades", 2, "name")]


def test_ports_do_not_collide() -> None:
    """An offset that every node uses, or another port has, is refused."""
    assert wheres({"ports": {"ledger": 65, "admin": 65, "mine": 56}}) == [("ports", "admin"), ("ports", "mine")]


def test_state_sync_servers_are_independent() -> None:
    """The same host twice proves nothing, however it is written."""
    found = ("catch_up", "state_sync", "servers")

    def servers(*entries: object) -> list[tuple[str | int, ...]]:
        return wheres({"catch_up": {"state_sync": {"servers": list(entries)}}})

    assert servers("https://a:443", "https://a:26657") == [found]
    assert servers("https://a", {"url": "https://a/rpc", "provider": "Ann"}) == [found]
    assert servers("https://a", {"url": "https://b"}) == []


def test_a_snapshots_format_is_known() -> None:
    """It is read off the URL, or written."""

    def snapshot(**entry: object) -> list[tuple[str | int, ...]]:
        return wheres({"catch_up": {"snapshot": entry}})

    assert snapshot(url="https://a/latest") == [("catch_up", "snapshot", "format")]
    assert snapshot(url="https://a/latest", format="tar.zst") == []
    assert snapshot(url="https://a/latest.tar.lz4") == []


def test_a_halt_is_where_the_next_version_begins() -> None:
    """A daemon that is stopped at another height than its successor begins at would leave a gap, or two at work."""

    def step(halt: int) -> list[tuple[str | int, ...]]:
        return wheres({"upgrades": [{"name": "v2", "height": 100, "version": "2", "halt_height": halt}]})

    assert step(90) == [("upgrades", 0, "halt_height")]
    assert step(99) == step(100) == []


def test_a_name_is_the_files() -> None:
    """A document that calls itself differently from its file is refused."""
    assert wheres({"name": "other"}) == [("name",)]
    assert wheres({"name": "example"}) == []


def test_a_jar_list_is_read(tmp_path: Path) -> None:
    """A missing list and a bad line are found; comments and good lines pass."""
    file = tmp_path / "daml.yaml"
    document = {"daemon": {"kind": "jvm", "jvm": {"jars": "daml.jars"}}}

    assert wheres(document, file) == [("daemon", "jvm", "jars")]

    (tmp_path / "daml.jars").write_text(f"# jars\n\n{'0' * 64}  com.daml:sandbox_2.13:1.13.1\nbad line\n")

    assert [reason for _, reason, _ in findings(document, file)] == ["has a bad line 4: bad line"]


@pytest.mark.parametrize("wrong", [None, 1, "x", [1], {"a": 1}])
def test_wrong_types_are_left_to_the_schema(wrong: object) -> None:
    """No rule trips over a value of another type."""
    fields = ("seeds", "genesis", "upgrades", "ports", "catch_up", "name")

    for field in fields:
        assert isinstance(list(findings({field: wrong}, FILE)), list)
    assert isinstance(list(findings({"daemon": wrong}, FILE)), list)


def test_wireguard_is_not_left_out() -> None:
    """A list of meshes without the one that every image has would promise what is not so."""
    assert [("meshes",)] == wheres({"meshes": ["vpncloud"]})
    assert [] == wheres({"meshes": ["wireguard", "vpncloud"]})
    assert [] == wheres({})


def test_nodes_of_a_jvm_have_no_mesh() -> None:
    """A mesh stands between a validator and its sentries, and a JVM network has neither."""
    assert [("meshes",)] == wheres({"daemon": {"kind": "jvm"}, "meshes": ["wireguard", "vpncloud"]})


def test_a_program_is_a_file_beside_the_network() -> None:
    """A network that names a program has it; one without a program needs none."""
    named = {"daemon": {"kind": "jvm", "jvm": {"program": "Nothing.java"}}}

    assert wheres(named) == [("daemon", "jvm", "program")]
    assert wheres({"daemon": {"kind": "jvm", "jvm": {}}}) == []


def test_options_that_would_break_the_jvm_host_are_found() -> None:
    """Each such option is a finding with its place in the list."""
    options = ["-Xss1m", "-XX:+UseG1GC", "-Dsome.key=x", "-jar"]

    assert [("daemon", "jvm", "options", 1), ("daemon", "jvm", "options", 3)] == wheres(
        {"daemon": {"kind": "jvm", "jvm": {"options": options}}}
    )
