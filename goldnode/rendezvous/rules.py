"""What may replace what in a slot: pure decisions on its content and what arrives.

Signatures have been checked before.  An expired slot counts as empty here.  The same bytes
again are neither an error nor a change: a client that lost the answer repeats itself
(docs/rendezvous-protocol.md, section 3).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from goldnode.protocol import limits
from goldnode.protocol.codes import Code
from goldnode.protocol.policy import SignedPolicy
from goldnode.protocol.record import Heartbeat, Record, Tombstone
from goldnode.protocol.wire import refuse
from goldnode.rendezvous.problem import RefusalError
from goldnode.rendezvous.storage.store import Row, SlotKind, Value

_ETAG = re.compile(r'"([1-9][0-9]{0,18})"')


@dataclass(frozen=True, slots=True)
class Change:
    """What to write.

    Attributes:
        value: The slot's new content.
        notify: Whether watchers are notified.
    """

    value: Value
    notify: bool = True


@dataclass(frozen=True, slots=True)
class Condition:
    """The client's precondition for changing the slot.

    Attributes:
        match: The revision that the slot must have; None for any.
        absent: The slot must be empty.
    """

    match: int | None = None
    absent: bool = False

    def check(self, there: Row | None) -> None:
        """Refuse (`precondition`) if the slot does not meet it."""
        if self.absent and there is not None:
            raise RefusalError("the slot is not empty", Code.PRECONDITION)
        if self.match is not None and (there is None or there.notify_rev != self.match):
            found = "nothing" if there is None else f"revision {there.notify_rev}"
            raise RefusalError(f"{found} is stored, not revision {self.match}", Code.PRECONDITION)


def parse_condition(if_match: str | None, if_none_match: str | None) -> Condition:
    """Read the two condition headers.

    Raises:
        ExchangeError: `malformed`.
    """
    if if_none_match not in (None, "*"):
        raise refuse("If-None-Match accepts only *")
    if if_match is None:
        return Condition(absent=if_none_match is not None)
    found = _ETAG.fullmatch(if_match)
    if not found or if_none_match is not None:
        raise refuse('If-Match takes one revision in quotes, such as "17", and no If-None-Match beside it')
    return Condition(match=int(found[1]))


def put_record(there: Row | None, record: Record, condition: Condition, now: float) -> Change | None:
    """Decide on a record; None if it is there already.

    Raises:
        RefusalError: `precondition` or `stale`.
    """
    if there is not None and there.value.body == record.data:
        return None
    condition.check(there)
    _rises(there, record.seq)
    life = min(record.ttl, limits.LIFETIME_MAX)
    return Change(Value(SlotKind.RECORD, record.seq, 0, life, now + life, record.data))


def put_tombstone(there: Row | None, tombstone: Tombstone, condition: Condition, now: float) -> Change | None:
    """Decide on a tombstone; None if it is there already.

    Raises:
        RefusalError: `precondition` or `stale`.
    """
    if there is not None and there.value.body == tombstone.data:
        return None
    condition.check(there)
    _rises(there, tombstone.seq)
    expires = now + limits.TOMBSTONE_TTL
    return Change(Value(SlotKind.TOMBSTONE, tombstone.seq, 0, limits.TOMBSTONE_TTL, expires, tombstone.data))


def heartbeat(there: Row | None, heartbeat: Heartbeat, condition: Condition, now: float) -> Change | None:
    """Decide on a heartbeat; None if it was accepted before.

    Raises:
        RefusalError: `no-record`, `precondition` or `stale`.
    """
    if there is None or there.value.kind is not SlotKind.RECORD:
        raise RefusalError("there is no record", Code.NO_RECORD)
    value = there.value
    if heartbeat.seq != value.seq:
        raise RefusalError(f"the stored record has seq {value.seq}", Code.STALE, seq=value.seq)
    if heartbeat.counter == value.heartbeat:
        return None
    condition.check(there)
    if heartbeat.counter < value.heartbeat:
        raise RefusalError(f"counter {value.heartbeat} was seen already", Code.STALE, seq=value.seq)
    return Change(replace(value, heartbeat=heartbeat.counter, expires=now + value.ttl), notify=False)


def put_policy(there: Row | None, policy: SignedPolicy, now: float) -> Change:
    """Decide on a policy; the same one again is kept longer.

    Raises:
        RefusalError: `stale`.
    """
    value = Value(SlotKind.POLICY, policy.version, 0, limits.POLICY_TTL, now + limits.POLICY_TTL, policy.data)
    if there is not None and there.value.body == policy.data:
        return Change(value, notify=False)
    _rises(there, policy.version)
    return Change(value)


def _rises(there: Row | None, seq: int) -> None:
    if there is not None and seq <= there.value.seq:
        found = there.value.seq
        raise RefusalError(f"{seq} is not greater than {found}, the stored one", Code.STALE, seq=found)
