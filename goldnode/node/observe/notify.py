"""Tell people: a webhook, ntfy, PagerDuty or a mail server, each told again until it takes the notice.

The words of node.yaml are one text each, because each is one secret:

    https://hooks.example.org/T0/abc                       a webhook: JSON by POST
    ntfy+https://ntfy.sh/a-long-topic                      ntfy
    pagerduty:0123456789abcdef0123456789abcdef             PagerDuty's events, version 2
    smtps://user:secret@mail.example.org/on-call@example.org    mail, from the user to that address
"""

from __future__ import annotations

import http.client
import json
import logging
import queue
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self
from urllib.parse import unquote, urlsplit

from goldnode.node.observe.alerting import Notice, Severity

log = logging.getLogger(__name__)

#: Seconds for one try; seconds between two, the last of them again and again; notices that wait at most.
TIMEOUT, PAUSES, MOST = 10.0, (2.0, 10.0, 30.0, 60.0), 200
PAGERDUTY = "https://events.pagerduty.com/v2/enqueue"
_OK = range(200, 300)


@dataclass(frozen=True, slots=True)
class Sender:
    """Who tells: a machine of a cluster.

    Attributes:
        machine: Its nodes' names, for people.
        cluster: The root's fingerprint; two machines that see the same of one cluster are one incident.
    """

    machine: str
    cluster: str


def document(notice: Notice, sender: Sender) -> dict[str, Any]:
    """A notice as a webhook gets it."""
    alert = notice.alert
    return {
        "version": 1,
        "status": "resolved" if notice.resolved else "firing",
        "alert": alert.name,
        "subject": alert.subject,
        "severity": alert.severity.value,
        "summary": alert.summary,
        "machine": sender.machine,
        "cluster": sender.cluster,
        "runbook": f"docs/alerts.md#{alert.name.lower()}",
    }


def deliver(target: str, notice: Notice, sender: Sender) -> None:
    """Tell one target, once.

    Raises:
        OSError: It cannot be reached, or does not take it.
    """
    said = document(notice, sender)
    title = f"{'resolved: ' if notice.resolved else ''}{notice.alert.name}: {notice.alert.summary}"
    if target.startswith("pagerduty:"):
        incident = {"summary": f"{title} ({sender.machine})"[:1024], "source": sender.machine, "custom_details": said,
                    "severity": notice.alert.severity.value}  # fmt: skip
        _post(PAGERDUTY, {
            "routing_key": target.partition(":")[2],
            "event_action": "resolve" if notice.resolved else "trigger",
            "dedup_key": f"{sender.cluster[:16]}/{notice.alert.name}/{notice.alert.subject}"[:255],
            "payload": incident,
        })  # fmt: skip
    elif target.startswith("ntfy+"):
        urgent = notice.alert.severity is Severity.CRITICAL and not notice.resolved
        headers = {"Title": f"{sender.machine}: {notice.alert.name}", "Priority": "5" if urgent else "3",
                   "Tags": "white_check_mark" if notice.resolved else "rotating_light"}  # fmt: skip
        _send(target.removeprefix("ntfy+"), title.encode(), headers)
    elif target.startswith("smtps://"):
        _mail(target, f"{sender.machine}: {title}", json.dumps(said, indent=2))
    else:
        _post(target, said)


class Messenger:
    """Tells every target of every notice while the block runs; one that is slow holds up no other.

    Args:
        targets: As node.yaml has them.
        sender: Who tells.
        tell: Tells one target, once.
    """

    def __init__(
        self, targets: Sequence[str], sender: Sender, tell: Callable[[str, Notice, Sender], None] = deliver
    ) -> None:
        self._sender, self._tell, self._stop = sender, tell, threading.Event()
        self._queues = {target: queue.Queue[Notice](MOST) for target in targets}

    def __enter__(self) -> Self:
        for target in self._queues:
            threading.Thread(target=self._work, args=(target,), name="notify", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()

    def put(self, notice: Notice) -> None:
        """Have everybody told; where too much waits already, the newest is lost and that is said."""
        for waiting in self._queues.values():
            try:
                waiting.put_nowait(notice)
            except queue.Full:
                log.warning("%s was not told: too much waits", notice.alert.name)

    def _work(self, target: str) -> None:
        while not self._stop.is_set():
            try:
                notice = self._queues[target].get(timeout=1.0)
            except queue.Empty:
                continue
            failures = 0
            while not self._stop.is_set():
                try:
                    self._tell(target, notice, self._sender)
                    break
                except (OSError, http.client.HTTPException, ValueError) as error:
                    # The target is a secret: its host says enough.
                    if not failures:
                        log.warning("%s was not told of %s: %s", _host(target), notice.alert.name, error)
                    self._stop.wait(PAUSES[min(failures, len(PAUSES) - 1)])
                    failures += 1


def _post(url: str, body: dict[str, Any]) -> None:
    _send(url, json.dumps(body).encode(), {"Content-Type": "application/json"})


def _send(url: str, body: bytes, headers: dict[str, str]) -> None:
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=TIMEOUT)
    try:
        path = f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}"
        connection.request("POST", path, body, headers)
        answer = connection.getresponse()
        answer.read()
    finally:
        connection.close()
    if answer.status not in _OK:
        raise OSError(f"it answers {answer.status}")


def _mail(target: str, subject: str, text: str) -> None:
    # Mail is seldom sent, and these cost every start of the agent.
    import smtplib  # noqa: PLC0415
    import ssl  # noqa: PLC0415
    from email.message import EmailMessage  # noqa: PLC0415

    parts = urlsplit(target)
    user, recipient = unquote(parts.username or ""), unquote(parts.path.lstrip("/"))
    message = EmailMessage()
    message["Subject"], message["To"] = " ".join(subject.split()), recipient
    message["From"] = user if "@" in user else f"{user or 'goldnode'}@{parts.hostname}"
    message.set_content(text)
    trusted = ssl.create_default_context()  # without one, anybody's certificate would do
    with smtplib.SMTP_SSL(parts.hostname or "", parts.port or 465, timeout=TIMEOUT, context=trusted) as server:
        if user:
            server.login(user, unquote(parts.password or ""))
        server.send_message(message)


def _host(target: str) -> str:
    return urlsplit(target.removeprefix("ntfy+")).hostname or target.partition(":")[0]
