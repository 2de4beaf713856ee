"""Tests run on a machine that has a rendezvous."""

from __future__ import annotations

import socket

import pytest


def test_no_test_needs_the_usual_port(usual_port: int) -> None:
    """While any test of this tier runs, the rendezvous' usual port is taken."""
    with pytest.raises(OSError, match="in use"), socket.create_server(("127.0.0.1", usual_port)):
        pass
