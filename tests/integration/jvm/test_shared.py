"""What a JVM has once for all its programs: each node uses it as if it were alone, and takes nothing from a sibling."""

from __future__ import annotations

import re
import socket
import time
from itertools import count
from pathlib import Path

import pytest

from goldnode.config.jvm_options import JvmSettings
from goldnode.errors import UsageError
from tests.integration.jvm.hosting import JAVAS, Hosted, ask, free_port, hosting, until

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


@pytest.mark.parametrize("work", ["virtual", "virtual-executor", "async", "pool"])
def test_work_ends_with_its_node_wherever_it_runs(anywhere: Hosted, tmp_path: Path, work: str) -> None:
    """Work outside of the node's own threads has ended when `stop` says stopped."""
    name, file = next(names), tmp_path / "beat"
    if work.startswith("virtual"):
        modern(anywhere)
    port = anywhere.sample(name)

    ask(port, f"guest {work} {file}")
    until(file.exists, "the work")
    said = anywhere.control.act("stop", name)

    assert (f"{name} stopped", False) == (said, beats(file))


DEAF = ("semaphore", "queue", "sleep", "spin", "park", "wait", "accept", "read", "select")


def test_threads_that_take_no_interrupt_end_with_their_node(anywhere: Hosted) -> None:
    """However a library's thread ignores the end, its node starts again, and neither classes nor a sibling suffer."""
    sibling, port = anywhere.sample(next(names)), anywhere.sample(name := next(names))

    for way in DEAF:
        ask(port, f"guest deaf {way}")
    said = anywhere.control.act("restart", name)
    until(lambda: anywhere.status(name).ready, "the next life")
    until(
        lambda: anywhere.control.figures(settled=True)["node_loaders"] <= len(anywhere.control.status()), "no classes"
    )

    assert (f"{name} starts again", "1", "1") == (said, ask(port, "count"), ask(sibling, "count"))


@pytest.mark.parametrize(
    "unwilling", ["ignoring-pool", "failing-pool", "blocking-pool", "virtual-pool", "failing-thread"]
)
def test_a_node_ends_whatever_its_own_classes_make_of_the_end(anywhere: Hosted, unwilling: str) -> None:
    """A pool or a thread of the node's own kind, told to end, neither fails the command nor keeps the node."""
    name = next(names)
    if unwilling.startswith("virtual"):
        modern(anywhere)
    sibling, port = anywhere.sample(next(names)), anywhere.sample(name)

    asked = ask(port, f"guest {unwilling}")
    said = anywhere.control.act("restart", name)
    until(lambda: anywhere.status(name).ready, "the next life")

    assert f"{name} starts again" == said
    assert ("1", "1") == (ask(port, "count"), ask(sibling, "count")), asked


def test_a_thread_that_opens_selectors_anew_leaves_none(anywhere: Hosted) -> None:
    """Whoever takes a closed selector for a fault and opens another is not fed with closed ones."""

    def opened() -> int:
        return len(list(Path(f"/proc/{anywhere.process.pid}/fd").iterdir()))

    port = anywhere.sample(name := next(names))
    anywhere.control.act("restart", name)
    until(lambda: anywhere.status(name).ready, "the next life")
    before = opened()

    for _ in range(3):
        ask(port, "guest deaf reselect")
        ask(port, "guest deaf reselect")
        anywhere.control.act("restart", name)
        until(lambda: anywhere.status(name).ready, "the next life")

    assert opened() <= before + 3


def test_what_a_node_holds_is_free_for_its_next_life(anywhere: Hosted, tmp_path: Path) -> None:
    """A port and the lock of a file that a node took and never gave back are its own again after a crash."""
    port, words = anywhere.sample(name := next(names)), f"{free_port()},{tmp_path / 'lock'}"

    first = ask(port, f"guest take {words}")
    ask(port, "halt 137")
    until(lambda: anywhere.status(name).restarts == 1 and anywhere.status(name).ready, "a second life")

    assert ("true", "true") == (first, ask(port, f"guest take {words}"))
    assert (
        "goldnode: closed what the node left open: sun.nio.ch.ServerSocketChannelImpl" in anywhere.log(name).read_text()
    )


@pytest.mark.parametrize("work", ["stubborn-virtual", "stubborn-virtual-pool", "stubborn-async", "stubborn-fork"])
def test_work_that_does_not_end_makes_its_node_stuck(anywhere: Hosted, tmp_path: Path, work: str) -> None:
    """Work that catches whatever is thrown at it is named, and no second life is started beside it."""
    name, file = next(names), tmp_path / "beat"
    if work.startswith("stubborn-virtual"):
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


def test_one_allocation_that_is_too_large_is_its_nodes_error(anywhere: Hosted) -> None:
    """A node that asks for more than an array can hold is told so, and the JVM goes on with all nodes."""
    sibling, port = anywhere.sample(next(names)), anywhere.sample(next(names))

    assert "java.lang.OutOfMemoryError" in ask(port, "guest huge")
    assert ("1", "1") == (ask(port, "count"), ask(sibling, "count"))


@pytest.mark.parametrize("java", JAVAS, ids=lambda java: java.parent.parent.name)
def test_a_heap_that_is_spent_ends_the_jvm_and_names_the_node(
    java: Path, jar: Path, sample: Path, tmp_path: Path
) -> None:
    """When nothing fits any more the JVM ends, says which node allocated most, and leaves a heap dump."""
    with hosting(jar, tmp_path, [sample], java=java, settings=JvmSettings(heap="64m")) as hosted:
        hosted.sample("calm")
        port = hosted.sample("greedy")
        with socket.create_connection(("127.0.0.1", port), 10) as connection:
            connection.sendall(b"guest spend\n")
            code = hosted.process.wait(60)

    said = (tmp_path / "host.log").read_text()

    assert (3, True) == (code, (tmp_path / "heap.hprof").stat().st_size > 32 << 20)
    assert re.search(r"the heap is spent: nothing fits into its 6\d MiB .*: greedy \d\d+ MiB, calm \d MiB\.", said)
    assert f"the heap is spent: what filled it is in {tmp_path / 'heap.hprof'}, which holds keys" in said


def test_a_node_with_every_file_open_can_be_stopped(jar: Path, sample: Path, tmp_path: Path) -> None:
    """Where one node took all files that the JVM may open, commands are still answered, and end it."""
    with hosting(jar, tmp_path, [sample], open_files=400) as host:
        sibling, port = host.sample("quiet"), host.sample("greedy")

        full = ask(port, "guest files")
        states = {status.name: status.state for status in host.control.status()}
        said = [host.control.act("stop", "greedy")]
        host.control.figures(settled=True)  # its classes go, and with them what it had open
        said.append(host.control.act("start", "greedy"))
        until(lambda: host.status("greedy").ready, "the next life")

        assert "Too many open files" in full
        assert {"quiet": "running", "greedy": "running"} == states
        assert ["greedy stopped", "greedy starts"] == said
        assert ("1", "1") == (ask(sibling, "count"), ask(port, "count"))


def test_a_node_whose_file_cannot_be_read_starts_when_it_can(anywhere: Hosted) -> None:
    """What keeps a node that ended from starting again is told as its reason, and tried again."""
    port = anywhere.sample(name := next(names))
    file = anywhere.folder / "nodes" / f"{name}.properties"
    text = file.read_text()

    file.write_text(text + "nothing=known\n")
    ask(port, "halt 137")
    until(lambda: "nothing" in anywhere.status(name).reason, "the reason")
    waiting = anywhere.status(name).state
    file.write_text(text)
    until(lambda: anywhere.status(name).ready, "a second life", 90)

    assert ("waiting", "1") == (waiting, ask(port, "count"))


def test_each_node_that_a_program_hosts_by_itself_is_asked(anywhere: Hosted) -> None:
    """A program with several nodes of its own is ready when all are, and each is told of by its own port."""
    other, name = free_port(), next(names)
    anywhere.write(name, {"main": "sample.Sample", "argument.1": (port := free_port()), "stop.seconds": 1,
                          "inside.alice": port, "inside.bob": other})  # fmt: skip

    anywhere.control.act("add", name)
    until(lambda: anywhere.status(name).inside["alice"], "alice")

    assert ({"alice": True, "bob": False}, False) == (anywhere.status(name).inside, anywhere.status(name).ready)


def test_a_node_tells_of_its_own_use(anywhere: Hosted) -> None:
    """CPU time and allocation are counted for the node that used them, and a thread dump names it in every line."""
    busy, calm = next(names), next(names)
    port = anywhere.sample(busy)
    anywhere.sample(calm)

    ask(port, "guest allocate 256")
    until(lambda: anywhere.status(busy).allocated > 256 << 20, "what it allocated")
    dump = anywhere.control.act("threads", busy)
    heads = [line for line in dump.splitlines() if line.startswith('"')]

    assert anywhere.status(calm).allocated < 64 << 20
    assert anywhere.status(busy).cpu_millis > 0
    assert {f"node={busy}"} == {re.sub(r'".*" (node=\S+) .*', r"\1", head) for head in heads}
    assert f'"{busy}-watch"' in dump
    assert f'goldnode_jvm_node_allocated_bytes_total{{node="{busy}"}}' in anywhere.get("/metrics")[1]


def test_a_node_logs_as_much_as_it_is_told_to(anywhere: Hosted) -> None:
    """A level from its file, and another one while it runs, hold for the node alone."""
    loud, calm = next(names), next(names)
    ports = [anywhere.sample(loud, log_level="debug"), anywhere.sample(calm)]

    for port in ports:
        ask(port, "guest log-fine one")
    anywhere.control.act("log", f"{loud} error")
    ask(ports[0], "guest log-fine two")
    with pytest.raises(UsageError, match='"noisy" is no log level: error, warn, info, debug, trace'):
        anywhere.control.act("log", f"{loud} noisy")
    text = anywhere.log(loud).read_text()

    assert ("one" in text, "two" in text, "one" in anywhere.log(calm).read_text()) == (True, False, False)


def test_a_node_that_says_so_is_not_ready(anywhere: Hosted) -> None:
    """A node that accepts connections and tells that it has no chain yet is not ready, until it tells otherwise."""
    port = anywhere.sample(name := next(names))

    ask(port, "guest chain false")
    until(lambda: not anywhere.status(name).ready, "not ready")
    ask(port, "guest chain true")
    until(lambda: anywhere.status(name).ready, "ready again")
    until(lambda: anywhere.status(name).peers == 2, "its peers told")
    status = anywhere.status(name)

    assert (7, "ab") == (status.height, status.head)
    assert f'goldnode_jvm_node_height{{node="{name}"}} 7\n' in anywhere.get("/metrics")[1]


def test_a_node_that_dials_a_silent_peer_still_tells_its_height(anywhere: Hosted) -> None:
    """Whatever holds its answer about peers up, height and head are told; and it can be stopped."""
    port = anywhere.sample(name := next(names))

    ask(port, "guest chain-dials")
    until(lambda: anywhere.status(name).height == 8, "its height told")
    asked = anywhere.status(name)
    anywhere.control.act("stop", name)

    assert (8, "cd", -1) == (asked.height, asked.head, asked.peers)
    assert "stopped" == anywhere.status(name).state
