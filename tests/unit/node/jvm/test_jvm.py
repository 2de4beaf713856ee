"""What the JVM host is told about each node of a network."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from goldnode.config.daemon import Daemon
from goldnode.config.jvm_options import JvmSettings
from goldnode.config.network import load
from goldnode.errors import InputError
from goldnode.node.jvm import jvm
from goldnode.node.jvm.jvm import HostedNode
from goldnode.paths import REPOSITORY

UNIT = REPOSITORY / "roles/common/rootfs/usr/lib/systemd/system/goldnode-jvm.service"
NODES = [HostedNode("alice", 0, Path("/h/alice"), "jdbc:db/a"), HostedNode("bob", 1, Path("/h/bob"), "jdbc:db/b")]


def daemon(*start_args: str, **jvm_fields: object) -> Daemon:
    """A JVM network's program."""
    fields = {"mode": "isolated", "main": "org.example.Main", "jars": "example.jars", **jvm_fields}
    return Daemon.from_document(
        {"name": "ledger", "version": "1", "kind": "jvm", "home": ".ledger", "start_args": start_args, "jvm": fields}
    )


def lines(text: str) -> list[str]:
    """A properties file without what its format escapes."""
    return text.replace("\\", "").splitlines()


def words(text: str) -> list[str]:
    """The arguments in a properties file."""
    return [line.partition("=")[2] for line in lines(text) if line.startswith("argument.")]


def test_every_isolated_node_has_a_file_of_its_own() -> None:
    """In isolated mode each node gets its names, home, database and port block."""
    program = daemon("--id={name}", "--port", "{port_ledger}", "--db={database}", "--dir={home}")

    files = jvm.files(program, {"ledger": 65, "admin": 66}, NODES, [Path("/a.jar"), Path("/b.jar")], Path("/log"))

    assert list(files) == ["alice.properties", "bob.properties"]
    assert lines(files["bob.properties"]) == [
        "main=org.example.Main",
        "jars=/a.jar:/b.jar",
        "home=/h/bob",
        "log=/log/bob.log",
        "ready.port=26765",
        "argument.1=--id=bob",
        "argument.2=--port",
        "argument.3=26765",
        "argument.4=--db=jdbc:db/b",
        "argument.5=--dir=/h/bob",
    ]


@pytest.mark.parametrize(
    ("start_args", "expected"),
    [
        (["daemon", "--verbose"], ["daemon", "--verbose"]),
        (["-C", "nodes.{name}.dir={home}"], ["-C", "nodes.alice.dir=/h/alice", "-C", "nodes.bob.dir=/h/bob"]),
        (["run", "--node={name}", "--flag"], ["run", "--node=alice", "--node=bob", "--flag"]),
        (["--quiet", "--log", "x", "{name}"], ["--quiet", "--log", "x", "alice", "bob"]),
    ],
)
def test_a_native_program_hosts_all_nodes(start_args: Sequence[str], expected: Sequence[str]) -> None:
    """In native mode there is one file, and what names a node stands in it once for each."""
    files = jvm.files(daemon(*start_args, mode="native"), {}, NODES, [Path("/a.jar")], Path("/log"))

    assert [("ledger.properties", expected)] == [(name, words(text)) for name, text in files.items()]


def test_a_native_program_tells_of_each_of_its_nodes() -> None:
    """In native mode each node has its own port by which its readiness is told."""
    files = jvm.files(daemon(mode="native"), {"ledger": 65}, NODES, [Path("/a.jar")], Path("/log"))

    assert ["inside.alice=26665", "inside.bob=26765"] == [
        line for line in lines(files["ledger.properties"]) if line.startswith(("inside", "ready"))
    ]


def test_an_adapter_takes_the_place_of_main() -> None:
    """The host is told of an adapter when the network names one, and then of no main."""
    files = jvm.files(daemon(adapter="org.example.Gentle"), {}, NODES[:1], [Path("/a.jar")], Path("/log"))

    assert lines(files["alice.properties"])[0] == "adapter=org.example.Gentle"


def test_options_with_d_are_the_nodes_own_properties() -> None:
    """-D options become properties of each node; the others are the JVM's, as a file that java reads."""
    program = daemon(options=["-Dsome.key=a value", '-Djavax.net.ssl.trustStore=/a "b\\c'])

    files = jvm.files(program, {}, NODES[:1], [Path("/a.jar")], Path("/log"))

    assert program.jvm is not None
    assert lines(files["alice.properties"])[-1] == "property.some.key=a value"
    assert jvm.options(program.jvm, JvmSettings("4g", options=("-Xlog:gc",))).splitlines() == [
        r'"-Djavax.net.ssl.trustStore=/a \"b\\c"',
        '"-XX:+UseSerialGC"',
        '"-Xmx4g"',
        '"-Xlog:gc"',
    ]


def test_a_nodes_own_words_come_last() -> None:
    """What node.yaml says of one node stands after what the network says of all, and in no sibling's file."""
    own = replace(NODES[0], arguments=("--peers=10.0.0.1:1",), properties={"some.key": "own"}, log="debug")
    program = daemon("--peers={peers}", options=["-Dsome.key=all"])

    files = jvm.files(program, {"chain": 66}, [own, NODES[1]], [Path("/a.jar")], Path("/log"))

    assert [
        "argument.1=--peers=127.0.0.1:26766",
        "argument.2=--peers=10.0.0.1:1",
        "log.level=debug",
        "property.some.key=own",
    ] == lines(files["alice.properties"])[-4:]
    assert ["argument.1=--peers=127.0.0.1:26666", "property.some.key=all"] == lines(files["bob.properties"])[-2:]


@pytest.mark.parametrize("count", [1, 2, 3, 5, 10, 20, 33])
def test_nodes_of_a_machine_reach_each_other_over_few_peers(count: int) -> None:
    """Whatever one node tells reaches all, also when any other one is away, and nobody dials more than a few."""
    nodes = [replace(NODES[0], name=f"n{number}", index=number) for number in range(count)]
    made = jvm.files(daemon("{peers}"), {"chain": 66}, nodes, [Path("/a.jar")], Path("/log"))
    told = {n: made[f"n{n}.properties"].partition("argument.1=")[2].partition("\n")[0] for n in range(count)}
    ports = {n: {int(port) for port in re.findall(r"127\.0\.0\.1\\?:(\d+)", line)} for n, line in told.items()}
    dialled = {n: {(port - 26666) // 100 for port in those} for n, those in ports.items()}
    for away in range(count):
        rest = set(range(count)) - {away}
        reached = {min(rest, default=0)}
        for _ in range(max(1, count.bit_length()) + 1):
            reached |= {n for n in rest if dialled[n] & reached} | {d for n in reached for d in dialled[n]} & rest
        assert rest <= reached
    assert all(n not in those and len(those) <= count.bit_length() for n, those in dialled.items())
    assert count > 3 or all(len(those) == count - 1 for those in dialled.values())


def test_characters_with_a_meaning_in_properties_files_are_escaped() -> None:
    r"""Java reads back what was meant: =, :, #, !, blanks, \ and line ends in values and keys."""
    files = jvm.files(daemon("a=b:c #d!\\\n\te"), {}, NODES[:1], [Path("/a.jar")], Path("/log"))

    assert files["alice.properties"].splitlines()[-1] == r"argument.1=a\=b\:c\ \#d\!\\\n\te"


def test_an_unknown_placeholder_is_refused_with_the_known_ones() -> None:
    """A typing error in a network file is found before anything starts."""
    with pytest.raises(InputError, match=r"\{port_rpc\} means nothing; known are \{name\}, .*\{port_ledger\}"):
        jvm.files(daemon("--port={port_rpc}"), {"ledger": 65}, NODES, [Path("/a.jar")], Path("/log"))


def test_the_daml_network_starts_as_its_file_says() -> None:
    """The network that ships has a file that is valid, and fills every placeholder."""
    network = load("daml")

    files = jvm.files(network.daemon, network.ports, NODES, [Path("/a.jar")], Path("/log"))

    assert "{" not in "".join(files.values())


def test_the_service_starts_java_with_the_same_words() -> None:
    """What tests and benchmarks measure is what a machine runs: flags and environment are the unit's."""
    unit = UNIT.read_text().replace("\\\n", "")
    started = re.search(r"^ExecStart=/usr/bin/java (.*?) @/run", unit, re.MULTILINE)
    environment = re.search(r"^Environment=(.*)$", unit, re.MULTILINE)

    assert started is not None
    assert environment is not None
    assert (list(jvm.FLAGS), jvm.ENVIRONMENT) == (
        started[1].split(),
        dict(pair.split("=") for pair in environment[1].split()),
    )
