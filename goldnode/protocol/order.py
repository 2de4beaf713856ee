"""Orders: what an operator tells one node to do, and what the node answers.

An order is for one node and one life of that node; it has a number that rises with each of its signer's orders, a
date, an expiry and one verb.  `read_order` checks everything that needs no memory; ``goldnode.node.orders.journal``
remembers which numbers the node has seen.  No verb gives away a key, or does anything that cannot be undone.
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from goldnode.errors import ExchangeError
from goldnode.protocol import limits
from goldnode.protocol.facts import number_of, text_of
from goldnode.protocol.operator_key import read_grant
from goldnode.protocol.parcel import TEXT_BYTES, Parcel
from goldnode.protocol.seal import derive
from goldnode.protocol.wire import KEY, from_base64, parse_json, refuse, seed_of, to_base64

_LIFE = re.compile(r"[0-9a-f]{32}")
_WORD = re.compile(r"[a-z][a-z-]{0,31}")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_SENTENCE = re.compile(r"[^\x00-\x1f\x7f]{0,1000}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]+ *")
_KEYS = frozenset(
    {"signer", "grant", "number", "life", "issued", "until", "verb", "arguments", "reply"},
)


class Verb(StrEnum):
    """What can be ordered."""

    STATUS = "status"
    LOGS = "logs"
    RESTART = "restart"
    HOLD = "hold"
    START = "start"
    CONFIG = "config"
    TAKEOVER = "takeover"
    HANDOVER = "handover"


class OrderCode(StrEnum):
    """Why an order was refused; never renamed, never reused."""

    WRONG_LIFE = "wrong-life"
    REPLAYED = "replayed"
    LATE = "late"
    EARLY = "early"
    FORGED = "forged"
    NOT_ALLOWED = "not-allowed"
    KEY_OVER = "key-over"
    NO_VERB = "no-verb"
    BAD_ARGUMENTS = "bad-arguments"
    BUSY = "busy"


class OrderOutcome(StrEnum):
    """What came of an order."""

    DONE = "done"
    WORKING = "working"
    REFUSED = "refused"
    """Nothing was changed."""
    UNDONE = "undone"
    """It was carried out, the node was not well afterwards, and everything is as it was before."""
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Order:
    """An order.

    Attributes:
        signer: Who gives it: the root's public key, or an operator's.
        number: Greater than that of each earlier order from this signer to this node.
        life: Which life of the node it is for, 32 hex digits.
        issued: When it was written, unix milliseconds.
        until: When it expires, unix milliseconds.
        verb: What to do; may be one that this release does not know.
        arguments: The verb's arguments.
        reply: The X25519 public key that the answer is sealed to.
        grant: The root's grant for an operator's key; empty when the root itself orders.
        key_until: Unix seconds until which the signer may give orders; 0 for the root, whose right never expires.
    """

    signer: bytes
    number: int
    life: str
    issued: int
    until: int
    verb: str
    arguments: Mapping[str, Any]
    reply: bytes
    grant: bytes = b""
    key_until: int = 0


@dataclass(frozen=True, slots=True)
class OrderAnswer:
    """A node's answer to an order.

    Attributes:
        order: The order's digest.
        outcome: What came of it.
        said: One sentence for people.
        code: Why it was refused; empty otherwise.
        hint: What to type next; may be empty.
        result: The data that was asked for.
        time: When it was written, unix milliseconds, by the node's clock.
        final: No further answer to this order follows.
    """

    order: str
    outcome: OrderOutcome
    said: str
    code: str = ""
    hint: str = ""
    result: Mapping[str, Any] | None = None
    time: int = 0

    @property
    def final(self) -> bool:
        """Whether no further answer to this order follows."""
        return self.outcome is not OrderOutcome.WORKING


def forbid(message: str, code: OrderCode, hint: str = "") -> ExchangeError:
    """The error for an order that is not carried out; the caller raises it."""
    return ExchangeError(message, code=code, hint=hint)


def reply_seed(signer: Ed25519PrivateKey, number: int, node: str) -> bytes:
    """The secret that opens the answer to one order; it is derived, so nothing needs to be remembered."""
    return derive(seed_of(signer), number.to_bytes(8, "big"), b"goldnode/v1/reply" + bytes.fromhex(node))


def write_order(order: Order) -> bytes:
    """An order's text."""
    document = {
        "signer": to_base64(order.signer),
        "grant": to_base64(order.grant),
        "number": order.number,
        "life": order.life,
        "issued": order.issued,
        "until": order.until,
        "verb": order.verb,
        "arguments": dict(order.arguments),
        "reply": to_base64(order.reply),
    }
    return json.dumps(document, separators=(",", ":")).encode("ascii")


def read_order(parcel: Parcel, wrapping_seed: bytes, root: bytes) -> Order:
    """Open an order that is addressed to this node, and check that its signer may give orders at all.

    ``check_order`` decides whether *this* order may be carried out.

    Args:
        parcel: An order's parcel.
        wrapping_seed: The node's secret wrapping key.
        root: The cluster root's public key.

    Raises:
        ExchangeError: `malformed` or `forged`; no answer is sent, because nobody is known to have asked.
    """
    document = parse_json(parcel.open(wrapping_seed), "the order")
    if set(document) != _KEYS:
        raise refuse("an order has missing or unknown keys")
    signer, reply = (from_base64(document[name], name) for name in ("signer", "reply"))
    grant, arguments = from_base64(document["grant"], "grant"), document["arguments"]
    if len(signer) != KEY or len(reply) != KEY or not isinstance(arguments, dict):
        raise refuse("an order's keys or arguments are malformed")
    if not parcel.signed_by(signer):
        raise forbid("an order is not signed by the key that it names", OrderCode.FORGED)
    key_until = 0
    if signer != root:
        known = read_grant(grant, root)
        if known.operator != signer:
            raise forbid("an order carries another operator's grant", OrderCode.FORGED)
        key_until = known.not_after
    elif grant:
        raise refuse("an order from the root carries a grant")
    return Order(
        signer,
        number_of(document, "number", 1),
        text_of(document, "life", _LIFE),
        number_of(document, "issued"),
        number_of(document, "until"),
        text_of(document, "verb", _WORD),
        arguments,
        reply,
        grant,
        key_until,
    )


def check_order(order: Order, life: str, root: bytes, now: float) -> None:
    """Whether an order is for this life of the node, in its time, and within its signer's rights.

    Args:
        order: As ``read_order`` gave it.
        life: This node's.
        root: The cluster root's public key.
        now: Unix seconds.

    Raises:
        ExchangeError: With an `OrderCode`; nothing is done, and the signer is told.
    """
    if order.life != life:
        raise forbid("the order is for another life of this node", OrderCode.WRONG_LIFE)
    now_ms = now * 1000
    if order.issued > now_ms + limits.ORDER_SKEW * 1000 or order.number > now_ms + limits.CLOCK_SKEW * 1000:
        ahead = max(order.issued, order.number) / 1000 - now
        raise forbid(f"the order is dated {ahead:.0f} s in this node's future", OrderCode.EARLY, "chronyc tracking")
    if order.until < now_ms or order.until - order.issued > limits.ORDER_LIFE * 1000:
        why = f"ended {now - order.until / 1000:.0f} s ago" if order.until < now_ms else "is meant to hold for too long"
        hint = "give it again; if it happens again, compare the clocks: chronyc tracking"
        raise forbid(f"the order {why}", OrderCode.LATE, hint)
    if order.signer == root:
        return
    grant = read_grant(order.grant, root)
    if now > grant.not_after:
        raise forbid("the operator key has expired", OrderCode.KEY_OVER, "./invoke cluster operator NAME")
    if order.verb not in grant.verbs:
        may = ", ".join(sorted(grant.verbs))
        raise forbid(f"this operator key may not order {order.verb}; it may order {may}", OrderCode.NOT_ALLOWED,
                     "./invoke cluster operator NAME")  # fmt: skip


def write_answer(answer: OrderAnswer) -> bytes:
    """An answer's text; a result that is too long is cut, and says so."""
    for result in _shorter(answer.result or {}):
        document = {
            "order": answer.order,
            "outcome": answer.outcome.value,
            "said": _plain(answer.said),
            "code": answer.code,
            "hint": _plain(answer.hint),
            "result": result,
            "time": answer.time,
        }
        text = zlib.compress(json.dumps(document, separators=(",", ":")).encode(), 9)
        if len(text) <= TEXT_BYTES:
            return text
    raise refuse("an answer does not fit into a record")


def _plain(text: str) -> str:
    """A sentence on one line: the faults of a file come on several lines."""
    return _CONTROL.sub(" ", text)[:1000]


def _shorter(result: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The result, then the same with fewer and fewer lines of its log; the newest are kept."""
    lines = result.get("lines")
    if not isinstance(lines, list):
        return [dict(result), {"cut": True}]
    cuts = [len(lines) * left // 16 for left in range(15, -1, -1)]
    return [dict(result), *({**result, "lines": lines[len(lines) - left :], "cut": True} for left in cuts)]


def read_answer(parcel: Parcel, reply_secret: bytes, node_key: bytes) -> OrderAnswer:
    """Open a node's answer.

    Args:
        parcel: An answer's parcel.
        reply_secret: What ``reply_seed`` gives for the order.
        node_key: The node's public key.

    Raises:
        ExchangeError: `malformed` or `forged`; it is not this node's answer to this order.
    """
    if not parcel.signed_by(node_key):
        raise forbid("the answer is not signed by the node", OrderCode.FORGED)
    document = parse_json(_unpack(parcel.open(reply_secret)), "the answer")
    result = document.get("result")
    try:
        outcome = OrderOutcome(text_of(document, "outcome", _WORD))
    except ValueError as error:
        raise refuse("an answer has an unknown outcome") from error
    if not isinstance(result, dict):
        raise refuse("an answer's result is not an object")
    return OrderAnswer(
        text_of(document, "order", _DIGEST),
        outcome,
        text_of(document, "said", _SENTENCE),
        text_of(document, "code", re.compile(r"[a-z-]{0,32}")),
        text_of(document, "hint", _SENTENCE),
        result,
        number_of(document, "time"),
    )


def _unpack(data: bytes) -> bytes:
    unpacker = zlib.decompressobj()
    try:
        text = unpacker.decompress(data, limits.ANSWER_BYTES)
    except zlib.error as error:
        raise refuse("an answer cannot be unpacked") from error
    if not unpacker.eof or unpacker.unused_data:
        raise refuse("an answer is too long, or incomplete")
    return text
