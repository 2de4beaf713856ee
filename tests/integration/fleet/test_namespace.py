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
from goldnode.fleet.namespace import Ground
from goldnode.run import CommandError
from tests.support.waiting import until

SLEEP = ["sleep", "600"]


@pytest.fixture
def ground(tmp_path: Path) -> Iterator[Ground]:
    """Namespaces that stand."""
    made = Ground(tmp_path / "fleet")
    made.make()
    yield made
    made.end()


def living(ground: Ground) -> list[str]:
    """Processes of this machine that run in that folder."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and (entry / "cwd").readlink().is_relative_to(ground.folder.resolve()):
                found.append(entry.name)
        except OSError:
            continue
    return found


def test_nothing_reaches_the_machine_s_own_network(ground: Ground) -> None:
    """Inside there is loopback and nothing else."""
    links = ground.run(["ip", "-br", "link"]).stdout.splitlines()

    assert ["lo"] == [line.split()[0] for line in links]


def test_programs_outlive_whoever_started_them(ground: Ground) -> None:
    """What another process started is found, and can be stopped, by a later one."""
    script = (
        "from pathlib import Path\nfrom goldnode.fleet.namespace import Ground\n"
        f"ground = Ground(Path({str(ground.folder)!r}))\n"
        f"ground.start('sleeper', {SLEEP}, cwd=ground.folder, log=ground.folder / 'log')"
    )
    subprocess.run([sys.executable, "-c", script], check=True, cwd=Path(__file__).parents[3])

    assert {"sleeper": None} == ground.programs()
    ground.stop("sleeper")
    assert {} == ground.programs()


def test_one_name_is_one_program(ground: Ground) -> None:
    """A second program of the same name is refused while the first runs."""
    ground.start("sleeper", SLEEP, cwd=ground.folder, log=ground.folder / "log")

    with pytest.raises(HostError, match="runs already"):
        ground.start("sleeper", SLEEP, cwd=ground.folder, log=ground.folder / "log")


def test_the_end_leaves_nothing(ground: Ground) -> None:
    """Every process dies with the namespace, also those that a program started and left; twice changes nothing."""
    ground.start("parent", ["sh", "-c", "sleep 601 & sleep 602"], cwd=ground.folder, log=ground.folder / "log")
    assert until(lambda: len(living(ground)) >= 4)

    ground.end()
    ground.end()

    assert until(lambda: not living(ground))
    assert not ground.stands()


def test_a_deleted_folder_ends_it(ground: Ground) -> None:
    """Whoever deletes a fleet's folder ends the fleet."""
    ground.start("sleeper", SLEEP, cwd=Path("/"), log=ground.folder / "log")
    pid = ground.pid()
    shutil.rmtree(ground.folder)

    assert until(lambda: not Path(f"/proc/{pid}").exists(), namespace_init.LOOK * 5)


def test_a_killed_first_process_takes_all_with_it(ground: Ground) -> None:
    """No part of a fleet outlives its first process, however that one ends."""
    ground.start("sleeper", SLEEP, cwd=ground.folder, log=ground.folder / "log")
    os.kill(ground.pid(), signal.SIGKILL)

    assert until(lambda: not living(ground))


def test_a_dead_fleet_is_said(tmp_path: Path) -> None:
    """Asking what does not stand is an error with the command to type; ending it is none."""
    ground = Ground(tmp_path)
    ground.end()

    with pytest.raises(HostError, match="no fleet runs"):
        ground.programs()


def test_a_failing_command_is_told_with_what_it_said(ground: Ground) -> None:
    """Exit code and complaint come out of the namespace; what takes too long is ended."""
    with pytest.raises(CommandError, match="does not exist"):
        ground.run(["ip", "link", "show", "dev", "nothing"])
    with pytest.raises(HostError, match="no end after"):
        ground.run(SLEEP, timeout=0.2)
    with pytest.raises(HostError, match="FileNotFoundError"):
        ground.run(["no-such-program"])


def test_a_long_path_is_no_obstacle(tmp_path: Path) -> None:
    """A unix socket's name has 107 bytes; a folder's may have more."""
    ground = Ground(tmp_path / ("long" * 20) / ("longer" * 20))
    ground.make()
    try:
        assert ground.stands()
    finally:
        ground.end()
