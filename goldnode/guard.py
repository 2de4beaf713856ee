"""Runs one program and makes sure that nothing of it survives us, even if we are killed with SIGKILL.

Packer starts plugins, a plugin starts QEMU, and each leads its own life when the one above it dies.
This small process stands between: it adopts every orphan (``PR_SET_CHILD_SUBREAPER``), watches its
standard input, and when that closes (whoever started us is gone), or on SIGTERM or SIGINT, it asks
the program to end, waits a little, and then kills every descendant until there is none.  The same
happens when the program itself dies and leaves something behind.

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
#: Seconds the program has to clean up; below the grace `run.stop_group` gives *us*.
GRACE = 3.0


def command(argv: list[str]) -> list[str]:
    """The command line that runs ``argv`` under a guard."""
    return [sys.executable, "-I", str(Path(__file__).resolve()), *argv]


def main(argv: list[str]) -> int:
    """Run ``argv``; returns its exit code."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    wake_read, wake_write = os.pipe()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: os.write(wake_write, b"!"))
    child = subprocess.Popen(argv, stdin=subprocess.DEVNULL, start_new_session=True)
    ended = os.pidfd_open(child.pid)
    ready, _, _ = select.select([ended, 0, wake_read], [], [])
    if ended not in ready:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGINT)
        select.select([ended], [], [], GRACE)
    kill_descendants()
    code = child.wait()
    return code if code >= 0 else 128 - code


def kill_descendants() -> None:
    """SIGKILL every process below this one, again and again until none is left.

    The dead are not collected: among them may be the program, whose exit code `main` still wants.
    """
    while pids := descendants(os.getpid()):
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.01)


def descendants(root: int) -> list[int]:
    """Living processes below ``root``, zombies left out."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                # The name, in brackets, may hold spaces: state and parent follow the last bracket.
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
