"""A member's dealings with one rendezvous, step by step: what is due there, what it showed.

No threads and no sleeping here: `read` makes one call and takes in the answer, `write` brings the
rendezvous up to date and says when that is due again.  A wiped server shows up as a reset without
our record, and gets record and policy again at once.
"""

from __future__ import annotations

from goldnode.discovery.alarm import Alarm, AlarmKind
from goldnode.discovery.client import Endpoint
from goldnode.discovery.member import Keys, Member
from goldnode.discovery.own_record import Written
from goldnode.errors import ExchangeError
from goldnode.protocol import limits
from goldnode.protocol.codes import Code
from goldnode.protocol.policy import verify_policy
from goldnode.protocol.record import sign_heartbeat


class Session:
    """One member at one rendezvous; `read` and `write` may run in two threads.

    Args:
        member: Who talks.
        endpoint: To whom.
    """

    def __init__(self, member: Member, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self.faults: dict[str, Exception] = {}
        self._member = member
        self._room = ""
        self._cursor = ""
        self._bad: dict[str, str] = {}
        self._shown = 0
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
        """List the room, or wait for its news, and take it in.

        Args:
            wait: Seconds the server may hold the request; the first call in a room never waits.

        Raises:
            ExchangeError: Refused, `unreachable`, or the answer is no answer.
        """
        keys = self._enter()
        listing = self.endpoint.list(
            keys.room_key, self._now_ms(), after=self._cursor, wait=wait, policy=self._member.fingerprint
        )
        with self._member.changed:
            if keys.room != self._room:
                return  # the other thread has entered a new room meanwhile
            if listing.reset:
                self._bad.clear()
                self._shown = _seq_of(keys.slot, listing.items, self._member)
                self._policy_version = _version_of(listing.policy, self._member.fingerprint)
            for slot, _ in listing.items:
                self._bad.pop(slot, None)
            self._bad |= self._member.take(listing)
            self._cursor = listing.cursor

    def write(self) -> float:
        """Put, heartbeat and re-publish whatever is due here.

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
        self._publish()
        heartbeat = self._heartbeat_at + limits.TOUCH_INTERVAL if written else float("inf")
        republish = self._policy_at + limits.REFRESH_INTERVAL if self._member.policy()[0] else float("inf")
        return min(self._member.due(), heartbeat, republish)

    def behind(self) -> bool:
        """Whether this rendezvous lacks something we hold."""
        written, (version, _) = self._member.current(), self._member.policy()
        return self._policy_version < version or (written is not None and self._shown < written.seq)

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

    def _put(self, keys: Keys, written: Written) -> None:
        try:
            self.endpoint.put(keys.room_key, keys.slot, written.data, self._now_ms())
        except ExchangeError as error:
            if error.code == Code.STALE:
                self._cursor = ""  # ask for everything: our slot shows, under our signature, what to go beyond
                self.read(0)
            raise
        self._shown, self._heartbeat_at = written.seq, self._member.clock()

    def _heartbeat(self, keys: Keys, written: Written) -> None:
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
            if error.code != Code.STALE:  # it holds a newer one, which the next reading brings
                raise
        self._policy_version, self._policy_at = version, now

    def _now_ms(self) -> int:
        return int(self._member.clock() * 1000)


def _seq_of(slot: str, items: tuple[tuple[str, bytes], ...], member: Member) -> int:
    """Our record's number, when a rendezvous shows the very bytes we wrote."""
    written = member.current()
    return written.seq if written and (slot, written.data) in items else 0


def _version_of(policy: bytes | None, fingerprint: str) -> int:
    try:
        return verify_policy(policy or b"", fingerprint).version
    except ExchangeError:
        return 0
