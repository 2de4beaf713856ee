"""People are told: a webhook, ntfy and PagerDuty over HTTP, mail over TLS; each again until it is taken."""

from __future__ import annotations

import contextlib
import http.server
import json
import socket
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from goldnode.node.observe import notify
from goldnode.node.observe.alerting import Alert, Notice, Severity
from goldnode.node.observe.notify import Messenger, Sender
from tests.support.certificate import certificate_of_loopback
from tests.support.waiting import until

SENDER = Sender("s-1", "ab" * 32)
DOWN = Notice(Alert("ValidatorNotSigning", "val-1", Severity.CRITICAL, "val-1 signs nothing"), resolved=False)
OVER = Notice(DOWN.alert, resolved=True)


@dataclass
class Taken:
    """What a server took, and how often it refuses first."""

    refusals: int = 0
    requests: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    url: str = ""


@contextlib.contextmanager
def listening(refusals: int = 0) -> Iterator[Taken]:
    """An HTTP server that takes notices."""
    taken = Taken(refusals)

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            taken.refusals -= 1
            if taken.refusals < 0:
                taken.requests.append((self.path, dict(self.headers), body))
            self.send_response(200 if taken.refusals < 0 else 503)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nobody reads it."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        taken.url = f"http://127.0.0.1:{server.server_address[1]}"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield taken
        server.shutdown()


def test_a_webhook_is_told_again_until_it_takes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two refusals lose nothing and change no order; another target that is away holds up nobody."""
    monkeypatch.setattr(notify, "PAUSES", (0.05,))
    away = "http://127.0.0.1:1/away"
    with listening(refusals=2) as taken, Messenger([f"{taken.url}/hook?x=1", away], SENDER) as notifier:
        notifier.put(DOWN)
        notifier.put(OVER)
        assert until(lambda: len(taken.requests) == 2, 20)

    said = [json.loads(body) for _, _, body in taken.requests]
    assert ["firing", "resolved"] == [each["status"] for each in said]
    assert ("ValidatorNotSigning", "val-1", "critical", "s-1") == (
        said[0]["alert"],
        said[0]["subject"],
        said[0]["severity"],
        said[0]["machine"],
    )
    assert "/hook?x=1" == taken.requests[0][0]


def test_ntfy_and_pagerduty_get_what_they_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ntfy a title and a priority; PagerDuty one incident for all machines of a cluster that see the same."""
    with listening() as taken:
        monkeypatch.setattr(notify, "PAGERDUTY", f"{taken.url}/v2/enqueue")
        notify.deliver(f"ntfy+{taken.url}/topic", DOWN, SENDER)
        for notice, machine in ((DOWN, "s-1"), (OVER, "s-2")):
            notify.deliver("pagerduty:0123456789abcdef0123456789abcdef", notice, Sender(machine, SENDER.cluster))

    (path, headers, body), one, other = taken.requests
    assert ("/topic", "5", b"ValidatorNotSigning: val-1 signs nothing") == (path, headers["Priority"], body)
    first, second = json.loads(one[2]), json.loads(other[2])
    assert ("trigger", "resolve") == (first["event_action"], second["event_action"])
    assert first["dedup_key"] == second["dedup_key"]


def test_mail_goes_to_a_server_that_proves_who_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Subject and body arrive over TLS; a server with a certificate that nobody vouches for gets nothing."""
    certificate = certificate_of_loopback(tmp_path)
    with _mail_server(certificate) as (port, said):
        target = f"smtps://127.0.0.1:{port}/on-call@example.org"
        with pytest.raises(ssl.SSLCertVerificationError):
            notify.deliver(target, DOWN, SENDER)
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        notify.deliver(target, DOWN, SENDER)

    text = b"".join(said).decode()
    assert "Subject: s-1: ValidatorNotSigning: val-1 signs nothing" in text
    assert "rcpt to:<on-call@example.org>" in text.lower()  # Python 3.13 writes the words small


@contextlib.contextmanager
def _mail_server(certificate: Path) -> Iterator[tuple[int, list[bytes]]]:
    """A mail server over TLS that takes everything; its port, and what it was told."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    said: list[bytes] = []

    def serve(listener: socket.socket) -> None:
        while True:
            try:
                plain, _ = listener.accept()
            except OSError:
                return
            with contextlib.suppress(OSError), context.wrap_socket(plain, server_side=True) as peer:
                peer.sendall(b"220 mail\r\n")
                inside = False
                for line in peer.makefile("rb"):
                    said.append(line)
                    inside = line.strip().lower() == b"data" or (inside and line != b".\r\n")
                    if line.strip().lower() == b"data":
                        peer.sendall(b"354 go on\r\n")
                    elif not inside:
                        peer.sendall(b"221 bye\r\n" if line.strip().lower() == b"quit" else b"250 ok\r\n")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, args=(listener,), daemon=True).start()
        yield listener.getsockname()[1], said
