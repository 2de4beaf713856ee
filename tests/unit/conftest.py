"""Unit tests see no other program and no network: whatever needs one belongs to tests/integration."""

from __future__ import annotations

import socket
import subprocess
import sys
from typing import NoReturn

import pytest


@pytest.fixture(scope="module", autouse=True)
def _filled() -> None:
    """Fill what waits for its first use (``goldnode.tasks.terminal.lazy``): it may ask whether there is IPv6."""
    for module in list(sys.modules.values()):
        hasattr(module, "__file__")


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make starting a program and connecting to anything an error."""

    def refuse(*_: object, **__: object) -> NoReturn:
        pytest.fail("a unit test started a program or opened a connection", pytrace=True)

    monkeypatch.setattr(subprocess, "Popen", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket.socket, "bind", refuse)
