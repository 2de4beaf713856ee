"""What may replace what in a slot."""

from __future__ import annotations

import pytest

from goldnode.errors import ExchangeError
from goldnode.protocol import limits
from goldnode.protocol.policy import SignedPolicy
from goldnode.protocol.record import Heartbeat, Record, Tombstone
from goldnode.rendezvous import rules
from goldnode.rendezvous.problem import RefusalError
from goldnode.rendezvous.rules import Change, Condition
from goldnode.rendezvous.storage.store import Row, SlotKind, Value

NOW = 1000.0
ANY = Condition()


def record(seq: int, data: bytes = b"new") -> Record:
    """A record as the checks leave it."""
    return Record(data, "slot", seq, 600, b"", b"")


def there(seq: int = 5, kind: SlotKind = SlotKind.RECORD, touch: int = 0, body: bytes = b"old") -> Row:
    """What lies in the slot: written last as revision 9, news since revision 7."""
    return Row("slot", 9, 7, Value(kind, seq, touch, 600, NOW + 1, body))


def policy(version: int, data: bytes = b"new") -> SignedPolicy:
    """A policy as the checks leave it."""
    return SignedPolicy(data, b"", version, 1, b"", (), b"", b"")


@pytest.mark.parametrize("lies", [None, there(4), there(4, SlotKind.TOMBSTONE)])
def test_record_is_taken(lies: Row | None) -> None:
    """A record takes an empty slot, or the place of anything with a smaller seq, and forgets its touches."""
    expected = Change(Value(SlotKind.RECORD, 5, 0, 600, NOW + 600, b"new"))

    assert expected == rules.put_record(lies, record(5), ANY, NOW)


def test_no_record_outlives_its_hour() -> None:
    """Whatever ttl it asks for, a record is kept for an hour at most, from its put and from each touch."""
    week = Record(b"new", "slot", 5, limits.TTL_MAX, b"", b"")

    put = rules.put_record(None, week, ANY, NOW)

    assert put is not None
    assert (3600, NOW + 3600) == (put.value.ttl, put.value.expires)
    touched = rules.heartbeat(Row("slot", 9, 7, put.value), Heartbeat("slot", 5, 1), ANY, NOW + 3000)
    assert touched is not None
    assert NOW + 6600 == touched.value.expires


@pytest.mark.parametrize("seq", [5, 4, 1])
def test_record_is_stale(seq: int) -> None:
    """Other bytes with a seq that does not rise are refused with the seq that lies there."""
    with pytest.raises(RefusalError) as refused:
        rules.put_record(there(5), record(seq), ANY, NOW)

    assert ("stale", 5) == (refused.value.code, refused.value.seq)


def test_same_bytes() -> None:
    """The same bytes again change nothing, whatever the condition says: the client lost the answer."""
    absent = Condition(absent=True)

    assert rules.put_record(there(5), record(5, b"old"), absent, NOW) is None
    assert rules.put_tombstone(there(5, SlotKind.TOMBSTONE), Tombstone(b"old", "slot", 5), absent, NOW) is None


def test_tombstone() -> None:
    """A tombstone stays for its seven days and is news."""
    expected = Change(Value(SlotKind.TOMBSTONE, 6, 0, limits.TOMBSTONE_TTL, NOW + limits.TOMBSTONE_TTL, b"bye"))

    assert expected == rules.put_tombstone(there(5), Tombstone(b"bye", "slot", 6), ANY, NOW)
    assert expected == rules.put_tombstone(None, Tombstone(b"bye", "slot", 6), ANY, NOW)


def test_touch() -> None:
    """A touch with a greater counter extends, and is no news; the one accepted last changes nothing."""
    expected = Change(Value(SlotKind.RECORD, 5, 4, 600, NOW + 600, b"old"), notify=False)

    assert expected == rules.heartbeat(there(5, touch=3), Heartbeat("slot", 5, 4), ANY, NOW)
    assert rules.heartbeat(there(5, touch=4), Heartbeat("slot", 5, 4), ANY, NOW) is None


@pytest.mark.parametrize(
    ("lies", "heartbeat", "code"),
    [
        (None, Heartbeat("slot", 5, 1), "no-record"),
        (there(5, SlotKind.TOMBSTONE), Heartbeat("slot", 5, 1), "no-record"),
        (there(5), Heartbeat("slot", 4, 1), "stale"),
        (there(5), Heartbeat("slot", 6, 1), "stale"),
        (there(5, touch=3), Heartbeat("slot", 5, 2), "stale"),
    ],
)
def test_touch_refused(lies: Row | None, heartbeat: Heartbeat, code: str) -> None:
    """A touch must name the record that lies there and count upward."""
    with pytest.raises(RefusalError) as refused:
        rules.heartbeat(lies, heartbeat, ANY, NOW)

    assert code == refused.value.code


def test_policy() -> None:
    """A policy's version must rise; the same again lives longer and is no news."""
    expires = NOW + limits.POLICY_TTL
    fresh = Change(Value(SlotKind.POLICY, 6, 0, limits.POLICY_TTL, expires, b"new"))
    again = Change(Value(SlotKind.POLICY, 5, 0, limits.POLICY_TTL, expires, b"old"), notify=False)

    assert (
        fresh == rules.put_policy(there(5, SlotKind.POLICY), policy(6), NOW) == rules.put_policy(None, policy(6), NOW)
    )
    assert again == rules.put_policy(there(5, SlotKind.POLICY), policy(5, b"old"), NOW)
    with pytest.raises(RefusalError, match="5 is not greater than 5"):
        rules.put_policy(there(5, SlotKind.POLICY), policy(5), NOW)


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ((None, None), Condition()),
        (('"17"', None), Condition(match=17)),
        ((None, "*"), Condition(absent=True)),
    ],
)
def test_condition(headers: tuple[str | None, str | None], expected: Condition) -> None:
    """Both conditions of the protocol are understood."""
    assert expected == rules.parse_condition(*headers)


@pytest.mark.parametrize(
    "headers", [("17", None), ('W/"17"', None), ('"0"', None), ("*", None), (None, '"1"'), ('"1"', "*"), ("", None)]
)
def test_condition_refused(headers: tuple[str | None, str | None]) -> None:
    """Any other condition is malformed: ignoring it would be worse."""
    with pytest.raises(ExchangeError) as refused:
        rules.parse_condition(*headers)

    assert "malformed" == refused.value.code


@pytest.mark.parametrize(
    ("condition", "lies", "holds"),
    [
        (Condition(match=7), there(), True),
        (Condition(match=9), there(), False),
        (Condition(match=7), None, False),
        (Condition(absent=True), None, True),
        (Condition(absent=True), there(), False),
    ],
)
def test_condition_checked(condition: Condition, lies: Row | None, holds: bool) -> None:
    """If-Match compares the revision that readers see, which touches do not raise."""
    if holds:
        condition.check(lies)
    else:
        with pytest.raises(RefusalError, match=r"revision|empty"):
            condition.check(lies)
