"""Requests that name the server they are for: they hold there, for minutes, and nowhere else."""

from __future__ import annotations

import pytest

from goldnode.errors import ExchangeError
from goldnode.protocol import limits
from goldnode.protocol.request import SERVER, sign_request, verify_request
from goldnode.protocol.seal import room_key
from tests.support.cluster_lab import NOW, Lab

LAB = Lab()
MS = int(NOW * 1000)
NAME = "0f" * 16


@pytest.mark.parametrize(
    ("server", "late", "code"),
    [
        (NAME, 0, "ok"),
        (NAME, limits.REQUEST_SKEW, "ok"),
        (NAME, -limits.REQUEST_SKEW, "ok"),
        (NAME, limits.REQUEST_SKEW + 1, "clock"),
        (NAME, -limits.REQUEST_SKEW - 1, "clock"),
        ("ab" * 16, 0, "wrong-server"),
    ],
)
def test_bound_requests(server: str, late: int, code: str) -> None:
    """A request that names its server holds at that server only, and for minutes only."""
    headers = sign_request(room_key(LAB.cluster_key), "PUT", "/t", body=b"x", now_ms=MS, server=NAME)
    found = "ok"
    try:
        verify_request(LAB.room, "PUT", "/t", headers=headers, body=b"x", now_ms=MS + late * 1000, server=server)
    except ExchangeError as refusal:
        found = refusal.code

    assert code == found


def test_a_bound_request_without_its_name() -> None:
    """Taking the server's name out of a request does not make it one for every server."""
    headers = sign_request(room_key(LAB.cluster_key), "PUT", "/t", body=b"x", now_ms=MS, server=NAME)
    del headers[SERVER]
    with pytest.raises(ExchangeError) as refusal:
        verify_request(LAB.room, "PUT", "/t", headers=headers, body=b"x", now_ms=MS, server=NAME)

    assert "bad-signature" == refusal.value.code
