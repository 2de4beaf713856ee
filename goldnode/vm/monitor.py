"""QEMU's monitor: unplug a machine's network cable, press its reset button, have its memory written to a file."""

from __future__ import annotations

import contextlib
import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from goldnode.errors import HostError

SOCKET = "monitor.sock"
#: QEMU's arguments for it, when started in the machine's folder.
ARGUMENTS = ("-qmp", f"unix:{SOCKET},server=on,wait=off")


def tell(folder: Path, command: str, *, timeout: float = 10, **arguments: Any) -> Any:
    """Send QEMU one command, and return its answer.

    Args:
        folder: The machine's folder.
        command: Its QMP name.
        timeout: Seconds that the answer may take.
        arguments: Its arguments.

    Raises:
        HostError: The machine is off, or QEMU refuses.
    """
    try:
        with connected(folder / SOCKET) as caller, caller.makefile("rwb") as stream:
            caller.settimeout(timeout)
            stream.readline()
            for request in ({"execute": "qmp_capabilities"}, {"execute": command, "arguments": arguments}):
                stream.write(json.dumps(request).encode() + b"\n")
                stream.flush()
                answer = json.loads(stream.readline())
                while "event" in answer:
                    answer = json.loads(stream.readline())
                if "error" in answer:
                    raise HostError(f"QEMU refuses {command} for {folder.name}: {answer['error']['desc']}")
            return answer["return"]
    except (OSError, ValueError) as error:
        raise HostError(f"{folder.name} is off: {error}", hint="./invoke fleet status") from error


@contextlib.contextmanager
def connected(path: Path) -> Iterator[socket.socket]:
    """Connect to a unix socket, however long its path is (the kernel takes 107 bytes)."""
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
    try:
        with socket.socket(socket.AF_UNIX) as caller:
            caller.connect(f"/proc/self/fd/{folder}/{path.name}")
            yield caller
    finally:
        os.close(folder)
