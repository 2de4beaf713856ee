"""The loop around a member: two threads for each rendezvous, one waiting for news, one bringing ours.

Every endpoint is written to and read; a failing one is asked less and less often, with jitter and
never sooner than it asks for, and disturbs the others in nothing.  All decisions are in
`goldnode/discovery/session.py` and below; this file only sleeps.
"""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Self

from goldnode.discovery.alarm import Alarm
from goldnode.discovery.client import Endpoint, RefusedError
from goldnode.discovery.member import Member
from goldnode.discovery.session import Session
from goldnode.errors import ExchangeError, GoldnodeError
from goldnode.protocol import limits

log = logging.getLogger(__name__)

#: Seconds before the first retry, and between retries at most.
BACKOFF_FIRST = 0.5
BACKOFF_MAX = 30.0
#: The two loops of a session, by whose name it keeps what went wrong last.
READ, WRITE = "read", "write"
_IDLE = 3600.0
_JOIN = 5.0


def backoff(failures: int, retry_after: float, luck: float) -> float:
    """Seconds to wait before the next try.

    Args:
        failures: Tries that failed in a row, from 1.
        retry_after: What the server asks for; 0 for nothing.
        luck: From 0 to 1, so that members do not come back all at once.
    """
    pause: float = min(BACKOFF_MAX, BACKOFF_FIRST * 2 ** min(failures - 1, 16))
    return max(pause * (0.5 + luck / 2), retry_after * (1 + luck / 4))


class Exchange:
    """Keeps a member and its rendezvous up to date while the block runs.

    Args:
        member: Who talks.
        urls: The rendezvous it was given; those of the policy join them.

    Raises:
        InputError: One of the URLs is none.
    """

    def __init__(self, member: Member, urls: Iterable[str]) -> None:
        self._member = member
        self._stop = threading.Event()
        self._sessions: dict[str, Session] = {}
        self._threads: list[threading.Thread] = []
        self._given = [Session(member, Endpoint(url)) for url in urls]

    def __enter__(self) -> Self:
        for session in self._given:
            self._start(session)
        self._follow_policy()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        with self._member.changed:
            self._member.changed.notify_all()
        for session in list(self._sessions.values()):
            session.endpoint.close()
        for thread in list(self._threads):
            thread.join(_JOIN)

    def alarms(self) -> set[Alarm]:
        """Everything that is wrong, with the cluster and with each rendezvous."""
        return self._member.alarms().union(*(session.alarms() for session in list(self._sessions.values())))

    def published(self) -> bool:
        """Whether at least one rendezvous holds our newest record and policy, and answers."""
        return any(not session.faults and not session.behind() for session in list(self._sessions.values()))

    def leave(self) -> None:
        """Say farewell to every rendezvous that answers: the others forget this node."""
        for session in list(self._sessions.values()):
            try:
                session.leave()
            except ExchangeError as error:
                log.warning("no farewell: %s", error)

    def _start(self, session: Session) -> None:
        if session.endpoint.url in self._sessions:
            return
        self._sessions[session.endpoint.url] = session
        for name, loop in ((READ, self._read), (WRITE, self._write)):
            step = threading.Thread(
                target=self._persist, args=(session, name, loop), name=f"{name} {session.endpoint.url}", daemon=True
            )
            self._threads.append(step)
            step.start()

    def _follow_policy(self) -> None:
        for url in self._member.endpoints():
            if url not in self._sessions:
                self._start(Session(self._member, Endpoint(url)))

    def _persist(self, session: Session, name: str, step: Callable[[Session], None]) -> None:
        failures = 0
        while not self._stop.is_set():
            try:
                step(session)
            except (GoldnodeError, OSError) as error:
                failures += 1
                if name not in session.faults and not self._stop.is_set():
                    log.warning("%s", error)
                session.faults[name] = error
                asked = error.retry_after if isinstance(error, RefusedError) else 0
                self._stop.wait(backoff(failures, asked, random.random()))  # noqa: S311 - jitter, not a secret
            else:
                failures = 0
                session.faults.pop(name, None)

    def _read(self, session: Session) -> None:
        # After a fault, a read that does not wait tells at once whether all is well again.
        session.read(0 if READ in session.faults else limits.WAIT_MAX)
        self._follow_policy()

    def _write(self, session: Session) -> None:
        due = session.write()
        session.faults.pop(WRITE, None)  # now, not when the next heartbeat is due
        with self._member.changed:
            while not self._stop.is_set() and not session.behind():
                pause = min(due, self._member.due()) - self._member.clock()
                if pause <= 0:
                    break
                self._member.changed.wait(min(pause, _IDLE))
