"""The loop around a member: two threads for each rendezvous, one that waits for changes, one that writes ours.

Every endpoint is written to and read; a failing one is asked less and less often, with jitter and
never sooner than it asks for, and does not disturb the others.  `Session` decides what is due at
one rendezvous, without threads and without sleeping; `Exchange` only sleeps.  A wiped server shows up
as a reset without our record, and gets record and policy again at once.
"""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Self

from goldnode.discovery.alarm import Alarm, AlarmKind
from goldnode.discovery.client import Endpoint, RefusedError
from goldnode.discovery.member import Keys, Membership
from goldnode.discovery.own_record import PublishedRecord
from goldnode.errors import ExchangeError, GoldnodeError
from goldnode.protocol import limits
from goldnode.protocol.codes import Code
from goldnode.protocol.policy import verify_policy
from goldnode.protocol.record import sign_heartbeat

log = logging.getLogger(__name__)

#: Seconds before the first retry, and between retries at most.
BACKOFF_FIRST = 0.5
BACKOFF_MAX = 30.0
#: The two loops of a session; the last error is kept for each.
READ, WRITE = "read", "write"
_IDLE = 3600.0
_JOIN = 5.0


def backoff(failures: int, retry_after: float, luck: float) -> float:
    """Seconds to wait before the next try.

    Args:
        failures: Consecutive failed attempts, from 1.
        retry_after: What the server asks for; 0 for nothing.
        luck: From 0 to 1, so that members do not come back all at once.
    """
    pause: float = min(BACKOFF_MAX, BACKOFF_FIRST * 2 ** min(failures - 1, 16))
    return max(pause * (0.5 + luck / 2), retry_after * (1 + luck / 4))


class Session:
    """One member at one rendezvous; `read` and `write` may run in two threads.

    Args:
        member: The node that talks.
        endpoint: The rendezvous it talks to.
    """

    def __init__(self, member: Membership, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self.faults: dict[str, Exception] = {}
        #: Seconds that this machine's clock is ahead of the rendezvous'; None before it has answered.
        self.clock_offset: float | None = None
        self._member = member
        self._room = ""
        self._cursor = ""
        self._bad: dict[str, str] = {}
        self._shown = 0
        self._answered = 0
        self._heartbeat_at = 0.0
        self._counter = 0
        self._policy_version = 0
        self._policy_at = 0.0

    def alarms(self) -> set[Alarm]:
        """What is wrong with this rendezvous."""
        url = self.endpoint.url
        alarms = set()
        for fault in self.faults.values():
            clock = isinstance(fault, ExchangeError) and fault.code == Code.CLOCK
            alarms.add(Alarm(AlarmKind.CLOCK if clock else AlarmKind.UNREACHABLE, url, str(fault)))
        if self._bad:
            slot, reason = min(self._bad.items())
            alarms.add(Alarm(AlarmKind.BAD_RECORDS, url, f"{len(self._bad)}, as {slot[:8]}: {reason}"))
        return alarms

    def read(self, wait: int) -> None:
        """List the room, or wait for changes in it, and process them.

        Args:
            wait: Seconds the server may hold the request; the first call in a room never waits.

        Raises:
            ExchangeError: Refused, `unreachable`, or the answer is malformed.
        """
        keys = self._enter()
        listing = self.endpoint.list(
            keys.room_key, self._now_ms(), after=self._cursor, wait=wait, policy=self._member.fingerprint
        )
        self.clock_offset = self._member.clock() - listing.time / 1000
        with self._member.changed:
            if keys.room != self._room:
                return  # meanwhile the other thread has entered a new room
            if listing.reset:
                self._bad.clear()
                self._shown = _seq_of(keys.slot, listing.items, self._member)
                self._policy_version = _version_of(listing.policy, self._member.fingerprint)
            for slot, _ in listing.items:
                self._bad.pop(slot, None)
            self._bad |= self._member.take(listing)
            self._cursor = listing.cursor

    def write(self) -> float:
        """Put, heartbeat and republish whatever is due here.

        Returns:
            Unix seconds at which something is due again.

        Raises:
            ExchangeError: Refused or `unreachable`.
        """
        written, keys = self._member.current(), self._enter()
        if written is not None and written.room != keys.room:
            return 0.0  # a policy has changed the room in between
        if written is not None and self._shown < written.seq:
            self._put(keys, written)
        elif written is not None and self._member.clock() >= self._heartbeat_at + limits.TOUCH_INTERVAL:
            self._heartbeat(keys, written)
        self._answer(keys)
        self._publish()
        heartbeat = self._heartbeat_at + limits.TOUCH_INTERVAL if written else float("inf")
        republish = self._policy_at + limits.REFRESH_INTERVAL if self._member.policy()[0] else float("inf")
        return min(self._member.due(), heartbeat, republish)

    def behind(self) -> bool:
        """Whether this rendezvous lacks something we hold."""
        written, (version, _) = self._member.current(), self._member.policy()
        reply = self._member.reply()
        unsent = reply is not None and self._answered < reply.number
        return unsent or self._policy_version < version or (written is not None and self._shown < written.seq)

    def leave(self) -> None:
        """Say farewell.

        Raises:
            ExchangeError: Refused or `unreachable`.
        """
        keys = self._member.keys()
        self.endpoint.delete(keys.room_key, keys.slot, self._member.farewell(), self._now_ms())

    def _enter(self) -> Keys:
        with self._member.changed:
            keys = self._member.keys()
            if keys.room != self._room:
                self._room, self._cursor, self._shown = keys.room, "", 0
                self._bad.clear()
            return keys

    def _put(self, keys: Keys, written: PublishedRecord) -> None:
        try:
            self.endpoint.put(keys.room_key, keys.slot, written.data, self._now_ms())
        except ExchangeError as error:
            if error.code == Code.STALE:
                self._cursor = ""  # ask for everything: our slot shows, under our signature, which number to exceed
                self.read(0)
            raise
        self._shown, self._heartbeat_at = written.seq, self._member.clock()

    def _answer(self, keys: Keys) -> None:
        """Put the answer to an order; it is put once, and expires by itself."""
        reply = self._member.reply()
        if reply is None or reply.room != keys.room or self._answered >= reply.number:
            return
        try:
            self.endpoint.put(keys.room_key, reply.slot, reply.data, self._now_ms())
        except ExchangeError as error:
            if error.code != Code.STALE:  # a newer answer of ours is there already
                raise
        self._answered = reply.number

    def _heartbeat(self, keys: Keys, written: PublishedRecord) -> None:
        now = self._now_ms()
        self._counter = max(self._counter + 1, now)
        try:
            self.endpoint.heartbeat(
                keys.room_key, keys.slot, sign_heartbeat(keys.slot_key, written.seq, self._counter), now
            )
        except ExchangeError as error:
            if error.code not in (Code.NO_RECORD, Code.STALE):
                raise
            self._put(keys, written)
        self._heartbeat_at = self._member.clock()

    def _publish(self) -> None:
        (version, data), now = self._member.policy(), self._member.clock()
        if not version or (self._policy_version >= version and now < self._policy_at + limits.REFRESH_INTERVAL):
            return
        try:
            self.endpoint.put_policy(self._member.fingerprint, data)
        except ExchangeError as error:
            if error.code != Code.STALE:  # it holds a newer one, which the next read brings
                raise
        self._policy_version, self._policy_at = version, now

    def _now_ms(self) -> int:
        return int(self._member.clock() * 1000)


def _seq_of(slot: str, items: tuple[tuple[str, bytes], ...], member: Membership) -> int:
    """Our record's number, if a rendezvous shows exactly the bytes we wrote."""
    written = member.current()
    return written.seq if written and (slot, written.data) in items else 0


def _version_of(policy: bytes | None, fingerprint: str) -> int:
    try:
        return verify_policy(policy or b"", fingerprint).version
    except ExchangeError:
        return 0


class Exchange:
    """Keeps a member and its rendezvous up to date while the block runs.

    Args:
        member: Who talks.
        urls: The rendezvous it was given; those of the policy are added.

    Raises:
        InputError: One of the URLs is invalid.
    """

    def __init__(self, member: Membership, urls: Iterable[str]) -> None:
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
        """Whether at least one rendezvous holds our newest record and policy, and answers; False before `publish`."""
        if self._member.current() is None:
            return False
        return any(not session.faults and not session.behind() for session in list(self._sessions.values()))

    def reachable(self) -> dict[str, bool]:
        """Whether each rendezvous answers, by URL."""
        return {url: not session.faults for url, session in list(self._sessions.items())}

    def clock_offset(self) -> float | None:
        """Seconds that this machine's clock is ahead of the rendezvous' clock, of the one that agrees best.

        None before any has answered.  One that lies makes a false alarm here and nothing else.
        """
        offsets = [session.clock_offset for session in list(self._sessions.values())]
        return min((each for each in offsets if each is not None), key=abs, default=None)

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
        # After an error, a read that does not wait tells at once whether all is well again.
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
