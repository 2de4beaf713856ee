"""Unit tests see no other program and no network: whatever needs one belongs to tests/integration."""

from __future__ import annotations

import socket
import subprocess
from typing import NoReturn

import pytest


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make starting a program and connecting to anything an error."""

    def refuse(*_: object, **__: object) -> NoReturn:
        pytest.fail("a unit test started a program or opened a connection", pytrace=True)

    monkeypatch.setattr(subprocess, "Popen", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket.socket, "bind", refuse)
