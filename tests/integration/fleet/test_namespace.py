"""Namespaces of a fleet: real ones, with real programs in them."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from goldnode.errors import HostError
from goldnode.fleet import namespace_init
from goldnode.fleet.namespace import Namespace
from goldnode.run import CommandError
from tests.support.waiting import until

SLEEP = ["sleep", "600"]


@pytest.fixture
def namespace(tmp_path: Path) -> Iterator[Namespace]:
    """Namespaces that stand."""
    made = Namespace(tmp_path / "fleet")
    made.make()
    yield made
    made.end()


def living(namespace: Namespace) -> list[str]:
    """Processes of this machine that run in that folder."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and (entry / "cwd").readlink().is_relative_to(namespace.folder.resolve()):
                found.append(entry.name)
        except OSError:
            continue
    return found


def test_nothing_reaches_the_machine_s_own_network(namespace: Namespace) -> None:
    """Inside there is loopback and nothing else."""
    links = namespace.run(["ip", "-br", "link"]).stdout.splitlines()

    assert ["lo"] == [line.split()[0] for line in links]


def test_programs_outlive_whoever_started_them(namespace: Namespace) -> None:
    """What another process started is found, and can be stopped, by a later one."""
    script = (
        "from pathlib import Path\nfrom goldnode.fleet.namespace import Namespace\n"
        f"namespace = Namespace(Path({str(namespace.folder)!r}))\n"
        f"namespace.start('sleeper', {SLEEP}, cwd=namespace.folder, log=namespace.folder / 'log')"
    )
    subprocess.run([sys.executable, "-c", script], check=True, cwd=Path(__file__).parents[3])

    assert {"sleeper": None} == namespace.programs()
    namespace.stop("sleeper")
    assert {} == namespace.programs()


def test_one_name_is_one_program(namespace: Namespace) -> None:
    """A second program of the same name is refused while the first runs."""
    namespace.start("sleeper", SLEEP, cwd=namespace.folder, log=namespace.folder / "log")

    with pytest.raises(HostError, match="runs already"):
        namespace.start("sleeper", SLEEP, cwd=namespace.folder, log=namespace.folder / "log")


def test_the_end_leaves_nothing(namespace: Namespace) -> None:
    """Every process dies with the namespace, also those that a program started and left; twice changes nothing."""
    namespace.start("parent", ["sh", "-c", "sleep 601 & sleep 602"], cwd=namespace.folder, log=namespace.folder / "log")
    assert until(lambda: len(living(namespace)) >= 4)

    namespace.end()
    namespace.end()

    assert until(lambda: not living(namespace))
    assert not namespace.stands()


def test_a_deleted_folder_ends_it(namespace: Namespace) -> None:
    """Whoever deletes a fleet's folder ends the fleet."""
    namespace.start("sleeper", SLEEP, cwd=Path("/"), log=namespace.folder / "log")
    pid = namespace.pid()
    shutil.rmtree(namespace.folder)

    assert until(lambda: not Path(f"/proc/{pid}").exists(), namespace_init.POLL * 5)


def test_a_killed_first_process_takes_all_with_it(namespace: Namespace) -> None:
    """No part of a fleet outlives its first process, however that one ends."""
    namespace.start("sleeper", SLEEP, cwd=namespace.folder, log=namespace.folder / "log")
    os.kill(namespace.pid(), signal.SIGKILL)

    assert until(lambda: not living(namespace))


def test_a_dead_fleet_is_said(tmp_path: Path) -> None:
    """Asking what does not stand is an error with the command to type; ending it is none."""
    namespace = Namespace(tmp_path)
    namespace.end()

    with pytest.raises(HostError, match="no fleet is running"):
        namespace.programs()


def test_a_failing_command_is_told_with_what_it_said(namespace: Namespace) -> None:
    """Exit code and complaint come out of the namespace; what takes too long is ended."""
    with pytest.raises(CommandError, match="does not exist"):
        namespace.run(["ip", "link", "show", "dev", "nothing"])
    with pytest.raises(HostError, match="no end after"):
        namespace.run(SLEEP, timeout=0.2)
    with pytest.raises(HostError, match="FileNotFoundError"):
        namespace.run(["no-such-program"])


def test_a_long_path_is_no_obstacle(tmp_path: Path) -> None:
    """A unix socket's name has 107 bytes; a folder's may have more."""
    namespace = Namespace(tmp_path / ("long" * 20) / ("longer" * 20))
    namespace.make()
    try:
        assert namespace.stands()
    finally:
        namespace.end()
