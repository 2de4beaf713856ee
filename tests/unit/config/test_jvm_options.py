"""Whose an option of a shared JVM is, and which ones the host refuses."""

from __future__ import annotations

import pytest

from goldnode.config import jvm_options, node_config
from goldnode.config.jvm_options import Collector, JvmSettings
from goldnode.errors import InputError

MACHINE = """\
version: 1
role: multi-node
jvm:
  heap: 2g
  collector: g1
  options: [-Xlog:gc, -Djavax.net.ssl.trustStore=/etc/ssl/own]
nodes:
- {name: alice, role: hosted, arguments: [--peers=a, --peers=a], properties: {app.mode: x, app.number: "3"}, log: debug}
- {name: bob, role: hosted}
"""


@pytest.mark.parametrize(
    ("option", "reason"),
    [
        ("-XX:+UseG1GC", "chooses a collector"),
        ("-XX:-UseSerialGC", "chooses a collector"),
        ("-Xmx2g", "sizes the heap"),
        ("-XX:MaxRAMPercentage=80", "sizes the heap"),
        ("-XX:+ExitOnOutOfMemoryError", "would end all nodes when one of them asks for too much at once"),
        ("-Xbootclasspath/a:/x.jar", "would change the JVM host itself"),
        ("-javaagent:/x.jar", "is no option that a JVM of several nodes can take"),
        ("-jar", "is no option that a JVM of several nodes can take"),
        ("-cp", "is no option that a JVM of several nodes can take"),
        ("@/etc/options", "is no option that a JVM of several nodes can take"),
        ("-Dno.value", "is no option that a JVM of several nodes can take"),
        ("-Da=b\n-jar", "is no option that a JVM of several nodes can take"),
        ("-Djava.util.logging.manager=x.Y", "sets java.util.logging.manager, which the JVM host sets itself"),
        ("-Duser.dir=/x", "sets user.dir, which the JVM host sets itself"),
    ],
)
def test_what_would_break_the_host_is_refused(option: str, reason: str) -> None:
    """An option that the host cannot keep its promises with is refused before anything starts."""
    refused = jvm_options.refusal(option)

    assert refused is not None
    assert reason == refused[0]


@pytest.mark.parametrize(
    "option",
    ["-Xss1m", "-XX:+UseStringDeduplication", "-Xlog:gc", "-Dx=", "--add-opens=a/b=ALL-UNNAMED", "-ea:org.x..."],
)
def test_other_options_are_taken(option: str) -> None:
    """What concerns the JVM and hurts no node is taken as it is."""
    assert jvm_options.refusal(option) is None


def test_what_the_jdk_reads_early_is_the_jvms() -> None:
    """A property that the JDK reads reaches it when the JVM starts; every other one is each node's own."""
    whole, own = jvm_options.split(("-Xss1m", "-Djavax.net.ssl.trustStore=/t", "-Dhttp.proxyHost=p", "-Dapp.mode=x",
                                    "-DsocksProxyHost=s", "-Djava.util.logging.config.file=/l"))  # fmt: skip

    assert ("-Xss1m", "-Djavax.net.ssl.trustStore=/t", "-Dhttp.proxyHost=p", "-DsocksProxyHost=s") == whole
    assert {"app.mode": "x", "java.util.logging.config.file": "/l"} == own


@pytest.mark.parametrize(
    ("settings", "flags"),
    [
        (JvmSettings(), ("-XX:+UseSerialGC", "-XX:MaxRAMPercentage=60")),
        (JvmSettings("4g", Collector.G1, ("-Xlog:gc",)), ("-XX:+UseG1GC", "-Xmx4g", "-Xlog:gc")),
        (JvmSettings("25%", Collector.Z), ("-XX:+UseZGC", "-XX:MaxRAMPercentage=25")),
        (JvmSettings("512m", Collector.PARALLEL), ("-XX:+UseParallelGC", "-Xmx512m")),
    ],
)
def test_heap_and_collector_are_flags(settings: JvmSettings, flags: tuple[str, ...]) -> None:
    """Exactly one collector and one size reach the JVM."""
    assert flags == settings.flags


def test_node_yaml_says_how_the_jvm_is_started() -> None:
    """A machine's heap, collector and options, and each node's words, properties and log level."""
    config = node_config.parse(MACHINE)
    alice, bob = config.nodes

    assert ("2g", Collector.G1, ("-Xlog:gc", "-Djavax.net.ssl.trustStore=/etc/ssl/own")) == (
        config.jvm.heap, config.jvm.collector, config.jvm.options)  # fmt: skip
    assert (("--peers=a", "--peers=a"), {"app.mode": "x", "app.number": "3"}, "debug") == (
        alice.arguments, alice.properties, alice.log)  # fmt: skip
    assert ((), {}, "") == (bob.arguments, bob.properties, bob.log)


@pytest.mark.parametrize(
    ("old", "new", "path", "reason"),
    [
        ("app.mode: x", "javax.net.ssl.trustStore: /t", "nodes.0.properties.javax.net.ssl.trustStore",
         "javax.net.ssl.trustStore is read by the JDK, once for all nodes"),
        ("app.mode: x", "user.dir: /t", "nodes.0.properties.user.dir", "user.dir is set by the JVM host"),
        ("-Xlog:gc", "-XX:+UseZGC", "jvm.options.0", "chooses a collector"),
        ("2g", "2x", "jvm.heap", "must be 512m, 4g or 60%"),
        ("collector: g1", "collector: cms", "jvm.collector", "must be one of g1, parallel, serial, z"),
        ("log: debug", "log: loud", "nodes.0.log", "must be one of debug, error, info, trace, warn"),
        ("role: hosted}", "role: sentry, join: gn1_aa, log: warn}", "nodes.1.log",
         "does not apply to a sentry: only a node of a JVM has it"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_said_with_its_line(old: str, new: str, path: str, reason: str) -> None:
    """A node's property that the JDK would read for all, and every other mistake, is a fault of the file."""
    with pytest.raises(InputError) as refused:
        node_config.parse(MACHINE.replace(old, new))

    assert (path, reason) in [
        (fault.path.replace("[", ".").replace("]", ""), fault.reason) for fault in refused.value.faults
    ]


def test_daemons_have_no_jvm() -> None:
    """A machine without a JVM is told that jvm: means nothing."""
    text = "version: 1\nrole: sentry\nname: s\njoin: gn1_aa\nrendezvous: [http://a:1]\njvm: {heap: 2g}\n"

    with pytest.raises(InputError, match="1 fault"):
        node_config.parse(text)
