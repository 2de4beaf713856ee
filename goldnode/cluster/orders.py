"""Gives an order to a node, and waits for its answer.

The order goes to every rendezvous; the answer is taken from whichever shows it first.  An unanswered order expires:
nothing is carried out an hour after somebody gave up.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from goldnode.cluster import govern, room
from goldnode.cluster.operator_file import Operator
from goldnode.discovery.client import Endpoint
from goldnode.discovery.roster import Peer
from goldnode.errors import ExchangeError, HostError, SafetyError, UsageError
from goldnode.files import locked, write_json
from goldnode.protocol.order import (
    Order,
    OrderAnswer,
    OrderCode,
    OrderOutcome,
    Verb,
    read_answer,
    reply_seed,
    write_order,
)
from goldnode.protocol.parcel import Parcel, ParcelKind, parcel_key, read_parcel, write_parcel
from goldnode.protocol.record import verify_record
from goldnode.protocol.seal import open_inside, room_key, room_of, wrapping_keys
from goldnode.protocol.wire import hash_of, public_of

#: Seconds that an order is valid by default: a node that is away now may be back soon.
LIFE = 120
#: Seconds to wait for news at one rendezvous before the next one's turn.
TURN = 5
_MODE = 0o600


@dataclass(frozen=True, slots=True)
class Sent:
    """An order that has been sent.

    Attributes:
        node: The node's ID.
        name: Its name, for people.
        digest: The order's digest.
        node_key: The node's public key, which signs the answer.
        reply_secret: Opens the answer.
        until: Unix seconds at which the order expires.
        within: Seconds that the node may take, once it has begun.
    """

    node: str
    name: str
    digest: str
    node_key: bytes
    reply_secret: bytes
    until: float
    within: int


def give(
    operator: Operator,
    node: str,
    verb: Verb,
    arguments: Mapping[str, Any],
    clock: Callable[[], float] = time.time,
    random: Callable[[int], bytes] = os.urandom,
) -> Sent:
    """Write an order for a node and put it at every rendezvous.

    Raises:
        UsageError: The name matches no node or several, or the node takes no orders.
        ExchangeError: No rendezvous took it.
    """
    room.read(operator, clock)
    peer = find(operator, node)
    now, life = clock(), peer.announcement.facts.orders
    number = _next_number(operator, now)
    secret = reply_seed(operator.key, number, peer.node_id)
    order = Order(
        signer=public_of(operator.key),
        number=number,
        life=life,
        issued=int(now * 1000),
        until=int((now + LIFE) * 1000),
        verb=verb.value,
        arguments=arguments,
        reply=wrapping_keys(secret)[1],
        grant=operator.grant,
    )
    enrolment = peer.announcement.enrolment
    data = write_parcel(
        ParcelKind.ORDER,
        peer.node_id,
        write_order(order),
        key=operator.key,
        recipient=enrolment.wrapping_key,
        cluster_key=operator.view.cluster_key,
        seq=number,
        random=random,
    )
    _put(operator, peer.node_id, data, now)
    within = arguments.get("within", 0)
    digest = _open(operator, data).digest
    name = peer.announcement.facts.moniker
    return Sent(peer.node_id, name, digest, enrolment.node, secret, now + LIFE, within if type(within) is int else 0)


def find(operator: Operator, node: str) -> Peer:
    """The member that a name means.

    Raises:
        UsageError: There is none, or it takes no orders.
    """
    node_id = govern.find_node(operator, node)
    peer = operator.view.roster.members.get(node_id)
    hint = f"./invoke cluster status {operator.settings.name}"
    if peer is None:
        raise UsageError(f"{node} is not a member of cluster {operator.settings.name}", hint=hint)
    if not peer.announcement.facts.orders:
        raise UsageError(f"{node} takes no orders: its image is older than this feature", hint="launch a new image")
    return peer


def sentries(operator: Operator, clock: Callable[[], float] = time.time) -> list[str]:
    """Node IDs of the cluster's sentries, as the room shows them now.

    Raises:
        UsageError: There is none.
    """
    room.read(operator, clock)
    members = operator.view.roster.members.items()
    found = sorted(node for node, peer in members if peer.announcement.enrolment.role == "sentry")
    if not found:
        name = operator.settings.name
        raise UsageError(f"cluster {name} has no sentries", hint=f"./invoke cluster status {name}")
    return found


def answers(operator: Operator, sent: Sent, clock: Callable[[], float] = time.time) -> Iterator[OrderAnswer]:
    """The node's answers as they arrive, the final one last.

    Raises:
        ExchangeError: None came in time.
    """
    urls, cursors, last = room.endpoints(operator), dict[str, str](), None
    endpoints = [Endpoint(url) for url in urls]
    end = sent.until + TURN
    while clock() < end:
        for endpoint in endpoints:
            with contextlib.suppress(ExchangeError):
                answer = _ask(operator, sent, endpoint, cursors, clock())
                if answer is None or (last is not None and answer == last):
                    continue
                last = answer
                yield answer
                if answer.final:
                    return
                end = max(end, clock() + sent.within + 2 * TURN)
        time.sleep(0.2)
    begun = f"it said last: {last.said}" if last else "nothing was heard of it"
    raise ExchangeError(
        f"{sent.name} has not answered in time: {begun}",
        code="unanswered",
        hint=f"./invoke cluster status {operator.settings.name}",
    )


def check(answer: OrderAnswer, name: str) -> None:
    """Check that an order was carried out.

    Raises:
        UsageError: The node does not know the order, or rejects its arguments.
        ExchangeError: The order was not valid for this node, at this time, from this key.
        SafetyError: The node refused it, because it would be unsafe.
        HostError: It was carried out, and the node was unhealthy afterwards.
    """
    if answer.outcome is OrderOutcome.REFUSED:
        message = f"{name} refuses: {answer.said}"
        if answer.code in (OrderCode.BAD_ARGUMENTS, OrderCode.NO_VERB):
            raise UsageError(message, hint=answer.hint or "./invoke --list node")
        if answer.code:
            raise ExchangeError(message, code=answer.code, hint=answer.hint)
        raise SafetyError(message, hint=answer.hint)
    if answer.outcome in (OrderOutcome.UNDONE, OrderOutcome.FAILED):
        hint = answer.hint or f"./invoke node {name} logs"
        raise HostError(f"{name}: {answer.outcome}: {answer.said}", hint=hint)


def _next_number(operator: Operator, now: float) -> int:
    """The number of the next order; on disk before it is used."""
    path = operator.numbers
    with locked(path.with_name(f".{path.name}.lock")):
        try:
            last = int(json.loads(path.read_text())["number"])
        except (OSError, ValueError, KeyError, TypeError):
            last = 0
        number = max(last + 1, int(now * 1000))
        write_json(path, {"version": 1, "number": number}, _MODE)
    return number


def _put(operator: Operator, node_id: str, data: bytes, now: float) -> None:
    cluster_key = operator.view.cluster_key
    slot = hash_of(public_of(parcel_key(operator.key, room_of(cluster_key), node_id, ParcelKind.ORDER)))
    took, refusal = False, None
    for url in room.endpoints(operator):
        try:
            Endpoint(url).put(room_key(cluster_key), slot, data, int(now * 1000))
            took = True
        except ExchangeError as error:
            refusal = error
    if not took and refusal:
        raise refusal


def _ask(operator: Operator, sent: Sent, endpoint: Endpoint, cursors: dict[str, str], now: float) -> OrderAnswer | None:
    """The answer as one rendezvous shows it, if it does."""
    key = room_key(operator.view.cluster_key)
    after = cursors.get(endpoint.url, "")
    wait = TURN if after else 0
    listing = endpoint.list(key, int(now * 1000), after=after, wait=wait, policy=operator.view.fingerprint)
    cursors[endpoint.url] = listing.cursor
    found = None
    for slot, data in listing.items:
        with contextlib.suppress(ExchangeError):
            parcel = _open(operator, data, slot)
            if parcel.kind is ParcelKind.ANSWER and parcel.node == sent.node:
                answer = read_answer(parcel, sent.reply_secret, sent.node_key)
                found = answer if answer.order == sent.digest else found
    return found


def _open(operator: Operator, data: bytes, slot: str = "") -> Parcel:
    record = verify_record(data, slot or hash_of(data[1:33]))
    return read_parcel(open_inside(record, operator.view.cluster_key))
