"""Every parser of hostile bytes, starting from valid signed ones: it refuses with a code, or the bytes were good."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from goldnode.errors import ExchangeError, InputError
from goldnode.protocol import policy as module
from goldnode.protocol.announcement import write_document
from goldnode.protocol.codes import STATUS, Code
from goldnode.protocol.enrolment import read_enrolment
from goldnode.protocol.facts import read_facts, write_facts
from goldnode.protocol.invite import PREFIX, read_invite, write_invite
from goldnode.protocol.policy import Policy, open_policy, verify_policy
from goldnode.protocol.record import (
    Record,
    sign_heartbeat,
    sign_record,
    sign_tombstone,
    verify_heartbeat,
    verify_record,
    verify_tombstone,
)
from goldnode.protocol.request import PROOF, ROOM_KEY, TIME, sign_request, verify_request
from goldnode.protocol.seal import RecordBinding, room_key, seal_record, slot_key
from goldnode.protocol.wire import Purpose, parse_json, read_body, sign, write_body
from tests.support.cluster_lab import NOW, Dice, Lab, facts, read_announcement

LAB = Lab()
SLOT_KEY = slot_key(LAB.node("a"), LAB.room)
SLOT = LAB.slot("a")

PARSERS: dict[str, tuple[bytes, Callable[[bytes], Any]]] = {
    "record": (LAB.record("a"), lambda data: verify_record(data, SLOT)),
    "touch": (sign_heartbeat(SLOT_KEY, 7, 8), lambda data: verify_heartbeat(data, SLOT)),
    "tombstone": (sign_tombstone(SLOT_KEY, 9), lambda data: verify_tombstone(data, SLOT)),
    "policy": (LAB.policy(members=("a", "b")), lambda data: verify_policy(data, LAB.fingerprint)),
    "enrolment": (LAB.enrol("a").data, read_enrolment),
}


def attempt(call: Callable[[], Any]) -> Any:
    """What a parser gives, or the code with which it refuses; anything else it raises fails the test."""
    try:
        return call()
    except ExchangeError as refusal:
        return Code(refusal.code)


@st.composite
def spoilt(draw: st.DrawFn, data: bytes) -> bytes:
    """The bytes with some flipped, cut out, doubled or put in."""
    hurt = bytearray(data)
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(hurt)))
        match draw(st.sampled_from(["flip", "cut", "insert", "double"])):
            case "flip" if at < len(hurt):
                hurt[at] ^= draw(st.integers(1, 255))
            case "cut":
                del hurt[at : at + draw(st.integers(1, 40))]
            case "insert":
                hurt[at:at] = draw(st.binary(min_size=1, max_size=40))
            case _:
                hurt[at:at] = hurt[at : at + 8]
    return bytes(hurt)


@pytest.mark.parametrize("name", PARSERS)
def test_valid_bytes_pass(name: str) -> None:
    """What the fuzzing starts from is good."""
    data, parse = PARSERS[name]

    assert parse(data) is not None


@pytest.mark.parametrize("name", PARSERS)
@settings(max_examples=150, deadline=None)
@given(draw=st.data())
def test_spoilt_bytes_are_refused(name: str, draw: st.DataObject) -> None:
    """No spoilt structure passes, and none raises anything but a refusal with a known code."""
    data, parse = PARSERS[name]
    hurt = draw.draw(spoilt(data))
    if hurt == data:
        return

    assert attempt(lambda: parse(hurt)) in STATUS


@settings(max_examples=150, deadline=None)
@given(hurt=spoilt(write_body("record", b"x" * 90)))
def test_a_body_holds_bytes_or_is_refused(hurt: bytes) -> None:
    """A request's body gives bytes, which writing gives back, or a refusal."""
    found = attempt(lambda: read_body(hurt, "record"))

    assert found in {Code.MALFORMED, Code.TOO_LARGE} or read_body(write_body("record", found), "record") == found


@settings(max_examples=150, deadline=None)
@given(document=st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
), field=st.sampled_from(sorted(write_document(LAB.announcement("a")))))  # fmt: skip
def test_any_value_in_any_field_of_an_announcement(document: Any, field: str) -> None:
    """A node that signs nonsense in a field is refused, or the value is one the field may have."""
    said = {**write_document(LAB.announcement("a")), field: document}
    record = _signed(json.dumps(said).encode())

    read = attempt(lambda: read_announcement(record, LAB.cluster_key, LAB.root_public))

    assert read in (Code.MALFORMED, Code.UNKNOWN_VERSION) or document == write_document(read)[field]


@settings(max_examples=100, deadline=None)
@given(
    text=st.binary(max_size=400)
    | st.sampled_from([b"[" * 4000, b'{"a":' * 700, b'{"a":1,"a":2}', b'{"a":NaN}', b"9" * 4000])
)
def test_a_member_that_seals_garbage_is_refused(text: bytes) -> None:
    """Signed, sealed garbage is a refusal, whatever it nests or repeats."""
    found = attempt(lambda: read_announcement(_signed(text), LAB.cluster_key, LAB.root_public))

    assert found == Code.MALFORMED


@settings(max_examples=60, deadline=None)
@given(draw=st.data())
def test_spoilt_policy_bodies_of_the_root_are_refused(draw: st.DataObject) -> None:
    """A policy whose body the root signed in a form we do not know is refused, not half understood."""
    body = module._write_body(Policy(endpoints=("http://203.0.113.1:1",)))
    hurt = draw.draw(spoilt(body))

    found = attempt(lambda: module._read_body(hurt))

    assert found == Code.MALFORMED or found == module._read_body(module._write_body(found))


@settings(max_examples=200, deadline=None)
@given(draw=st.data())
def test_spoilt_invites_say_so(draw: st.DataObject) -> None:
    """A mistyped or cut invite is an input error with a hint, and its text is not repeated."""
    line = write_invite(LAB.invite())
    at = draw.draw(st.integers(0, len(line) - 1))
    hurt = line[:at] + draw.draw(st.text(alphabet="abcxyz237 189=_é", max_size=2)) + line[at + 1 :]
    if hurt.strip() == line:
        return
    with pytest.raises(InputError) as refusal:
        read_invite(hurt)

    assert refusal.value.hint
    assert line[len(PREFIX) + 200 :] not in str(refusal.value)


@settings(max_examples=150, deadline=None)
@given(draw=st.data())
def test_spoilt_requests_are_refused(draw: st.DataObject) -> None:
    """A request of which anything that is signed was changed is refused with a code."""
    target, body, now = f"/v1/rooms/{LAB.room}/slots/{SLOT}", b'{"record":""}', int(NOW * 1000)
    headers = sign_request(room_key(LAB.cluster_key), "PUT", target, body=body, now_ms=now)
    name = draw.draw(st.sampled_from([ROOM_KEY, TIME, PROOF, "if-match", "method", "target", "body"]))
    junk = draw.draw(st.text(max_size=90))
    sent = {"method": "PUT", "target": target, "body": body.decode()}
    if (headers | sent).get(name, "") == junk:
        return
    if name in sent:
        sent[name] = junk
    else:
        headers[name] = junk
    sent_body = sent["body"].encode("utf-8", "surrogatepass")

    found = attempt(
        lambda: verify_request(
            LAB.room, sent["method"], sent["target"], headers=headers, body=sent_body, now_ms=now, server="0" * 32
        )
    )

    assert found in STATUS


@settings(max_examples=100, deadline=None)
@given(data=st.binary(max_size=300))
def test_json_is_an_object_or_refused(data: bytes) -> None:
    """Any bytes are a JSON object, or `malformed`."""
    found = attempt(lambda: parse_json(data, "it"))

    assert found == Code.MALFORMED or isinstance(found, dict)


def test_facts_survive_their_own_form() -> None:
    """Facts written and read again are the same."""
    said = facts("a")

    assert said == read_facts(write_facts(said))


def test_a_policy_under_another_key_does_not_open() -> None:
    """A policy's body stays closed to whoever lacks the epoch's key."""
    signed = verify_policy(LAB.policy(), LAB.fingerprint)

    assert open_policy(signed, bytes(32)) is None


def _signed(text: bytes) -> Record:
    place, salt = RecordBinding(LAB.room, SLOT, 7), Dice("fuzz")(32)
    signature = sign(LAB.node("a"), Purpose.ANNOUNCEMENT, place.data + text)
    data = sign_record(SLOT_KEY, 7, 600, salt, seal_record(LAB.cluster_key, place, salt, signature, text))
    return verify_record(data, SLOT)
