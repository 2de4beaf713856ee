"""The guard around programs that start others: nothing of them survives, and the exit code is the program's own."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from goldnode.vm import guard
from tests.support.waiting import alive, gone

#: Starts something that would outlive it, in a session of its own, tells its pid, and goes on as told.
LEAVES_ONE_BEHIND = "setsid sleep 600 & echo $!"


def start(script: str, first: str = ":", *, start_new_session: bool = False) -> tuple[subprocess.Popen[str], int]:
    """Run a shell script under the guard; its first line is the pid of what outlives it."""
    process = subprocess.Popen(
        guard.command(["sh", "-c", f"{first}; {LEAVES_ONE_BEHIND}; {script}"]),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=start_new_session,
    )
    assert process.stdout is not None
    return process, int(process.stdout.readline())


@pytest.fixture(autouse=True)
def hangups() -> Iterator[None]:
    """The tests may themselves have been started by nohup."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


def parent(pid: int) -> int:
    """A process's parent."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


@pytest.mark.parametrize(("script", "code"), [("exit 0", 0), ("exit 3", 3), ("kill -KILL $$", 128 + 9)])
def test_exit_code(script: str, code: int) -> None:
    """The guard ends with the program's exit code, or 128 + signal, and takes along what the program left behind."""
    process, left = start(script)
    with process:
        process.wait(20)

    assert code == process.returncode
    assert not alive(left)


@pytest.mark.parametrize("how", ["SIGTERM", "SIGINT", "SIGHUP", "closed"])
def test_told_to_end(how: str) -> None:
    """A signal, or the end of whoever holds its standard input, ends the program and all below it."""
    process, left = start("exec sleep 600")
    with process:
        if how == "closed":
            assert process.stdin is not None
            process.stdin.close()
        else:
            process.send_signal(signal.Signals[how])
        process.wait(20)

    assert 128 + signal.SIGINT == process.returncode
    assert not alive(left)


@pytest.mark.parametrize("which", ["watch", "keeper"])
def test_the_guard_itself_is_killed(which: str) -> None:
    """Whichever of the guard's two processes is killed with SIGKILL, the other leaves nothing of the program."""
    process, left = start("exec sleep 600")
    with process:
        below = guard.descendants(process.pid)
        (keeper,) = (pid for pid in below if parent(pid) == process.pid)
        os.kill(process.pid if which == "watch" else keeper, signal.SIGKILL)
        code = process.wait(20)

    assert (-signal.SIGKILL if which == "watch" else 128 + signal.SIGKILL) == code
    assert left in below
    assert gone(below)


@pytest.mark.parametrize("name", ["SIGINT", "SIGHUP"])
def test_started_where_a_signal_is_ignored(name: str) -> None:
    """Started by a script's `&` or by nohup, the program below still ends when it is asked to."""
    ignored = signal.signal(signal.Signals[name], signal.SIG_IGN)
    try:
        process, left = start("exec sleep 600")
    finally:
        signal.signal(signal.Signals[name], ignored)
    with process:
        process.send_signal(signal.SIGTERM)
        process.wait(20)

    assert 128 + signal.SIGINT == process.returncode
    assert not alive(left)


def test_nohup_outlives_its_terminal() -> None:
    """A hang-up that whoever started us ignores is ignored by the guard, too."""
    ignored = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        process, left = start("exec sleep 600")
    finally:
        signal.signal(signal.SIGHUP, ignored)
    with process:
        process.send_signal(signal.SIGHUP)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.5)
        lived_on = alive(left)
        process.terminate()
        process.wait(20)

    assert lived_on


def test_the_guards_group_is_killed() -> None:
    """SIGKILL for the whole group the guard leads, as `run` sends it at last, leaves nothing either."""
    process, _ = start("exec sleep 600", start_new_session=True)
    with process:
        below = guard.descendants(process.pid)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(20)

    assert len(below) == 3  # keeper, program, and what the program left in a session of its own
    assert gone(below)


def test_a_program_that_does_not_listen() -> None:
    """A program that ignores the request to end is killed after a few seconds, with its children."""
    process, left = start("while :; do sleep 1; done", first="trap '' INT")
    started = time.monotonic()
    with process:
        process.terminate()
        process.wait(20)

    assert 128 + signal.SIGKILL == process.returncode
    assert guard.GRACE <= time.monotonic() - started < guard.GRACE + 5
    assert not alive(left)
