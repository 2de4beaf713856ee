"""One request over a socket: what counts as an answer, what ends it, and what is no HTTP."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from goldnode.discovery.http_call import HEAD_BYTES, HttpAnswer, HttpServer, call
from tests.support.certificate import certificate_of_loopback

LENGTH = b"HTTP/1.1 200 OK\r\nGoldnode-Server: it\r\ncontent-length: 5\r\n\r\nhello"
CHUNKS = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\ntrailer: 1\r\n\r\n"
LIMIT = 1000


@contextlib.contextmanager
def answering(
    *pieces: bytes, stay: float = 0, certificate: Path | None = None
) -> Iterator[tuple[HttpServer, list[bytes]]]:
    """A server that answers with these pieces and hangs up after ``stay`` seconds; and what it was told."""
    said: list[bytes] = []

    def serve(listener: socket.socket) -> None:
        while True:
            try:
                plain, _ = listener.accept()
            except OSError:
                return
            with contextlib.suppress(OSError), plain:
                talk(plain)

    def talk(plain: socket.socket) -> None:
        wire = plain
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            wire = context.wrap_socket(plain, server_side=True)
        with wire:
            said.append(wire.recv(65536))
            for piece in pieces:
                wire.sendall(piece)
                time.sleep(0.005)
            time.sleep(stay)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, args=(listener,), daemon=True).start()
        yield HttpServer("127.0.0.1", listener.getsockname()[1], certificate is not None), said


def ask(server: HttpServer, body: bytes = b"", seconds: float = 10, limit: int = LIMIT) -> HttpAnswer:
    """Ask for /path."""
    method = "PUT" if body else "GET"
    return call(
        server, method, "/path", headers={"a": "b"}, body=body, seconds=seconds, limit=limit,
        kept=lambda _: contextlib.nullcontext(),
    )  # fmt: skip


@pytest.mark.parametrize("answer", [
    [LENGTH],
    [LENGTH[at : at + 1] for at in range(len(LENGTH))],
    [CHUNKS],
    [CHUNKS[at : at + 1] for at in range(len(CHUNKS))],
    [b"HTTP/1.0 200 OK\r\n\r\nhe", b"llo"],
    [b"HTTP/1.1 100 Continue\r\n\r\n", LENGTH],
    [b"HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n" + LENGTH],
    [LENGTH + b"HTTP/1.1 500 another answer, to nobody\r\ncontent-length: 0\r\n\r\n"],
    [LENGTH + b"rubbish"],
], ids=["length", "length-dripped", "chunks", "chunks-dripped", "close", "100", "103", "more", "rubbish"])  # fmt: skip
def test_every_form_of_an_answer(answer: list[bytes]) -> None:
    """However the length of the body is said, and however it is cut, it arrives as it is."""
    with answering(*answer) as (server, _):
        found = ask(server)

    assert (200, b"hello") == (found.status, found.body)


def test_an_answer_with_a_length_is_not_waited_for_longer() -> None:
    """Whoever keeps the connection open keeps nobody waiting."""
    with answering(LENGTH, stay=5) as (server, _):
        begin = time.monotonic()
        found = ask(server)

    assert ("it", True) == (found.headers["goldnode-server"], time.monotonic() - begin < 4)


def test_the_request_says_what_it_is() -> None:
    """Host, length and the caller's headers, in one request."""
    with answering(LENGTH) as (server, said):
        ask(server, b"body")

    head, _, body = said[0].partition(b"\r\n\r\n")
    assert body == b"body"
    assert head.split(b"\r\n")[0] == b"PUT /path HTTP/1.1"
    assert {b"host: 127.0.0.1:%d" % (server.port or 0), b"content-length: 4", b"a: b"} <= set(head.split(b"\r\n"))


@pytest.mark.parametrize(("server", "name"), [
    (HttpServer("fd00::1", 8700, tls=False), "[fd00::1]:8700"),
    (HttpServer("rdv.example.org", None, tls=True), "rdv.example.org"),
])  # fmt: skip
def test_host_header(server: HttpServer, name: str) -> None:
    """An IPv6 address stands in brackets, and the scheme's own port is left out."""
    assert name == server.name()


@pytest.mark.parametrize("answer", [
    b"", b"HTTP/1.1 200 OK\r\n", LENGTH[:-1], CHUNKS[:-1], b"garbage\r\n\r\n", b"\x16\x03\x01",
    b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello!",
    b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\n",
])  # fmt: skip
def test_what_is_no_answer(answer: bytes) -> None:
    """Half an answer, and something else, are errors."""
    with answering(answer) as (server, _), pytest.raises((OSError, ValueError)):
        ask(server)


@pytest.mark.parametrize("answer", [
    b"HTTP/1.1 200 OK\r\nx: " + b"y" * HEAD_BYTES, b"HTTP/1.1 103 Early Hints\r\n\r\n" * (HEAD_BYTES // 24),
])  # fmt: skip
def test_a_head_has_an_end(answer: bytes) -> None:
    """A server that says nothing of use is left before it stops."""
    with answering(answer, stay=5) as (server, _), pytest.raises(ValueError, match="besides the body"):
        ask(server)


def test_a_long_body_is_not_taken_for_a_head() -> None:
    """What is body is counted as such."""
    body = b"x" * (4 * HEAD_BYTES)
    with answering(b"HTTP/1.1 200 OK\r\n\r\n", body) as (server, _):
        assert body == ask(server, limit=len(body)).body


def test_a_body_is_read_to_its_limit_and_no_further() -> None:
    """The caller sees that there was more; the rest stays where it is."""
    with answering(b"HTTP/1.1 200 OK\r\ncontent-length: 99999999\r\n\r\n", b"x" * (LIMIT + 1), stay=5) as (server, _):
        assert len(ask(server).body) > LIMIT


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 200 OK\r\n", LENGTH[:-1]])
def test_silence_ends_with_the_deadline(answer: bytes) -> None:
    """A server that says no more is left when the time is over."""
    with answering(answer, stay=5) as (server, _):
        begin = time.monotonic()
        with pytest.raises(TimeoutError):
            ask(server, seconds=0.3)

    assert time.monotonic() - begin < 3


def test_dripping_does_not_move_the_deadline() -> None:
    """Each byte comes in time, and the answer as a whole does not."""
    drip = (bytes([byte]) for byte in b"HTTP/1.1 200 OK\r\nx: " + b"y" * 400)
    with answering(*drip) as (server, _), pytest.raises(TimeoutError):
        ask(server, seconds=0.3)


def test_tls_only_with_a_certificate_that_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Over https a server proves who it is, or hears nothing."""
    with answering(LENGTH, certificate=certificate_of_loopback(tmp_path)) as (server, said):
        with pytest.raises(ssl.SSLCertVerificationError):
            ask(server)
        unheard = list(said)
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "loopback.pem"))
        found = ask(server)

    assert ([], b"hello") == (unheard, found.body)
