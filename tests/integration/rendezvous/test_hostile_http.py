"""Clients that speak HTTP badly, or ask it for more than a rendezvous gives, against the real server."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from goldnode.rendezvous import guard, request, server
from goldnode.rendezvous.address import parse_proxies
from tests.integration.rendezvous.support import OPEN, raw, serving


def cut_off(url: str, *pieces: bytes) -> bytes:
    """Like `raw`; a reset is a way of hanging up on somebody who goes on sending."""
    try:
        return raw(url, *pieces)
    except ConnectionError:
        return b""


def test_header_twice(url: str) -> None:
    """A header the protocol reads must not stand twice, lest two readers read two things."""
    time_header = b"goldnode-time: 1\r\n"
    answer = raw(url, b"GET /v1/rooms/x HTTP/1.1\r\nhost: x\r\nconnection: close\r\n" + time_header * 2 + b"\r\n")

    assert b'"malformed"' in answer


@pytest.mark.parametrize("rubbish", [b"\x16\x03\x01\x02\x00\x01\x00", b"GET\r\n\r\n", b"\r\n" * 9 + b"\0\r\n\r\n"])
def test_no_http(url: str, rubbish: bytes) -> None:
    """What is no HTTP gets a problem document like every other mistake."""
    answer = raw(url, rubbish)

    assert (True, True) == (answer.startswith(b"HTTP/1.1 400"), b'"malformed"' in answer)


def test_what_follows_a_body_is_no_header(tmp_path: Path) -> None:
    """A proxy says whose request it passes on; the client cannot say it again behind its body."""
    head = b"GET /v1/caps HTTP/1.1\r\nhost: x\r\nconnection: close\r\ntransfer-encoding: chunked\r\n"
    told, added = b"x-forwarded-for: 198.51.100.1\r\n", b"x-forwarded-for: 198.51.100.2\r\n"
    with serving(tmp_path / "store.sqlite", dataclasses.replace(OPEN, proxies=parse_proxies(["127.0.0.0/8"]))) as url:
        answer = raw(url, head + told + b"\r\n0\r\n" + added + b"\r\n")

    assert (True, True) == (answer.startswith(b"HTTP/1.1 200"), b"198.51.100.1" in answer)


@pytest.mark.parametrize(
    "endless",
    [b"GET / HTTP/1.1\r\n" + b"x: y\r\n" * 20_000, b"GET /" + b"x" * 100_000,
     b"PUT /v1/policies/x HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n1;" + b"x" * 100_000,
     b"PUT /v1/policies/x HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n0\r\nx: " + b"y" * 100_000],
    ids=["headers", "target", "chunk's size", "trailer"],
)  # fmt: skip
def test_a_request_has_an_end_besides_its_body(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, endless: bytes) -> None:
    """Whatever goes on and on is cut off by its size: no deadline does it here."""
    monkeypatch.setattr(guard, "IDLE_SECONDS", 300.0)
    monkeypatch.setattr(request, "BODY_SECONDS", 300.0)
    with serving(tmp_path / "store.sqlite") as url:
        answer = cut_off(url, endless)

    assert answer == b"" or answer.startswith(b"HTTP/1.1 400"), answer[:200]


def test_a_refused_request_is_not_read_to_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who is answered before the body has arrived is hung up on, and not listened to until the deadline."""
    monkeypatch.setattr(guard, "IDLE_SECONDS", 300.0)
    monkeypatch.setattr(server, "IDLE_SECONDS", 300.0)
    with serving(tmp_path / "store.sqlite") as url:
        answer = raw(url, b"PUT /nothing HTTP/1.1\r\nhost: x\r\ncontent-length: 100000\r\n\r\nx")

    assert answer.startswith(b"HTTP/1.1 404")


def test_requests_sent_ahead_are_answered_in_turn_or_not_at_all(url: str) -> None:
    """A few may be sent ahead; thousands are somebody who fills the server's memory."""
    ask_health = b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n"
    last = ask_health.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n")
    few = raw(url, ask_health * (guard.AHEAD - 1) + last)
    many = cut_off(url, ask_health * 5000)

    assert guard.AHEAD == few.count(b"HTTP/1.1 200")
    assert many.count(b"HTTP/1.1 200") < guard.AHEAD + 2


def test_an_answer_without_a_body_leaves_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """To HEAD the headers are all there is: they are not kept back for a body that never comes."""
    monkeypatch.setattr(guard, "IDLE_SECONDS", 1.0)
    with serving(tmp_path / "store.sqlite") as url:
        answer = raw(url, b"HEAD /healthz HTTP/1.1\r\nhost: x\r\n\r\n")

    assert answer.startswith(b"HTTP/1.1 405")


@pytest.mark.parametrize("upgrade", [b"GET /healthz", b"CONNECT x:1"])
def test_no_connection_becomes_another(url: str, upgrade: bytes) -> None:
    """Neither a web socket nor a tunnel: whoever asks for one is refused, and nothing more of it is read."""
    answer = raw(url, upgrade + b" HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\nmore")

    assert (True, 1) == (answer.startswith(b"HTTP/1.1 400"), answer.count(b"HTTP/1.1"))


def test_slow_head(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who never finishes the head of a request is hung up on."""
    monkeypatch.setattr(guard, "IDLE_SECONDS", 1.0)
    with serving(tmp_path / "store.sqlite") as url:
        silent, slow = raw(url), raw(url, b"GET / HT", b"TP/1.1\r\n", b"x: y\r\n")
        kept = raw(url, b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n", b"GET")

    assert (b"", b"") == (silent, slow)
    assert kept.endswith(b"ok\n")
