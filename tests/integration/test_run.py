"""Programs that we start: what they get, what is said when they fail, and that nothing of them is left."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from goldnode.errors import HostError
from goldnode.run import CommandError, detach, run, spawn
from tests.support.waiting import alive, gone, until


def test_a_program_gets_words_text_and_a_clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Words are passed as they are, text on standard input, and of our environment only what is named."""
    monkeypatch.setenv("SECRET_OF_OURS", "x")

    done = run(
        ["sh", "-c", 'cat; echo " $1 ${SECRET_OF_OURS-none} $LANG $MORE"', "sh", "a b"], stdin="in", env={"MORE": "m"}
    )

    assert (0, "in a b none C.UTF-8 m\n") == (done.returncode, done.stdout)


def test_a_failure_says_what_was_run_and_the_last_lines() -> None:
    """The error has the command line, the exit code and the end of what it complained of."""
    with pytest.raises(CommandError) as caught:
        run(["sh", "-c", "seq 20 >&2; exit 3"])

    assert caught.value.message.startswith("sh -c 'seq 20 >&2; exit 3' exited 3:\n11\n")
    assert 3 == caught.value.returncode


def test_a_program_that_is_killed_says_by_what() -> None:
    """A signal is named."""
    with pytest.raises(CommandError, match="was killed by SIGKILL"):
        run(["sh", "-c", "kill -KILL $$"])


def test_a_missing_program_is_said() -> None:
    """There is no traceback of the operating system's for a program that is not here."""
    with pytest.raises(HostError, match="no-such-program is not installed"):
        run(["no-such-program"])


def test_a_late_program_is_killed_with_all_it_started(tmp_path: Path) -> None:
    """After the time limit nothing of its group runs, and the error says how long it was."""
    note = tmp_path / "pid"
    with pytest.raises(CommandError, match=r"still running after 0\.5 s"):
        run(["sh", "-c", f"sleep 600 & echo $! >{note}; wait"], timeout=0.5)

    assert gone([int(note.read_text())])


def test_what_is_spawned_ends_with_its_block() -> None:
    """At the end of the block the group is gone, even one that ignores the polite signal's first half."""
    with spawn(["sh", "-c", "sleep 600 & echo $!; wait"], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        below = int(process.stdout.readline())
        assert alive(below)

    assert gone([below, process.pid])


def test_what_is_detached_goes_on(tmp_path: Path) -> None:
    """A detached program is nobody's child here, and what it prints is in its log."""
    log, stop = tmp_path / "log", tmp_path / "stop"
    detach(["sh", "-c", f"echo $$; while [ ! -e {stop} ]; do sleep 0.05; done"], log)

    assert until(lambda: log.exists() and log.read_text().endswith("\n"))
    pid = int(log.read_text())
    assert alive(pid)
    stop.touch()
    assert gone([pid])
