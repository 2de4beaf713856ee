"""The orders a member is sent and the answers it gives: parcels among the records of its room.

Everybody who holds the room's key can put a parcel there, so nothing is trusted here: whoever carries out an order
checks it.  Each is handed over once by this process; what must never be carried out twice, in any life of the node,
is remembered on its disk (``goldnode.node.orders.journal``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from goldnode.protocol import limits
from goldnode.protocol.parcel import Parcel, ParcelKind, parcel_key, write_parcel
from goldnode.protocol.seal import room_of
from goldnode.protocol.wire import hash_of, public_of


@dataclass(frozen=True, slots=True)
class OrderReply:
    """An answer, ready to be put.

    Attributes:
        room: The room it is for.
        slot: The slot of this node's answers there.
        number: Rises with each answer.
        data: The record's bytes.
    """

    room: str
    slot: str
    number: int
    data: bytes


class Mailbox:
    """One member's parcels; not thread-safe, its owner locks.

    Args:
        key: The node's key.
        node_id: Its ID.
        random: Gives that many random bytes.

    Attributes:
        reply: The newest answer; None before the first.
    """

    def __init__(self, key: Ed25519PrivateKey, node_id: str, random: Callable[[int], bytes]) -> None:
        self._key, self._node_id, self._random = key, node_id, random
        self.reply: OrderReply | None = None
        self._waiting: dict[str, Parcel] = {}
        self._seen: dict[str, None] = {}

    def take(self, parcel: Parcel) -> None:
        """Keep an order for this node until it is collected; ignore all others."""
        if parcel.kind is not ParcelKind.ORDER or parcel.node != self._node_id or parcel.digest in self._seen:
            return
        self._seen[parcel.digest] = None
        while len(self._seen) > 2 * limits.SLOTS:
            del self._seen[next(iter(self._seen))]
        if len(self._waiting) < limits.SLOTS:
            self._waiting[parcel.digest] = parcel

    def collect(self) -> list[Parcel]:
        """Hand over the waiting orders."""
        waiting = list(self._waiting.values())
        self._waiting.clear()
        return waiting

    def answer(self, text: bytes, recipient: bytes, number: int, cluster_key: bytes) -> None:
        """Write an answer.

        Raises:
            ExchangeError: It does not fit, or the recipient's key is invalid.
        """
        room = room_of(cluster_key)
        slot = hash_of(public_of(parcel_key(self._key, room, self._node_id, ParcelKind.ANSWER)))
        data = write_parcel(
            ParcelKind.ANSWER,
            self._node_id,
            text,
            key=self._key,
            recipient=recipient,
            cluster_key=cluster_key,
            seq=number,
            random=self._random,
        )
        self.reply = OrderReply(room, slot, number, data)
