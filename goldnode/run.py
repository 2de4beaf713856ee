"""The one way to run another program: argv lists, a clean environment, one error type.

``run`` waits and returns what was printed.  ``spawn`` starts something that goes on, and its
context manager guarantees that nothing of it outlives the block.  Both put the program in a
process group of its own, so that Ctrl-C reaches us first and we decide what the child is told.
For children that must die even if *we* are killed with SIGKILL (Packer and its QEMU), see
``goldnode/vm/guard.py``.  Standard library only: the node imports this at boot.
"""

from __future__ import annotations

import contextlib
import logging
import os
import shlex
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from goldnode.errors import GoldnodeError, HostError

log = logging.getLogger(__name__)

#: Variables a child may inherit; nothing else in the caller's environment reaches it.
INHERITED = (
    "PATH", "HOME", "USER", "LOGNAME", "TERM", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR", "XDG_CACHE_HOME",
    "http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY",
)  # fmt: skip
#: What to do about a program that is missing.
NOT_HERE = "start the command through ./invoke: it installs what a command needs"
#: Seconds between the polite and the final signal.
GRACE = 5.0


class CommandError(GoldnodeError):
    """A program failed, or did not end in time.

    Attributes:
        argv: The command as it was run.
        returncode: Its exit code; negative for a signal.
        stdout: What it printed.
        stderr: What it printed as errors.
    """

    def __init__(self, argv: Sequence[str], returncode: int, stdout: str, stderr: str, hint: str = "") -> None:
        self.argv, self.returncode, self.stdout, self.stderr = tuple(argv), returncode, stdout, stderr
        tail = "\n".join((stderr.strip() or stdout.strip()).splitlines()[-10:])
        how = f"was killed by {signal.Signals(-returncode).name}" if returncode < 0 else f"exited {returncode}"
        super().__init__(f"{shlex.join(argv)} {how}" + (f":\n{tail}" if tail else ""), hint=hint)


@dataclass(frozen=True, slots=True)
class Completed:
    """A program that has ended: its exit code and, as text, what it printed."""

    returncode: int
    stdout: str
    stderr: str


class Programs:
    """The programs that a thread runs, so that another thread can end them all."""

    def __init__(self) -> None:
        self._lock, self._living, self._ended = threading.Lock(), set[subprocess.Popen[bytes]](), False

    def start(self, argv: Sequence[str], begin: Callable[[], subprocess.Popen[bytes]]) -> subprocess.Popen[bytes]:
        """Begin a program and remember it.

        Raises:
            CommandError: The programs were ended already; killing this one afterwards could come too late.
        """
        with self._lock:
            if self._ended:
                raise CommandError(argv, -signal.SIGTERM, "", "the job it belongs to was given up")
            process = begin()
            self._living.add(process)
            return process

    def discard(self, process: subprocess.Popen[bytes]) -> None:
        """Forget a program that has ended."""
        with self._lock:
            self._living.discard(process)

    def end(self) -> None:
        """Ask every program to end, and let no other begin."""
        with self._lock:
            self._ended = True
            for process in self._living:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGTERM)


_programs: ContextVar[Programs | None] = ContextVar("programs", default=None)


@contextlib.contextmanager
def running(programs: Programs) -> Iterator[None]:
    """Register what this thread starts inside the block."""
    token = _programs.set(programs)
    try:
        yield
    finally:
        _programs.reset(token)


def clean_env(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment children get: PATH (with what only root has on it), a fixed locale, and ``extra``."""
    kept = {name: os.environ[name] for name in INHERITED if name in os.environ}
    path = os.pathsep.join([kept.pop("PATH", os.defpath), "/usr/sbin", "/sbin"])
    return {"PATH": path, **kept, "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8", **(extra or {})}


def run(
    argv: Sequence[str | Path],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdin: str | None = None,
    timeout: float | None = None,
    check: bool = True,
) -> Completed:
    """Run a program to its end.

    Args:
        argv: Program and arguments; never passed to a shell.
        cwd: Its working directory.
        env: Added to the clean environment.
        stdin: Text it reads; nothing when None.
        timeout: Seconds after which its whole group is killed.
        check: Raise when it exits with anything but 0.

    Raises:
        HostError: There is no such program.
        CommandError: It failed (``check``) or ran into the timeout.
    """
    words = [str(word) for word in argv]
    with spawn(words, cwd=cwd, env=env, stdin=subprocess.PIPE if stdin is not None else subprocess.DEVNULL,
               stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:  # fmt: skip
        try:
            stdout, stderr = process.communicate(None if stdin is None else stdin.encode(), timeout=timeout)
        except subprocess.TimeoutExpired as late:
            kill_group(process)
            stdout, stderr = process.communicate()
            raise CommandError(words, -signal.SIGKILL, _text(stdout), f"still running after {timeout} s") from late
    done = Completed(process.returncode, _text(stdout), _text(stderr))
    if check and done.returncode:
        raise CommandError(words, done.returncode, done.stdout, done.stderr)
    return done


@contextlib.contextmanager
def spawn(
    argv: Sequence[str | Path],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdin: int | IO[bytes] = subprocess.DEVNULL,
    stdout: int | IO[bytes] = subprocess.DEVNULL,
    stderr: int | IO[bytes] = subprocess.STDOUT,
) -> Iterator[subprocess.Popen[bytes]]:
    """Start a program that keeps running; at the end of the block its whole process group is gone.

    Raises:
        HostError: There is no such program.
    """
    words = [str(word) for word in argv]
    log.debug("run: %s", shlex.join(words))

    def begin() -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            words, cwd=cwd, env=clean_env(env), stdin=stdin, stdout=stdout, stderr=stderr, start_new_session=True
        )

    programs = _programs.get()
    try:
        process = programs.start(words, begin) if programs else begin()
    except FileNotFoundError as missing:
        raise HostError(f"{words[0]} is not installed", hint=NOT_HERE) from missing
    try:
        yield process
    finally:
        stop_group(process)
        if programs:
            programs.discard(process)
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe:
                with contextlib.suppress(OSError):  # Whatever was still to be written has no reader left.
                    pipe.close()


def detach(argv: Sequence[str | Path], log: Path, keep: Sequence[int] = ()) -> None:
    """Start a program that outlives us, in a session of its own.

    Args:
        argv: Program and arguments.
        log: The file for its output, emptied first.
        keep: File descriptors that it gets, under the same numbers.
    """
    words = ["setsid", "--fork", *(str(word) for word in argv)]
    with log.open("wb") as stream:
        # Not with spawn: it kills the group at the end, and the fork leaves that group only a moment later.
        none = subprocess.DEVNULL
        subprocess.Popen(words, env=clean_env(), stdin=none, stdout=stream, stderr=stream, pass_fds=keep).wait()


def stop_group(process: subprocess.Popen[bytes], grace: float = GRACE) -> None:
    """Ask the whole group to end (SIGTERM); after ``grace`` seconds, kill it (SIGKILL)."""
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(grace)
    kill_group(process)
    process.wait()


def kill_group(process: subprocess.Popen[bytes]) -> None:
    """Kill (SIGKILL) whatever is left of the group, if anything."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


def _text(data: bytes | None) -> str:
    return (data or b"").decode("utf-8", "replace")
