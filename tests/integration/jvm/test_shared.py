"""What a JVM has once for all its programs: each node uses it as if it were alone, and takes nothing from a sibling."""

from __future__ import annotations

import time
from itertools import count
from pathlib import Path

import pytest

from goldnode.errors import UsageError
from tests.integration.jvm.hosting import Hosted, ask, until

names = (f"s{number}" for number in count())


def beats(file: Path) -> bool:
    """Whether a node's work still writes to the file."""
    before = file.stat().st_size
    time.sleep(0.3)
    return before < file.stat().st_size


def modern(host: Hosted) -> None:
    """Leave out what an older Java does not have."""
    if "java-17" in str(host.java):
        # Debian 12's, which builds and tests here; images have Debian 13's 21, where this runs.
        pytest.skip("Java 17 has no virtual threads")


@pytest.mark.parametrize("work", ["virtual", "async", "pool"])
def test_work_ends_with_its_node_wherever_it_runs(anywhere: Hosted, tmp_path: Path, work: str) -> None:
    """Work outside of the node's own threads has ended when `stop` says stopped."""
    name, file = next(names), tmp_path / "beat"
    if work == "virtual":
        modern(anywhere)
    port = anywhere.sample(name)

    ask(port, f"guest {work} {file}")
    until(file.exists, "the work")
    said = anywhere.control.act("stop", name)

    assert (f"{name} stopped", False) == (said, beats(file))


@pytest.mark.parametrize("work", ["stubborn-virtual", "stubborn-async", "stubborn-fork"])
def test_work_that_does_not_end_makes_its_node_stuck(anywhere: Hosted, tmp_path: Path, work: str) -> None:
    """Work that ignores its interruption is named, wherever it runs, and no second life is started beside it."""
    name, file = next(names), tmp_path / "beat"
    if work == "stubborn-virtual":
        modern(anywhere)
    sibling, port = anywhere.sample(next(names)), anywhere.sample(name)

    ask(port, f"guest {work} {file}")
    until(file.exists, "the work")
    with pytest.raises(UsageError, match=f"{name} is stuck .*1 threads left: "):
        anywhere.control.act("restart", name)
    running = beats(file)
    file.parent.joinpath("gone").mkdir()
    file.rename(file.parent / "gone" / "beat")
    file.mkdir()  # ends the work, and with it the thread

    assert ("stuck", True, "1") == (anywhere.status(name).state, running, ask(sibling, "count"))


def test_work_that_waits_is_given_up_with_its_node(anywhere: Hosted, tmp_path: Path) -> None:
    """What a node put off until later does not begin after its end."""
    name, file = next(names), tmp_path / "beat"
    port = anywhere.sample(name)

    ask(port, f"guest later {file}")
    anywhere.control.act("stop", name)
    time.sleep(1.5)

    assert not file.exists()


@pytest.mark.parametrize(("use", "result"), [("timeout", "TimeoutException"), ("file", "3 bytes"), ("context", "true")])
def test_the_first_users_end_breaks_nothing(anywhere: Hosted, tmp_path: Path, use: str, result: str) -> None:
    """A thread of the JDK's that one node was the first to need serves its siblings after that node's stop."""
    first, second = anywhere.sample(name := next(names)), anywhere.sample(next(names))

    before = ask(first, f"guest {use} {tmp_path / 'file'}")
    anywhere.control.act("stop", name)

    assert (result, result) == (before, ask(second, f"guest {use} {tmp_path / 'file'}"))


@pytest.mark.parametrize("way", ["reflected-exit", "plugin-exit", "alien-exit"])
def test_no_way_of_exiting_ends_a_sibling(anywhere: Hosted, way: str) -> None:
    """An exit by reflection, or from a class loader of the program's own, ends the node and not the JVM."""
    name = next(names)
    sibling, port = anywhere.sample(next(names)), anywhere.sample(name)

    ask(port, f"guest {way}")
    until(lambda: anywhere.status(name).restarts == 1, "a second life")

    assert "1" == ask(sibling, "count")
    assert f"{name} ended (exit code 7)" in (anywhere.folder / "host.log").read_text()


def test_a_plugin_sees_its_nodes_properties(anywhere: Hosted) -> None:
    """Classes of a program's own class loaders see what the program sees."""
    port = anywhere.sample(next(names), property_node_name="mine")

    assert ask(port, "guest plugin-property") == "mine"


@pytest.mark.parametrize(
    ("use", "result"),
    [("provider", "true"), ("bean", "sample.Guest"), ("context", "true"), ("native", "loaded"), ("log", "1 handlers")],
)
def test_both_nodes_have_what_a_jvm_has_once(anywhere: Hosted, use: str, result: str) -> None:
    """Two nodes register the same name, load the same library or change the same list, and each has its own."""
    ports = [anywhere.sample(next(names)) for _ in range(2)]

    answers = [ask(port, f"guest {use}") for port in ports]

    assert all(result in answer for answer in answers), answers


def test_a_provider_stays_when_its_sibling_stops(anywhere: Hosted) -> None:
    """A security provider is its node's alone: it stays when a sibling with the same one stops, and ends with it."""
    first, second = anywhere.sample(name := next(names)), anywhere.sample(next(names))
    for port in (first, second):
        ask(port, "guest provider")

    anywhere.control.act("restart", name)
    until(lambda: anywhere.status(name).ready, "a second life")

    assert ("true", "false") == (ask(first, "guest no-provider"), ask(second, "guest no-provider"))


def test_every_node_has_its_own_schemes_of_urls(anywhere: Hosted) -> None:
    """Each node sets its own factory of URL handlers, and the same scheme leads to each node's own."""
    ports = [anywhere.sample(next(names), property_node_name=word) for word in ("one", "two")]

    answers = [ask(port, f"guest {use}") for use in ("scheme", "scheme-again") for port in ports]

    assert ["one", "two", "one", "two"] == answers


def test_a_log_line_stands_in_its_nodes_log_alone(anywhere: Hosted) -> None:
    """Handlers and lines of java.util.logging are each node's own."""
    ports = {name: anywhere.sample(name) for name in (next(names), next(names))}

    for name, port in ports.items():
        ask(port, f"guest log {name}")
    text = {name: anywhere.log(name).read_text() for name in ports}

    assert {name: {name} for name in ports} == {
        name: {word for word in ports if f"a line of {word}\n" in text[name]} for name in ports
    }


def test_temporary_files_are_made_in_the_nodes_own_folder(anywhere: Hosted) -> None:
    """However a temporary file is asked for, it lies where the node's next start takes it away."""
    port = anywhere.sample(name := next(names))

    assert {str(anywhere.folder / name / "tmp")} == set(ask(port, "guest temporary").split())
