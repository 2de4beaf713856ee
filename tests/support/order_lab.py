"""Orders for a node of the agent's lab, as its operator, a thief or a faulty network would put them into the room."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from goldnode.discovery.cluster_view import ClusterView, RoomReader
from goldnode.discovery.listing import RoomListing
from goldnode.files import write_atomic, write_json
from goldnode.protocol.operator_key import grant_operator
from goldnode.protocol.order import Order, OrderAnswer, read_answer, reply_seed, write_order
from goldnode.protocol.parcel import ParcelKind, parcel_key, read_parcel, write_parcel
from goldnode.protocol.record import verify_record
from goldnode.protocol.seal import open_inside, room_of, wrapping_keys
from goldnode.protocol.wire import hash_of, key_from_seed, public_of, seed_of
from tests.support.agent_lab import World
from tests.support.node_lab import Cluster, Dice, seed

K = seed("K lab")
ROOT = Cluster().root
ALICE = key_from_seed(seed("alice"))


#: What a daemon of the Cosmos SDK has for an app.toml, as far as the tests look.
APP_TOML = """\
minimum-gas-prices = ""
pruning = "default"
pruning-keep-recent = "0"
pruning-interval = "0"
min-retain-blocks = 0

[state-sync]
snapshot-interval = 0
snapshot-keep-recent = 2

[api]
address = "tcp://localhost:1317"

[grpc]
address = "localhost:9090"
"""


class Operator:
    """Whoever gives orders to the world's node.

    Args:
        world: Where the node is.
        key: Signs; the root's, or an operator's.
        verbs: What the root lets an operator's key order.
        days: How long that key is good for.
    """

    def __init__(
        self,
        world: World,
        key: Ed25519PrivateKey = ROOT,
        verbs: tuple[str, ...] = ("status", "restart"),
        days: int = 30,
    ) -> None:
        self.world, self.key, self.number = world, key, 0
        self.member = world.agent.found.memberships["n-1"]
        self.member.clock = lambda: world.now
        self.dice = Dice(f"orders {public_of(key).hex()}")
        until = int(world.now + days * 86400)
        self.grant = b"" if key is ROOT else grant_operator(ROOT, public_of(key), verbs, until).data

    @property
    def life(self) -> str:
        """What the node's record says."""
        return self.world.agent._clerks["n-1"].journal.life

    def order(self, verb: str, arguments: Mapping[str, Any] | None = None, **changes: Any) -> Order:
        """An order that the node should take, with changes."""
        now = int(self.world.now * 1000)
        self.number = max(self.number + 1, now)
        number = changes.get("number", self.number)
        secret = reply_seed(self.key, number, self.member.node_id)
        made = Order(public_of(self.key), number, self.life, now, now + 60_000, verb, arguments or {},
                     wrapping_keys(secret)[1], self.grant)  # fmt: skip
        return replace(made, **changes)

    def seal(self, order: Order, signer: Ed25519PrivateKey | None = None, node: str = "") -> tuple[str, bytes]:
        """The order's slot and record."""
        key, to = signer or self.key, node or self.member.node_id
        recipient = wrapping_keys(self.member.wrapping_seed())[1]
        data = write_parcel(ParcelKind.ORDER, to, write_order(order), key=key, recipient=recipient, cluster_key=K,
                            seq=order.number, random=self.dice)  # fmt: skip
        return hash_of(public_of(parcel_key(key, room_of(K), to, ParcelKind.ORDER))), data

    def put(self, *records: tuple[str, bytes]) -> dict[str, str]:
        """The rendezvous shows records; what did not hold."""
        return self.member.take(RoomListing("cursor", reset=False, items=records, deleted=(), policy=None, time=0))

    def give(self, verb: str, arguments: Mapping[str, Any] | None = None, **changes: Any) -> Order:
        """Put an order into the room."""
        order = self.order(verb, arguments, **changes)
        assert {} == self.put(self.seal(order))
        return order

    def answer(self, order: Order) -> OrderAnswer | None:
        """The node's answer to an order; None for none."""
        reply = self.member.reply()
        if reply is None:
            return None
        parcel = read_parcel(open_inside(verify_record(reply.data, reply.slot), K))
        secret = reply_seed(self.key, order.number, self.member.node_id)
        node = self.member._own.identity.enrolment.node
        return read_answer(parcel, secret, node)


def operators_folder(clusters: Path, url: str) -> None:
    """What `./invoke cluster new` would have left on the operator's computer, for the cluster of this lab."""
    folder = clusters / "lab"
    folder.mkdir(parents=True, mode=0o700)
    write_atomic(folder / "root.key", seed_of(ROOT).hex() + "\n", 0o600)
    ClusterView(folder / "membership.json", RoomReader(public_of(ROOT)), 1, K).save()
    settings = {"name": "lab", "network": "localwasm", "chain_id": "", "rendezvous": [url], "minted": [], "revoked": []}
    write_json(folder / "cluster.json", {"version": 1, **settings}, 0o600)


def daemon_starts(world: World) -> None:
    """A new daemon has passed its preflight."""
    loaded = world.tree.layout.node("n-1").loaded
    before = loaded.lstat().st_mtime_ns if loaded.exists() else 0
    write_json(loaded, [])
    os.utime(loaded, ns=(before + 1, before + 1))


def mutated(data: bytes, number: int) -> bytes:
    """One of many ways in which bytes are damaged: flipped, cut, blanked, turned round."""
    place, kind = (number * 7919) % len(data), number % 4
    if kind == 0:
        return data[:place] + bytes([data[place] ^ (1 << (number // 4) % 8)]) + data[place + 1 :]
    if kind == 1:
        return data[:place]
    if kind == 2 and any(data[place : place + 64]):
        return data[:place] + bytes(len(data[place : place + 64])) + data[place + 64 :]
    return data[place:] + data[:place] if place else data + b"\0"
