"""A fleet's own user, network and PID namespaces, with one bridge in them.

Inside, the machines, the rendezvous and the external validators have real addresses on a real network, and no
packet of theirs leaves it.  Nothing needs root: a user namespace maps the caller to root inside.
The namespaces are identified by the socket of their first process (``namespace_init.py``), never by a
process ID, which another process may have by now.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import struct
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from goldnode.errors import HostError
from goldnode.fleet import namespace_init
from goldnode.run import CommandError, Completed, clean_env, detach
from goldnode.vm.monitor import connected

#: The socket of the first process: the only way in and out of its namespaces.
NAMESPACES = ("unshare", "--user", "--map-root-user", "--net", "--pid", "--fork", "--kill-child=KILL")
TIMEOUT = 60.0


@dataclass(frozen=True, slots=True)
class Namespace:
    """The namespaces of the fleet in ``folder``, whether they exist or not."""

    folder: Path

    def make(self) -> None:
        """Create the namespaces; they outlive us.

        Raises:
            HostError: This machine does not allow them.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        log = self.folder / "first.log"
        detach([*NAMESPACES, sys.executable, "-I", str(namespace_init.__file__), self.folder.resolve()], log)
        end = time.monotonic() + TIMEOUT
        while not self.stands():
            if time.monotonic() > end or log.stat().st_size:
                raise HostError(
                    f"this machine allows no namespaces of our own: {log.read_text().strip() or 'no answer'}",
                    hint="sysctl kernel.unprivileged_userns_clone kernel.apparmor_restrict_unprivileged_userns",
                )
            time.sleep(0.05)

    def stands(self) -> bool:
        """Whether its first process answers."""
        try:
            with self._call():
                return True
        except OSError:
            return False

    def end(self) -> None:
        """Kill everything in them, if anything is there."""
        try:
            with self._call() as caller:
                handle = os.pidfd_open(_peer(caller))
                # Asked again once we hold the handle: it refers to that very process, or to none.
                alive = self.stands()
        except OSError:
            return
        try:
            if alive:
                signal.pidfd_send_signal(handle, signal.SIGKILL)
            end = time.monotonic() + TIMEOUT
            while self.stands() and time.monotonic() < end:
                time.sleep(0.05)
        finally:
            os.close(handle)

    def pid(self) -> int:
        """The first process's ID on this machine, for ``nsenter``."""
        with self._call() as caller:
            return _peer(caller)

    def enter(self, *more: str) -> list[str]:
        """What stands before a command of this machine that runs on its network, and in ``more`` of its namespaces."""
        return ["nsenter", "--target", str(self.pid()), "--user", "--preserve-credentials", "--net", *more, "--"]

    def start(
        self, name: str, argv: Sequence[str | Path], *, cwd: Path, log: Path, env: Mapping[str, str] | None = None
    ) -> None:
        """Start a program inside that keeps running.

        Raises:
            HostError: It cannot be started, or one of that name is running.
        """
        what = {"name": name, "argv": [str(word) for word in argv], "cwd": str(cwd.resolve())}
        self._ask({"do": "start", "what": {**what, "log": str(log.resolve()), "env": clean_env(env)}})

    def stop(self, name: str) -> None:
        """End a program: first SIGTERM, then SIGKILL."""
        self._ask({"do": "stop", "name": name})

    def run(self, argv: Sequence[str | Path], *, timeout: float = 60.0, check: bool = True) -> Completed:
        """Run a program inside to its end.

        Raises:
            CommandError: It failed (``check``).
            HostError: It did not end in time.
        """
        words = [str(word) for word in argv]
        answer = self._ask({"do": "run", "what": {"argv": words, "env": clean_env(), "timeout": timeout}})
        done = Completed(answer["code"], answer["stdout"], answer["stderr"])
        if check and done.returncode:
            raise CommandError(words, done.returncode, done.stdout, done.stderr)
        return done

    def programs(self) -> dict[str, int | None]:
        """The programs started: name → exit code, None while running."""
        return self._ask({"do": "list"})

    def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        try:
            with self._call() as caller:
                caller.sendall(json.dumps(request).encode() + b"\n")
                with caller.makefile("rb") as stream:
                    answer: dict[str, Any] = json.loads(stream.readline() or b'{"error": "it has just ended"}')
        except OSError as error:
            raise HostError(f"no fleet is running in {self.folder}", hint="./invoke fleet up") from error
        if "error" in answer:
            raise HostError(f"in the fleet's namespace: {answer['error']}")
        return answer

    @contextlib.contextmanager
    def _call(self) -> Iterator[socket.socket]:
        with connected(self.folder / namespace_init.SOCKET) as caller:
            yield caller


def _peer(caller: socket.socket) -> int:
    pid: int = struct.unpack("3i", caller.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0]
    return pid
