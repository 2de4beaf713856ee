"""Nodes in one JVM: what one of them does, its siblings do not notice."""

from __future__ import annotations

import re
import signal
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from threading import Event, Thread

import pytest

from goldnode.errors import UsageError
from goldnode.node.__main__ import main
from goldnode.run import run
from tests.integration.jvm.hosting import Hosted, ask, free_port, hosting, until

#: Classes of which each life makes one.
COUNTED = (
    "goldnode.jvm.NodeLoader",
    "goldnode.jvm.Life",
    "goldnode.jvm.NodeGroup",
    "java.sql.DriverInfo",
    "sample.SampleProvider",
)
names = (f"n{number}" for number in count())


@contextmanager
def counting(port: int) -> Iterator[list[int]]:
    """Count on a node without pause while the block runs; what it answered."""
    over, answers = Event(), list[int]()

    def work() -> None:
        while not over.is_set():
            answers.append(int(ask(port, "count")))
            time.sleep(0.005)

    thread = Thread(target=work)
    thread.start()
    try:
        yield answers
    finally:
        over.set()
        thread.join()


@pytest.mark.parametrize(
    ("action", "reason"),
    [
        ("exit 3", "exit code 3"),
        ("exit 0", "exit code 0"),
        ("halt 4", "exit code 4"),
        ("error", "uncaught java.lang.AssertionError: as told in thread failing"),
    ],
)
def test_the_end_of_one_node_is_its_own(anywhere: Hosted, action: str, reason: str) -> None:
    """A node that exits, halts or fails is ended and started again, and its siblings count on."""
    sibling, name = anywhere.sample(next(names)), next(names)
    port = anywhere.sample(name)
    first = int(ask(sibling, "count"))

    with counting(sibling) as answers:
        ask(port, action)
        until(lambda: anywhere.status(name).restarts == 1 and anywhere.status(name).ready, "a second life")

    assert list(range(first + 1, first + 1 + len(answers))) == answers
    ended = f"goldnode: {name} ended ({reason}), starts again in 0 s"

    assert [ended] == re.findall(f"^goldnode: {name} .*", (anywhere.folder / "host.log").read_text(), re.MULTILINE)


def test_an_exception_ends_a_thread_and_not_the_node(host: Hosted) -> None:
    """What a JVM of its own would survive, a hosted node survives."""
    name = next(names)
    port = host.sample(name)

    ask(port, "exception")
    until(lambda: "NumberFormatException" in host.log(name).read_text(), "a trace in the log")

    assert ("running", "1") == (host.status(name).state, ask(port, "count"))


def test_a_stop_that_blocks_is_bounded_and_reported(host: Hosted) -> None:
    """A node that does not stop is called stuck, is not started beside itself, and hinders nobody."""
    sibling, name = host.sample(next(names)), next(names)
    port = host.sample(name)
    ask(port, "linger")

    with counting(sibling) as answers, pytest.raises(UsageError, match=f"{name} is stuck .*1 threads left: lingering"):
        host.control.act("restart", name)
    with pytest.raises(UsageError, match=r"restart goldnode-jvm\.service"):
        host.control.act("start", name)

    assert ("stuck", True) == (host.status(name).state, len(answers) > 20)


def test_a_hook_that_blocks_is_named(host: Hosted) -> None:
    """A shutdown hook has the node's stop time and no more."""
    name = next(names)
    ask(host.sample(name), "block")

    with pytest.raises(UsageError, match="did not end within 1 s"):
        host.control.act("stop", name)


def test_a_port_conflict_leaves_the_first_one_serving(host: Hosted) -> None:
    """A node whose port is taken ends with the reason, again and again, and the holder serves on."""
    holder, name = host.sample(next(names)), next(names)

    host.add(name, {"main": "sample.Sample", "argument.1": holder, "stop.seconds": 1, "restart.seconds": 1})
    until(lambda: host.status(name).state == "waiting", "the end of the second")
    status = host.status(name)
    host.control.act("remove", name)

    assert ("uncaught java.net.BindException: Address already in use", "1") == (
        status.reason.split(" (")[0],
        ask(holder, "count"),
    )


def test_a_crash_loop_stays_with_its_node(host: Hosted) -> None:
    """Twenty crashes of one node cost its sibling not one of 400 answers."""
    sibling, name = host.sample(next(names)), next(names)
    arguments = {"argument.1": free_port(), "argument.2": "exit 1"}

    host.add(name, {"main": "sample.Sample", **arguments, "stop.seconds": 1, "restart.seconds": 0})
    answers = [int(ask(sibling, "count")) for _ in range(400)]
    until(lambda: host.status(name).restarts >= 20, "twenty cycles", seconds=60)
    answers += [int(ask(sibling, "count"))]
    host.control.act("remove", name)

    assert list(range(1, 402)) == answers


def test_a_restarted_node_begins_anew(host: Hosted) -> None:
    """Static state does not outlive a restart, and the port is free again."""
    name = next(names)
    port = host.sample(name)
    before = [ask(port, "count"), ask(port, "count")]

    host.control.act("restart", name)
    until(lambda: host.status(name).ready, "a second life")

    assert (["1", "2"], "1") == (before, ask(port, "count"))


def test_every_node_sees_properties_of_its_own(host: Hosted) -> None:
    """Two nodes read the same property and get each its own value."""
    ports = [host.sample(next(names), property_node_name=word) for word in ("first", "second")]

    assert ["first", "second"] == [ask(port, "property node.name") for port in ports]


def test_every_node_has_its_own_home(host: Hosted) -> None:
    """The working and the temporary directory that a node reads are below its home."""
    name = next(names)
    port = host.sample(name)
    home = host.folder / name

    assert [str(home), str(home / "tmp")] == [ask(port, f"property {key}") for key in ("user.dir", "java.io.tmpdir")]


def test_what_a_node_prints_is_in_its_own_log(host: Hosted) -> None:
    """Output of a node, and traces that the JDK prints for it, stand in its log and in no other."""
    name, other = next(names), next(names)
    port = host.sample(name)
    host.sample(other)

    ask(port, "trace mine")

    assert ("java.lang.IllegalStateException: a trace of mine" in host.log(name).read_text(), False) == (
        True,
        "mine" in host.log(other).read_text(),
    )


def test_every_node_has_a_common_pool_of_its_own(host: Hosted) -> None:
    """What a node gives to the common pool runs on threads that end with the node."""
    assert ask(host.sample(name := next(names)), "pool") == name


def test_an_adapter_starts_and_stops_a_node(host: Hosted) -> None:
    """A node without a main is started by its adapter, and closed when it stops."""
    name, port = next(names), free_port()
    entries = {"adapter": "sample.SampleAdapter", "argument.1": port, "ready.port": port, "stop.seconds": 2}

    host.add(name, entries)
    until(lambda: host.status(name).ready, "ready")
    host.control.act("stop", name)

    assert (name, name) == tuple((host.folder / name / word).read_text() for word in ("started", "stopped"))


def test_nothing_is_left_behind_after_fifty_restarts(jar: Path, sample: Path, tmp_path: Path) -> None:
    """No loader, thread, driver, bean or port stays of a node that cleans up nothing itself."""
    with hosting(jar, tmp_path, [sample]) as hosted:
        port = hosted.sample("leaky", "leak", property_node_name="leaky")
        begun = hosted.control.figures(settled=True)
        for _ in range(50):
            hosted.control.act("restart", "leaky")
            until(lambda: hosted.status("leaky").ready, "the next life")
        ended = hosted.control.figures(settled=True)
        histogram = run(["jcmd", str(hosted.process.pid), "GC.class_histogram"]).stdout
        hosted.control.act("stop", "leaky")
        stopped = hosted.control.figures(settled=True)

    left = {name: instances(histogram, name) for name in COUNTED}

    assert (1, 1, 0) == (begun["node_loaders"], ended["node_loaders"], stopped["node_loaders"])
    assert ended["threads"] <= begun["threads"] + 2  # workers of the control socket come and go
    assert dict.fromkeys(COUNTED, 1) == left
    with pytest.raises(ConnectionRefusedError):
        ask(port, "count")


def instances(histogram: str, name: str) -> int:
    """How many objects of a class are alive."""
    found = re.search(rf"^\s*\d+:\s+(\d+)\s+\d+\s+{re.escape(name)}( |$)", histogram, re.MULTILINE)
    return int(found[1]) if found else 0


def test_metrics_name_every_node(host: Hosted) -> None:
    """One endpoint has the JVM's memory and threads, and state, readiness and restarts per node."""
    name = next(names)
    host.sample(name)

    status, text = host.get("/metrics")

    assert status == 200
    assert {"goldnode_jvm_heap_bytes", "goldnode_jvm_metaspace_bytes", "goldnode_jvm_threads"} <= {
        line.split()[0] for line in text.splitlines()
    }
    assert {
        f'goldnode_jvm_node_state{{node="{name}",state="running"}} 1',
        f'goldnode_jvm_node_ready{{node="{name}"}} 1',
        f'goldnode_jvm_node_restarts_total{{node="{name}"}} 0',
    } <= set(text.splitlines())


def test_the_command_line_acts_on_one_node(
    jar: Path, sample: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`goldnode jvm` restarts one node and shows all of them; its exit code says whether all are ready."""
    folder = tmp_path / "run" / "goldnode" / "jvm"
    folder.mkdir(parents=True)
    with hosting(jar, folder, [sample]) as hosted:
        hosted.sample("alice")
        codes = [
            main(["--root", str(tmp_path), "jvm", *words]) for words in (["status"], ["stop", "alice"], ["status"])
        ]
        shown = capsys.readouterr().out

    assert [0, 0, 1] == codes
    assert re.search(
        r"alice: running, ready, 0 restarts, \d+ threads, CPU \d+ s, allocated \d+ MiB\nJVM: heap \d+ MiB", shown
    )
    assert "alice stopped\nalice: stopped, not ready, 0 restarts, 0 threads: stopped by command\n" in shown


def test_a_command_without_a_node_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    """`goldnode jvm stop` alone stops nothing."""
    assert (2, True) == (main(["jvm", "stop"]), "name the node to stop" in capsys.readouterr().err)


def test_readiness_is_told_per_node(host: Hosted) -> None:
    """A ready node answers 200, one that is stopped 503, one that does not exist 404."""
    ready, stopped = next(names), next(names)
    host.sample(ready)
    host.sample(stopped)

    host.control.act("stop", stopped)

    assert [200, 503, 404] == [host.get(f"/ready/{name}")[0] for name in (ready, stopped, "nobody")]


def test_a_node_can_be_taken_away(host: Hosted) -> None:
    """A removed node is gone from the list, and its name can be used again."""
    name = next(names)
    port = host.sample(name)

    said = host.control.act("remove", name)
    known = host.control.ask("list")["names"]
    host.sample(name, port=port)

    assert (f"{name} removed", False) == (said, name in known)


def test_a_wrong_file_says_all_that_is_wrong(host: Hosted) -> None:
    """A node with a faulty file is refused with every fault of it."""
    name = next(names)

    with pytest.raises(UsageError, match=r"exactly one of main and adapter.*ready\.port: soon is no number"):
        host.add(name, {"ready.port": "soon"})


def test_an_unknown_command_is_answered_with_the_known_ones(host: Hosted) -> None:
    """A typing error costs nothing."""
    with pytest.raises(
        UsageError, match="list, status, measure, or start, stop, restart, add, remove, threads and a name, or log"
    ):
        host.control.ask("reboot")


def test_sigterm_stops_every_node_in_order(jar: Path, sample: Path, tmp_path: Path) -> None:
    """The service's end is the orderly end of every node, and the socket goes last."""
    with hosting(jar, tmp_path, [sample]) as hosted:
        for name in ("one", "two"):
            hosted.add(name, {"adapter": "sample.SampleAdapter", "argument.1": free_port()})
            until(lambda name=name: hosted.status(name).ready, "ready")  # type: ignore[misc]  # bound at once
        hosted.process.send_signal(signal.SIGTERM)
        code = hosted.process.wait(30)

    assert (128 + signal.SIGTERM, ["one", "two"], False) == (
        code,
        [(tmp_path / name / "stopped").read_text() for name in ("one", "two")],
        (tmp_path / "control.sock").exists(),
    )


def test_one_new_jar_is_the_update_of_every_node(jar: Path, sample: Path, tmp_path: Path) -> None:
    """All nodes share the jars of the image, so the next start has every one of them on the new release."""
    library, ports, answers = tmp_path / "release.jar", list[int](), []
    for release in ("1", "2"):
        with zipfile.ZipFile(library, "w") as archive:
            archive.writestr("release.txt", release)
        with hosting(jar, tmp_path, [sample, library]) as hosted:
            ports = ports or [hosted.sample(name) for name in ("alice", "bob", "carol")]
            until(lambda hosted=hosted: all(node.ready for node in hosted.control.status()), "all ready")  # type: ignore[misc]
            answers.append([ask(port, "release") for port in ports])

    assert [["1"] * 3, ["2"] * 3] == answers


def test_a_killed_host_starts_again_with_its_nodes(jar: Path, sample: Path, tmp_path: Path) -> None:
    """A socket left by a JVM that was killed is no obstacle, and every node comes back by itself."""
    with hosting(jar, tmp_path, [sample]) as killed:
        port = killed.sample("alice")
        killed.process.kill()
        killed.process.wait()
    with hosting(jar, tmp_path, [sample]) as hosted:
        until(lambda: hosted.status("alice").ready, "alice")

        assert ask(port, "count") == "1"
