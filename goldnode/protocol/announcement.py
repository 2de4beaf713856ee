"""What a node tells the others about itself: the content of a record.

`announce` writes, signs and seals; `check_announcement` takes what was sealed in a record whose slot signature holds
through seal, node signature, enrolment and every field's rule, to an `Announcement` whose values
may be used as they are.  Whether its node is *admitted* is the roster's decision
(`goldnode/discovery/roster.py`).  Fields: docs/rendezvous-protocol.md, section 5.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from goldnode.protocol import limits, seal
from goldnode.protocol.codes import Code
from goldnode.protocol.enrolment import Enrolment, read_enrolment
from goldnode.protocol.facts import Facts, number_of, part_of, read_facts, text_of, write_facts
from goldnode.protocol.policy import NO_POLICY_HASH
from goldnode.protocol.record import sign_record
from goldnode.protocol.wire import (
    HASH_TEXT,
    KEY,
    NODE_ID,
    Purpose,
    from_base64,
    hash_of,
    holds,
    parse_json,
    public_of,
    refuse,
    sign,
    to_base64,
    u64,
)

#: The role that announces no addresses: it dials out.
VALIDATOR = "validator"


@dataclass(frozen=True, slots=True)
class Announcement:
    """A node's facts with the enrolment behind them, all checked.

    Attributes:
        enrolment: Who it is and who invited it.
        facts: What it says about itself.
        time: When it was written, unix milliseconds, by its own clock.
        policy: Version and hash of the policy it holds; (0, zeros) for none.
        accepted: Node IDs it has admitted.
        seen: For each of them the highest `seq` it saw; empty except in scheduled refreshes.
    """

    enrolment: Enrolment
    facts: Facts
    time: int
    policy: tuple[int, str] = (0, NO_POLICY_HASH)
    accepted: tuple[str, ...] = ()
    seen: Mapping[str, int] | None = None


def announce(
    announcement: Announcement,
    *,
    cluster_key: bytes,
    node_key: Ed25519PrivateKey,
    seq: int,
    random: Callable[[int], bytes],
    ttl: int = limits.TTL_DEFAULT,
) -> bytes:
    """Write, sign and seal a record, ready to be put; the view is left out where it does not fit.

    Args:
        announcement: What to say.
        cluster_key: K of the epoch.
        node_key: The node's key; its slot key follows from it.
        seq: Greater than that of every earlier record in this slot.
        random: Gives that many random bytes.
        ttl: Seconds it is to live without a heartbeat.

    Raises:
        ExchangeError: `malformed`; longer than any record may be.
    """
    room = seal.room_of(cluster_key)
    slot_key = seal.slot_key(node_key, room)
    binding = seal.RecordBinding(room, hash_of(public_of(slot_key)), seq)
    text = _text(announcement)
    if len(text) > seal.ANNOUNCEMENT_BYTES and announcement.seen is not None:
        text = _text(replace(announcement, seen=None))  # a full cluster and a long announcement: the view can wait
    if len(text) > seal.ANNOUNCEMENT_BYTES:
        raise refuse(f"the announcement would have {len(text)} bytes, more than {seal.ANNOUNCEMENT_BYTES}")
    signature = sign(node_key, Purpose.ANNOUNCEMENT, binding.data + text)
    salt = random(KEY)
    return sign_record(slot_key, seq, ttl, salt, seal.seal_record(cluster_key, binding, salt, signature, text))


def check_announcement(inside: seal.Inside, root: bytes) -> Announcement:
    """Check the announcement in an opened record.

    Args:
        inside: What was sealed; nothing in it is trusted yet.
        root: The cluster root's public key.

    Raises:
        ExchangeError: `malformed` or `unknown-version`; nothing of it may be used.
    """
    binding, signature, text = inside.binding, inside.signature, inside.text
    announcement = read_document(parse_json(text, "the announcement"))
    enrolment = announcement.enrolment
    if enrolment.grant.root != root:
        raise refuse("the record's node is enrolled in another cluster", Code.WRONG_ROOT)
    if not holds(enrolment.node, Purpose.ANNOUNCEMENT, binding.data + text, signature):
        raise refuse("the announcement is not signed by its node")
    return announcement


def write_document(announcement: Announcement) -> dict[str, Any]:
    """The announcement as its JSON object."""
    accepted, seen = sorted(announcement.accepted), announcement.seen
    return {
        "enrolment": to_base64(announcement.enrolment.data),
        **write_facts(announcement.facts),
        "time": announcement.time,
        "policy": {"version": announcement.policy[0], "hash": announcement.policy[1]},
        "accepted": to_base64(b"".join(map(bytes.fromhex, accepted))),
        "seen": to_base64(b"" if seen is None else b"".join(u64(seen.get(node, 0)) for node in accepted)),
    }


def read_document(document: Mapping[str, Any]) -> Announcement:
    """Check an announcement's JSON object, from a record or from this machine's own disk.

    Raises:
        ExchangeError: `malformed` or `unknown-version`, naming the field.
    """
    enrolment = read_enrolment(from_base64(document.get("enrolment"), "enrolment"))
    accepted = _node_ids(document)
    policy = part_of(document, "policy", {"version", "hash"})
    facts = read_facts(document)
    if enrolment.role == VALIDATOR and facts.addresses:
        raise refuse("a validator announces addresses; it only dials out, and must have none")
    return Announcement(
        enrolment,
        facts,
        time=number_of(document, "time"),
        policy=(number_of(policy, "version"), text_of(policy, "hash", HASH_TEXT)),
        accepted=accepted,
        seen=_seen(document, accepted),
    )


def _text(announcement: Announcement) -> bytes:
    return json.dumps(write_document(announcement), separators=(",", ":")).encode("ascii")


def _node_ids(document: Mapping[str, Any]) -> tuple[str, ...]:
    data = from_base64(document.get("accepted"), "accepted")
    nodes = [data[start : start + NODE_ID] for start in range(0, len(data), NODE_ID)]
    rising = all(first < second for first, second in itertools.pairwise(nodes))
    if len(data) % NODE_ID or len(nodes) > limits.MEMBERS or not rising:
        raise refuse(f"accepted is not a list of at most {limits.MEMBERS} node IDs in ascending order")
    return tuple(node.hex() for node in nodes)


def _seen(document: Mapping[str, Any], accepted: tuple[str, ...]) -> Mapping[str, int] | None:
    data = from_base64(document.get("seen"), "seen")
    if not data:
        return None
    if len(data) != 8 * len(accepted):
        raise refuse("seen does not match accepted")
    return {node: int.from_bytes(data[8 * n : 8 * n + 8], "big") for n, node in enumerate(accepted)}
