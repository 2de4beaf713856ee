"""The first process of the fleet's namespaces: starts everything else in them, and takes it all down with it.

    python3 -I namespace_init.py FOLDER

The kernel kills every process of a PID namespace when its first one ends, so nothing of a fleet
can be left over, however it ends: told to, killed, or because FOLDER was deleted.  Requests come
one per connection, a line of JSON each way, over the unix socket FOLDER/first.sock.  Standard
library only, so that it starts in 30 ms.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

SOCKET = "first.sock"
#: Seconds between two checks whether the folder is still there.
POLL = 2.0
#: Seconds a program has between SIGTERM and SIGKILL.
GRACE = 10.0


class NamespaceInit:
    """The running programs, by name."""

    def __init__(self) -> None:
        self._programs: dict[str, subprocess.Popen[bytes]] = {}

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """Carry out one request."""
        if request["do"] == "start":
            return self._start(**request["what"])
        if request["do"] == "stop":
            return self._stop(request["name"])
        if request["do"] == "run":
            return _run(**request["what"])
        return {name: program.poll() for name, program in self._programs.items()}

    def _start(self, name: str, argv: list[str], cwd: str, log: str, env: dict[str, str]) -> dict[str, Any]:
        running = self._programs.get(name)
        if running and running.poll() is None:
            return {"error": f"{name} runs already"}
        with Path(log).open("ab") as stream:
            self._programs[name] = subprocess.Popen(
                argv, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=stream, stderr=stream, start_new_session=True
            )
        return {}

    def _stop(self, name: str) -> dict[str, Any]:
        program = self._programs.pop(name, None)
        if program is not None:
            program.terminate()
            try:
                program.wait(GRACE)
            except subprocess.TimeoutExpired:
                program.kill()
                program.wait()
        return {}


def _run(argv: list[str], env: dict[str, str], timeout: float) -> dict[str, Any]:
    try:
        done = subprocess.run(
            argv, env=env, stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout, check=False
        )
    except subprocess.TimeoutExpired:
        return {"error": f"no end after {timeout} s: {argv[0]}"}
    return {"code": done.returncode, "stdout": done.stdout.decode("utf-8", "replace"),
            "stderr": done.stderr.decode("utf-8", "replace")}  # fmt: skip


def _serve(first: NamespaceInit, caller: socket.socket) -> None:
    with caller, contextlib.suppress(BrokenPipeError, ConnectionResetError):
        stream = caller.makefile("rb")
        try:
            answer = first.answer(json.loads(stream.readline()))
        except (OSError, ValueError, KeyError, TypeError) as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        caller.sendall(json.dumps(answer).encode() + b"\n")


def main(folder: Path) -> None:
    """Serve until killed, or until the folder is deleted."""
    os.chdir(folder)
    first, path = NamespaceInit(), Path(SOCKET)
    path.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(SOCKET)
        listener.listen()
        listener.settimeout(POLL)
        own = path.stat().st_ino
        while path.exists() and path.stat().st_ino == own:
            with contextlib.suppress(TimeoutError):
                caller, _ = listener.accept()
                threading.Thread(target=_serve, args=(first, caller), daemon=True).start()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
