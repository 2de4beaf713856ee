"""The command line's side of the control socket, when the other side is not as it should be."""

from __future__ import annotations

import socket
from pathlib import Path
from threading import Thread

import pytest

from goldnode.errors import HostError
from goldnode.node.jvm.jvm_host import JvmHost


def test_a_host_that_is_not_there_is_said(tmp_path: Path) -> None:
    """Without a JVM host a command ends with what to look at."""
    with pytest.raises(HostError, match="does not answer") as refused:
        JvmHost(tmp_path / "control.sock").status()

    assert refused.value.hint == "systemctl status goldnode-jvm"


def test_a_host_that_hangs_up_is_said(tmp_path: Path) -> None:
    """A JVM that ends in the middle of a command is not taken for an answer."""
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "control.sock"))
        server.listen()
        hanging = Thread(target=hang_up, args=(server,))
        hanging.start()
        with pytest.raises(HostError, match=r"hung up|does not answer"):
            JvmHost(tmp_path / "control.sock").act("restart", "alice")
        hanging.join()


def hang_up(server: socket.socket) -> None:
    """Take one connection and end it without a word."""
    server.accept()[0].close()
