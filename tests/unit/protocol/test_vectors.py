"""The wire format, frozen: what this program writes is byte for byte what the vector file says, and it reads it.

The vectors hold every secret they are made from, so that another implementation can do the same.
A changed vector is a new version of the protocol, and gets a file of its own.
"""

from __future__ import annotations

import base64
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from goldnode.protocol.announcement import Announcement, announce, write_document
from goldnode.protocol.enrolment import Enrolment, enrol, read_enrolment
from goldnode.protocol.facts import read_facts
from goldnode.protocol.invite import Invite, mint, read_invite, write_invite
from goldnode.protocol.policy import Policy, find_key, open_policy, sign_policy, verify_policy
from goldnode.protocol.record import sign_heartbeat, sign_tombstone, verify_heartbeat, verify_record, verify_tombstone
from goldnode.protocol.request import sign_request, verify_request
from goldnode.protocol.seal import room_key, room_of, slot_key, wrapping_keys
from goldnode.protocol.wire import Purpose, hash_of, key_from_seed, node_id_of, pae, public_of, to_base64
from tests.support.cluster_lab import read_announcement

FILE = Path(__file__).parents[2] / "vectors" / "rendezvous-v1.json"


@pytest.fixture(scope="module")
def vectors() -> Any:
    """The frozen file."""
    return json.loads(FILE.read_text())


class Given:
    """The vector file's inputs as keys and values.

    Args:
        vectors: The file.
    """

    def __init__(self, vectors: Any) -> None:
        given = vectors["given"]
        self.given = given
        self.cluster_key = bytes.fromhex(given["cluster_key"])
        self.root = key_from_seed(bytes.fromhex(given["root_seed"]))
        self.node = key_from_seed(bytes.fromhex(given["node_seed"]))
        self.wrapping_seed = bytes.fromhex(given["box_seed"])
        self.seq, self.counter, self.time = given["seq"], given["counter"], given["time"]
        self.body = given["request"]["body"].encode()

    def random(self, name: str) -> Any:
        """The bytes the file says were drawn, in their order."""
        pieces = iter(self.given["random"][name])
        return lambda size: bytes.fromhex(next(pieces))[:size]

    def invite(self) -> Invite:
        """The invite."""
        return mint(
            self.root,
            role=self.given["invite"]["role"],
            epoch=self.given["epoch"],
            cluster_key=self.cluster_key,
            not_after=self.given["invite"]["not_after"],
            random=self.random("invite"),
            max_nodes=self.given["invite"]["max"],
            approve=self.given["invite"]["approve"],
        )

    def enrolment(self) -> Enrolment:
        """The node's enrolment."""
        return enrol(self.invite(), self.node, wrapping_keys(self.wrapping_seed)[1], self.time / 1000)

    def announcement(self) -> Announcement:
        """What the node says."""
        said = self.given["announcement"]
        return Announcement(
            self.enrolment(),
            read_facts(said),
            time=self.time,
            policy=(said["policy"]["version"], said["policy"]["hash"]),
            accepted=tuple(said["accepted"]),
            seen=said["seen"],
        )


def build(vectors: Any) -> dict[str, Any]:
    """Everything the program makes of the file's inputs."""
    g = Given(vectors)
    room, key = room_of(g.cluster_key), slot_key(g.node, room_of(g.cluster_key))
    request = g.given["request"]
    policy = Policy(
        revoked_nodes=frozenset(g.given["policy"]["revoked_nodes"]),
        revoked_invites=frozenset(g.given["policy"]["revoked_invites"]),
        approved=frozenset(g.given["policy"]["approved"]),
        endpoints=tuple(g.given["policy"]["endpoints"]),
        time=g.time,
    )
    return {
        "pae": pae(Purpose.RECORD, b"abc").hex(),
        "fingerprint": hash_of(public_of(g.root)),
        "room_key": public_of(room_key(g.cluster_key)).hex(),
        "room": room,
        "node_id": node_id_of(public_of(g.node)),
        "slot_key": public_of(key).hex(),
        "slot": hash_of(public_of(key)),
        "request_headers": sign_request(
            room_key(g.cluster_key), request["method"], request["target"], body=g.body, now_ms=g.time,
            conditions=request["conditions"],
        ),
        "invite": write_invite(g.invite()),
        "enrolment": to_base64(g.enrolment().data),
        "announcement": write_document(g.announcement()),
        "record": to_base64(
            announce(g.announcement(), cluster_key=g.cluster_key, node_key=g.node, seq=g.seq, random=g.random("record"))
        ),
        "touch": to_base64(sign_heartbeat(key, g.seq, g.counter)),
        "tombstone": to_base64(sign_tombstone(key, g.seq)),
        "policy": to_base64(
            sign_policy(
                g.root, policy, version=g.given["policy"]["version"], epoch=g.given["epoch"],
                cluster_key=g.cluster_key, members=[wrapping_keys(g.wrapping_seed)[1]], random=g.random("policy"),
            )
        ),
    }  # fmt: skip


def test_writes_the_vectors(vectors: Any) -> None:
    """What is written from the file's inputs is what the file froze, to the byte."""
    written = build(vectors)

    assert vectors["expected"] == written


def test_reads_the_record(vectors: Any) -> None:
    """The frozen record opens to the frozen announcement."""
    g, expected = Given(vectors), vectors["expected"]
    record = verify_record(_bytes(expected["record"]), expected["slot"])

    announcement = read_announcement(record, g.cluster_key, public_of(g.root))

    assert expected["announcement"] == write_document(announcement)
    assert (g.seq, g.given["ttl"]) == (record.seq, record.ttl)
    assert asdict(read_facts(g.given["announcement"])) == asdict(announcement.facts)


def test_reads_touch_and_tombstone(vectors: Any) -> None:
    """The frozen touch and tombstone hold, with the frozen numbers."""
    g, expected = Given(vectors), vectors["expected"]

    touch = verify_heartbeat(_bytes(expected["touch"]), expected["slot"])
    tombstone = verify_tombstone(_bytes(expected["tombstone"]), expected["slot"])

    assert (g.seq, g.counter, g.seq) == (touch.seq, touch.counter, tombstone.seq)


def test_reads_the_request(vectors: Any) -> None:
    """The frozen request's signature holds at its own time."""
    g, expected, request = Given(vectors), vectors["expected"], vectors["given"]["request"]

    verify_request(
        expected["room"], request["method"], request["target"],
        headers=expected["request_headers"], body=g.body, now_ms=g.time, server="0" * 32,
    )  # fmt: skip


def test_reads_the_invite(vectors: Any) -> None:
    """The frozen invite line parses to the frozen invite."""
    g, wanted = Given(vectors), vectors["given"]["invite"]

    invite = read_invite(vectors["expected"]["invite"])

    assert (wanted["role"], wanted["max"], wanted["not_after"], wanted["approve"]) == (
        invite.grant.role, invite.grant.max, invite.grant.not_after, invite.grant.approve,
    )  # fmt: skip
    assert g.cluster_key == invite.cluster_key


def test_reads_the_enrolment(vectors: Any) -> None:
    """The frozen enrolment names the frozen node."""
    enrolment = read_enrolment(_bytes(vectors["expected"]["enrolment"]))

    assert vectors["expected"]["node_id"] == enrolment.node_id


def test_reads_the_policy(vectors: Any) -> None:
    """The frozen policy gives its member the epoch's key, and opens with it."""
    g, wanted = Given(vectors), vectors["given"]["policy"]
    signed = verify_policy(_bytes(vectors["expected"]["policy"]), vectors["expected"]["fingerprint"])

    key = find_key(signed, g.wrapping_seed)
    policy = open_policy(signed, g.cluster_key)

    assert g.cluster_key == key
    assert policy is not None
    assert set(wanted["revoked_nodes"]) == policy.revoked_nodes
    assert tuple(wanted["endpoints"]) == policy.endpoints


def _bytes(text: str) -> bytes:
    return base64.b64decode(text)
