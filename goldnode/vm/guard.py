"""Runs one program and makes sure that none of its processes survives us, even if we are killed with SIGKILL.

Packer starts plugins, a plugin starts QEMU, and each keeps running when the one above it dies.
Two small processes stand between, the watch and the keeper, which the watch forks:

- The watch looks at its standard input; when that closes (whoever started us is gone), or on
  SIGTERM, SIGINT or SIGHUP (unless nohup has it ignored), it closes the pipe that is the keeper's standard input.
- The keeper does the same with that pipe: it asks the program to end and waits a little.
- Both adopt orphans (``PR_SET_CHILD_SUBREAPER``), and when the one below them has ended, they kill
  every descendant until there is none.

So whichever of the two is killed with SIGKILL, the other cleans up.  The same happens when the
program itself dies and leaves something behind.

Used as ``python3 -I guard.py PROGRAM ARGUMENT...`` with a pipe as standard input; exits with the
program's code, or 128 + signal.  Standard library only, so that it starts in 30 ms.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

PR_SET_CHILD_SUBREAPER = 36
#: Seconds the program has to clean up; with one more for the keeper, less than the grace `run.stop_group` gives *us*.
GRACE = 3.0


def command(argv: list[str]) -> list[str]:
    """The command line that runs ``argv`` under a guard."""
    return [sys.executable, "-I", str(Path(__file__).resolve()), *argv]


def main(argv: list[str]) -> int:
    """Run ``argv``; returns its exit code."""
    theirs, ours = os.pipe()
    keeper = os.fork()
    if not keeper:
        os.setsid()  # A SIGKILL to our process group does not reach the keeper.
        os.dup2(theirs, 0)
        os.close(ours)
        return keep(argv)
    os.close(theirs)
    adopt_orphans()
    ended = os.pidfd_open(keeper)
    if wanted_to_end(ended):
        os.close(ours)
        select.select([ended], [], [], GRACE + 1)
    kill_descendants()
    return exit_code(os.waitstatus_to_exitcode(os.waitpid(keeper, 0)[1]))


def keep(argv: list[str]) -> int:
    """Start the program, and end it when asked to; returns its exit code."""
    adopt_orphans()
    # A process started by nohup or a script's `&` ignores SIGINT, and so would everything that it starts.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    program = subprocess.Popen(argv, stdin=subprocess.DEVNULL, start_new_session=True)
    ended = os.pidfd_open(program.pid)
    if wanted_to_end(ended):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(program.pid, signal.SIGINT)
        select.select([ended], [], [], GRACE)
    kill_descendants()
    return exit_code(program.wait())


def adopt_orphans() -> None:
    """Become the parent of every orphaned descendant (prctl(2); a fork does not inherit this)."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def wanted_to_end(ended: int) -> bool:
    """Wait until the process behind a pidfd ends, standard input closes, or a signal arrives.

    Returns:
        Whether the process still runs.
    """
    wake_read, wake_write = os.pipe()
    hangup = [] if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN else [signal.SIGHUP]  # nohup goes on
    for number in (signal.SIGTERM, signal.SIGINT, *hangup):
        signal.signal(number, lambda *_: os.write(wake_write, b"!"))
    ready, _, _ = select.select([ended, 0, wake_read], [], [])
    return ended not in ready


def exit_code(code: int) -> int:
    """The exit code as a shell reports it: 128 + signal."""
    return code if code >= 0 else 128 - code


def kill_descendants() -> None:
    """Kill (SIGKILL) every process below this one, again and again until none is left.

    Zombies are not reaped: the program may be among them, and its exit code is still needed.
    """
    while pids := descendants(os.getpid()):
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.01)


def descendants(root: int) -> list[int]:
    """Running processes below ``root``, without zombies."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                # The name, in parentheses, may hold spaces: state and parent follow the last one.
                state, parent = (entry / "stat").read_text().rpartition(")")[2].split()[:2]
                if state != "Z":
                    parents[int(entry.name)] = int(parent)

    def below(pid: int) -> bool:
        while pid in parents:
            pid = parents[pid]
            if pid == root:
                return True
        return False

    return [pid for pid in parents if below(pid)]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
