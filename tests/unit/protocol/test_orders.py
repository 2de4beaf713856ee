"""Orders and answers on the wire: frozen, read back, refused where they were changed."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from goldnode.errors import ExchangeError
from goldnode.protocol import limits, order
from goldnode.protocol.operator_key import grant_operator, read_grant
from goldnode.protocol.order import Order, OrderAnswer, OrderOutcome, check_order, read_answer, read_order, reply_seed
from goldnode.protocol.parcel import Parcel, ParcelKind, is_parcel, parcel_key, read_parcel, write_parcel
from goldnode.protocol.record import verify_record
from goldnode.protocol.seal import Inside, open_inside, room_of, wrapping_keys
from goldnode.protocol.wire import hash_of, key_from_seed, node_id_of, public_of
from tests.support.order_lab import mutated

VECTORS: dict[str, Any] = json.loads((Path(__file__).parents[2] / "vectors" / "orders-v1.json").read_text())
GIVEN, EXPECTED = VECTORS["given"], VECTORS["expected"]
ROOT, NODE, OPERATOR, THIEF = (
    key_from_seed(bytes.fromhex(GIVEN[name])) for name in ("root_seed", "node_seed", "operator_seed", "thief_seed")
)
K, WRAPPING = bytes.fromhex(GIVEN["cluster_key"]), bytes.fromhex(GIVEN["box_seed"])
NODE_ID = node_id_of(public_of(NODE))
NOW = GIVEN["time"] / 1000


def drawn(name: str) -> Callable[[int], bytes]:
    """The bytes the file says were drawn, in their order."""
    pieces = iter(GIVEN["random"][name])
    return lambda size: bytes.fromhex(next(pieces))[:size]


def the_order() -> Order:
    """The operator's order."""
    said = GIVEN["order"]
    grant = grant_operator(ROOT, public_of(OPERATOR), GIVEN["grant"]["verbs"], GIVEN["grant"]["not_after"])
    reply = wrapping_keys(reply_seed(OPERATOR, said["number"], NODE_ID))[1]
    return Order(public_of(OPERATOR), said["number"], said["life"], said["issued"], said["until"], said["verb"],
                 said["arguments"], reply, grant.data, grant.not_after)  # fmt: skip


def sealed(text: bytes, kind: ParcelKind = ParcelKind.ORDER, random: Callable[[int], bytes] | None = None) -> bytes:
    """A text as a record, by whoever writes such."""
    key = OPERATOR if kind is ParcelKind.ORDER else NODE
    reader = WRAPPING if kind is ParcelKind.ORDER else reply_seed(OPERATOR, GIVEN["order"]["number"], NODE_ID)
    return write_parcel(kind, NODE_ID, text, key=key, recipient=wrapping_keys(reader)[1], cluster_key=K,
                        seq=GIVEN["order"]["number"], random=random or drawn(kind.name.lower()))  # fmt: skip


def opened(data: bytes) -> Parcel:
    """The parcel in a record."""
    inside = open_inside(verify_record(data, hash_of(data[1:33])), K)
    assert is_parcel(inside)
    return read_parcel(inside)


def the_answer() -> OrderAnswer:
    """The node's answer."""
    said = GIVEN["answer"]
    outcome = OrderOutcome(said["outcome"])
    texts = {name: said[name] for name in ("said", "code", "hint", "result", "time")}
    return OrderAnswer(EXPECTED["order_digest"], outcome, **texts)


def test_what_is_written_is_frozen() -> None:
    """Grant, order and answer, byte for byte, and the slots that they lie in."""
    record = sealed(order.write_order(the_order()))
    answer = sealed(GIVEN_ANSWER_TEXT, ParcelKind.ANSWER)
    slots = {kind.name.lower(): hash_of(public_of(parcel_key(key, room_of(K), NODE_ID, kind)))
             for kind, key in ((ParcelKind.ORDER, OPERATOR), (ParcelKind.ANSWER, NODE))}  # fmt: skip

    assert EXPECTED["grant"] == base64.b64encode(the_order().grant).decode()
    assert EXPECTED["order_text"] == order.write_order(the_order()).decode()
    assert EXPECTED["order"] == base64.b64encode(record).decode()
    assert EXPECTED["order_digest"] == opened(record).digest
    assert EXPECTED["answer"] == base64.b64encode(answer).decode()
    assert EXPECTED["slots"] == slots


GIVEN_ANSWER_TEXT = base64.b64decode(EXPECTED["answer_text"])


def test_what_was_written_is_read() -> None:
    """By the node the order, by the operator the answer."""
    parcel = opened(base64.b64decode(EXPECTED["order"]))
    answer = opened(base64.b64decode(EXPECTED["answer"]))
    secret = reply_seed(OPERATOR, GIVEN["order"]["number"], NODE_ID)
    found = read_order(parcel, WRAPPING, public_of(ROOT))
    check_order(found, GIVEN["order"]["life"], public_of(ROOT), NOW)

    assert the_order() == found
    assert the_answer() == read_answer(answer, secret, public_of(NODE))
    again = opened(sealed(order.write_answer(the_answer()), ParcelKind.ANSWER))
    assert the_answer() == read_answer(again, secret, public_of(NODE))


def carried_out(case: dict[str, Any]) -> None:
    """What a node does with an order before it looks at what it remembers."""
    found = read_order(opened(base64.b64decode(case["record"])), WRAPPING, public_of(ROOT))
    check_order(found, case["life"], public_of(ROOT), case["now"] / 1000)


@pytest.mark.parametrize("case", VECTORS["refused"], ids=lambda case: case["why"])
def test_refused(case: dict[str, Any]) -> None:
    """Every implementation refuses these, for these reasons."""
    with pytest.raises(ExchangeError) as refusal:
        carried_out(case)

    assert case["code"] == refusal.value.code


def test_ten_thousand_mutations_of_a_valid_order_are_none() -> None:
    """Whoever holds the room's key can change what is in a record; what comes of it is no order."""
    record = verify_record(base64.b64decode(EXPECTED["order"]), EXPECTED["slots"]["order"])
    inside = open_inside(record, K)
    whole = inside.signature + inside.text
    for number in range(10_000):
        changed = mutated(whole, number)
        other = Inside(inside.binding, changed[:64], changed[64:])
        with pytest.raises(ExchangeError):
            read_order(read_parcel(other), WRAPPING, public_of(ROOT))


def test_an_order_that_was_moved_is_none() -> None:
    """To another slot or number, as a whole: the signature is for the place where it was put."""
    inside = open_inside(verify_record(base64.b64decode(EXPECTED["order"]), EXPECTED["slots"]["order"]), K)
    binding = inside.binding
    for other in (
        type(binding)(binding.room, binding.slot, binding.seq + 1),
        type(binding)(binding.room, "0" * 64, binding.seq),
        type(binding)("0" * 64, binding.slot, binding.seq),
    ):
        with pytest.raises(ExchangeError):
            read_order(read_parcel(Inside(other, inside.signature, inside.text)), WRAPPING, public_of(ROOT))


def test_a_long_log_is_cut_from_its_front() -> None:
    """An answer fits into a record whatever a daemon logs; the newest lines are those that stay."""
    lines = [hash_of(str(number).encode()) for number in range(400)]
    answer = OrderAnswer("0" * 64, OrderOutcome.DONE, "400 lines", result={"lines": lines})
    secret = reply_seed(OPERATOR, GIVEN["order"]["number"], NODE_ID)

    found = read_answer(opened(sealed(order.write_answer(answer), ParcelKind.ANSWER)), secret, public_of(NODE))

    assert found.result
    assert found.result["cut"]
    assert lines[-1] == found.result["lines"][-1]
    assert 20 < len(found.result["lines"]) < 400


def test_an_answer_that_grows_without_end_is_none() -> None:
    """A node that somebody broke into does not fill its operator's memory."""
    bomb = zlib.compress(b" " * (limits.ANSWER_BYTES + 1), 9)
    secret = reply_seed(OPERATOR, GIVEN["order"]["number"], NODE_ID)

    with pytest.raises(ExchangeError, match="too long"):
        read_answer(opened(sealed(bomb, ParcelKind.ANSWER)), secret, public_of(NODE))


def test_a_grant_of_another_root_is_none() -> None:
    """A grant says whose it is, and that is checked."""
    grant = grant_operator(THIEF, public_of(THIEF), ["hold"], GIVEN["grant"]["not_after"])

    with pytest.raises(ExchangeError) as refusal:
        read_grant(grant.data, public_of(ROOT))

    assert "wrong-root" == refusal.value.code
