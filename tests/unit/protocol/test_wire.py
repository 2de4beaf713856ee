"""The protocol's small parts: addresses, encodings, requests, records, seals, invites."""

from __future__ import annotations

import base64
import zlib
from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from goldnode.discovery.client import Endpoint
from goldnode.errors import ExchangeError, InputError
from goldnode.forms import is_endpoint
from goldnode.protocol import limits, seal
from goldnode.protocol.address import is_dialable
from goldnode.protocol.announcement import Announcement, read_document, write_document
from goldnode.protocol.codes import STATUS, Code
from goldnode.protocol.enrolment import read_enrolment
from goldnode.protocol.facts import Consensus, Mesh, read_facts, write_facts
from goldnode.protocol.invite import read_invite, write_invite
from goldnode.protocol.policy import Policy, open_policy, verify_policy
from goldnode.protocol.record import sign_heartbeat, sign_record, verify_heartbeat, verify_record
from goldnode.protocol.request import PROOF, ROOM_KEY, SERVER, TIME, sign_request, verify_request
from goldnode.protocol.seal import (
    ANNOUNCEMENT_BYTES,
    RecordBinding,
    new_wrapping_seed,
    room_key,
    slot_key,
    unwrap_key,
    wrap_key,
    wrapping_keys,
)
from goldnode.protocol.wire import (
    Fields,
    Purpose,
    from_base64,
    holds,
    pae,
    parse_json,
    public_of,
    read_body,
    to_base64,
    write_body,
)
from tests.support.cluster_lab import NOW, Lab, facts, read_announcement, seed

LAB = Lab()
KEY = slot_key(LAB.node("a"), LAB.room)
SLOT = LAB.slot("a")
MS = int(NOW * 1000)
NAME = "0f" * 16


def test_every_code_has_a_status() -> None:
    """No refusal without an HTTP status, and none that says all is well."""
    assert set(Code) == STATUS.keys()
    assert all(400 <= status < 600 for status in STATUS.values())


def test_pae_is_dsses() -> None:
    """The pre-authentication encoding is the one DSSE publishes."""
    assert b"DSSEv1 18 goldnode/v1/record 11 hello world" == pae(Purpose.RECORD, b"hello world")


def test_a_signature_is_for_one_purpose() -> None:
    """What was signed as a heartbeat proves nothing as a tombstone; neither does any other signature or key."""
    signed = sign_heartbeat(KEY, 1, 2)
    body, signature = signed[:-64], signed[-64:]

    assert holds(public_of(KEY), Purpose.HEARTBEAT, body, signature)
    assert not holds(public_of(KEY), Purpose.TOMBSTONE, body, signature)
    assert not holds(b"short", Purpose.HEARTBEAT, body, signature)


@pytest.mark.parametrize("address", ["10.0.0.1", "192.168.1.1", "203.0.113.5", "2001:db8::1", "fd12::1", "100.64.0.1"])
def test_dialable(address: str) -> None:
    """Public and private addresses may be announced."""
    assert is_dialable(address)


@pytest.mark.parametrize("address", [
    "127.1.2.3", "::1", "0.0.0.0", "::", "169.254.1.1", "fe80::1", "fe80::1%eth0", "224.0.0.1", "ff02::1",  # noqa: S104
    "240.0.0.1", "255.255.255.255", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "100.100.100.200", "168.63.129.16",
    "192.0.0.192", "fd00:ec2::254", "010.0.0.1", "10.0.0.01", "2001:DB8::1", "localhost", "", "10.0.0.0/8",
])  # fmt: skip
def test_not_dialable(address: str) -> None:
    """Nobody is sent to himself, to his wire, to a metadata service, or to a name."""
    assert not is_dialable(address)


@pytest.mark.parametrize("text", ["A", "AA=", "AB==", "AA==\n", " AA==", "AA-_", 7, None, "é"])
def test_base64_has_one_form(text: Any) -> None:
    """Another text for the same bytes is refused: stored and compared text must be unique."""
    with pytest.raises(ExchangeError):
        from_base64(text, "it")


@pytest.mark.parametrize("data", [b"[]", b"1", b"{", b'{"a":1,"a":1}', b'{"a":Infinity}', b"\xff", b"[" * 100000])
def test_json_is_strict(data: bytes) -> None:
    """No key twice, no infinity, no recursion that hurts."""
    with pytest.raises(ExchangeError):
        parse_json(data, "it")


def test_bodies_have_a_size_and_one_key() -> None:
    """Sizes come first, then the one key."""
    with pytest.raises(ExchangeError) as large:
        read_body(b"x" * (limits.BODY_BYTES + 1), "record")
    with pytest.raises(ExchangeError) as other:
        read_body(write_body("touch", b""), "record")

    assert ("too-large", "malformed") == (large.value.code, other.value.code)


def test_the_largest_record_fits_a_body() -> None:
    """What the protocol allows to be written, it allows to be sent."""
    largest = sign_record(KEY, 1, 600, bytes(32), bytes(limits.PADDED_SIZES[-1] + 16))

    assert largest == read_body(write_body("record", largest), "record")
    assert limits.POLICY_BODY_BYTES >= len(write_body("policy", bytes(limits.POLICY_BYTES)))


def test_the_largest_announcement_fits_a_record() -> None:
    """A full cluster, seen by a member with everything to say, fits, at worst without its view."""
    nodes = tuple(sorted(seed(str(n)).hex()[:40] for n in range(limits.MEMBERS - 1)))
    said = LAB.announcement(
        "a",
        facts=replace(
            facts("a"),
            moniker="m" * 70,
            chain_id="c" * 50,
            mesh=Mesh("wireguard", "A" * 43 + "=", 51820),
            addresses=tuple(f"2001:db8:1111:2222:3333:4444:5555:{n:x}" for n in range(1, 1 + limits.ADDRESSES)),
        ),
        accepted=nodes,
        seen=dict.fromkeys(nodes, limits.SEQ_MAX),
    )
    overfull = replace(said, facts=replace(said.facts, loaded=nodes[: limits.LOADED]))

    assert (said.seen, None) == (_read(said).seen, _read(overfull).seen)
    assert overfull.facts == _read(overfull).facts


def test_what_never_fits_is_refused_by_its_writer() -> None:
    """A record nobody could read is not sent."""
    many = tuple(sorted(seed(str(n)).hex()[:40] for n in range(200)))
    with pytest.raises(ExchangeError, match=str(ANNOUNCEMENT_BYTES)):
        LAB.record("a", LAB.announcement("a", accepted=many))


@pytest.mark.parametrize(("change", "code"), [
    ({"room": "0" * 64}, "wrong-room"),
    ({"now_ms": MS + limits.CLOCK_SKEW * 1000 + 1}, "clock"),
    ({"now_ms": MS - limits.CLOCK_SKEW * 1000 - 1}, "clock"),
    ({"method": "GET"}, "bad-signature"),
    ({"target": "/v1/rooms/x?wait=1"}, "bad-signature"),
    ({"body": b"y"}, "bad-signature"),
    ({"headers": {}}, "unsigned"),
    ({ROOM_KEY: "zz"}, "malformed"),
    ({TIME: "01"}, "malformed"),
    ({TIME: "-1"}, "malformed"),
    ({PROOF: "AA=="}, "malformed"),
    ({"if-match": '"8"'}, "bad-signature"),
    ({"if-none-match": "*"}, "bad-signature"),
    ({SERVER: NAME}, "bad-signature"),
    ({SERVER: "no name"}, "malformed"),
])  # fmt: skip
def test_requests_are_refused_by_code(change: dict[str, Any], code: str) -> None:
    """Whatever of a signed request is changed, the refusal names it."""
    key = room_key(LAB.cluster_key)
    headers = sign_request(key, "PUT", "/t", body=b"x", now_ms=MS, conditions={"if-match": '"7"'})
    sent: dict[str, Any] = {
        "room": LAB.room,
        "method": "PUT",
        "target": "/t",
        "headers": headers,
        "body": b"x",
        "now_ms": MS,
    }
    sent |= {name: value for name, value in change.items() if name in sent}
    spoilt = {name: value for name, value in change.items() if name not in sent}
    with pytest.raises(ExchangeError) as refusal:
        verify_request(
            sent["room"], sent["method"], sent["target"],
            headers={**sent["headers"], **spoilt}, body=sent["body"], now_ms=sent["now_ms"], server=NAME,
        )  # fmt: skip

    assert code == refusal.value.code


@pytest.mark.parametrize(("data", "code"), [
    (sign_record(KEY, 0, 600, bytes(32), bytes(528)), "malformed"),
    (sign_record(KEY, 1 << 63, 600, bytes(32), bytes(528)), "malformed"),
    (sign_record(KEY, 1, 59, bytes(32), bytes(528)), "ttl"),
    (sign_record(KEY, 1, limits.TTL_MAX + 1, bytes(32), bytes(528)), "ttl"),
    (sign_record(KEY, 1, 600, bytes(32), bytes(529)), "malformed"),
    (sign_record(LAB.node("b"), 1, 600, bytes(32), bytes(528)), "wrong-slot"),
    (sign_record(KEY, 1, 600, bytes(32), bytes(528))[:-1] + b"\0", "bad-slot-signature"),
    (b"\2" + bytes(648), "unknown-version"),
    (b"", "malformed"),
])  # fmt: skip
def test_records_are_refused_by_code(data: bytes, code: str) -> None:
    """The server says which rule a record broke."""
    with pytest.raises(ExchangeError) as refusal:
        verify_record(data, SLOT)

    assert code == refusal.value.code


def test_nothing_may_follow() -> None:
    """Bytes behind the signature are refused, not ignored."""
    with pytest.raises(ExchangeError, match="trailing bytes"):
        verify_heartbeat(sign_heartbeat(KEY, 1, 1) + b"x", SLOT)


def test_sealed_padding_is_zero() -> None:
    """Nobody hides anything behind an announcement."""
    place, salt = RecordBinding(LAB.room, SLOT, 1), bytes(32)
    cipher = ChaCha20Poly1305(seal._record_key(LAB.cluster_key, place, salt))
    sealed = cipher.encrypt(bytes(12), (bytes(2) + bytes(64)).ljust(512, b"x"), place.data)
    with pytest.raises(ExchangeError, match="padded"):
        seal.open_record(LAB.cluster_key, place, salt, sealed)


def test_a_box_key_of_small_order_disturbs_nobody() -> None:
    """A node that announced a bad box key gets no box, and the others get theirs."""
    good = new_wrapping_seed()
    boxes = wrap_key(b"k" * 32, seed("ephemeral"), [bytes(32), wrapping_keys(good)[1]], b"context")

    assert 1 == len(boxes)
    assert b"k" * 32 == unwrap_key(good, wrapping_keys(seed("ephemeral"))[1], boxes, b"context")
    assert unwrap_key(good, bytes(32), boxes, b"context") is None
    assert unwrap_key(b"", b"", boxes, b"context") is None


@pytest.mark.parametrize("url", ["http://203.0.113.10:8700", "https://r.example/rdv", "http://[2001:db8::1]:8700"])
def test_endpoints(url: str) -> None:
    """URLs of rendezvous, as people write them."""
    assert is_endpoint(url)
    assert url == Endpoint(url + "/").url


@pytest.mark.parametrize("url", [
    "ftp://x", "http://", "x", "", "http://u:p@h", "http://h?q", "http://h#f", "http://h:99999", "http://h/\n",
    "http://h h",     "http://[::1", "http://[1:2]",
    "http://203.0.113.10:70000", "http://203.0.113.999", "http://h:0", "http://" + "x" * 130, "http://é",
])  # fmt: skip
def test_no_endpoints(url: str) -> None:
    """Anything else is refused where it is written."""
    assert not is_endpoint(url)
    with pytest.raises(InputError):
        Endpoint(url)


@pytest.mark.parametrize(("change", "field"), [
    ({"moniker": "a\x1b[2J"}, "moniker"),
    ({"moniker": ""}, "moniker"),
    ({"chain_id": "a b"}, "chain_id"),
    ({"p2p_port": True}, "p2p_port"),
    ({"p2p_port": 65536}, "p2p_port"),
    ({"addresses": ["10.0.0.1"] * 9}, "addresses"),
    ({"mesh": {"type": "ipsec", "key": "A", "port": 1}}, "type"),
    ({"mesh": {"type": "wireguard"}}, "mesh"),
    ({"consensus": {"address": "x", "height": 1}}, "address"),
    ({"loaded": ["x"]}, "loaded"),
    ({"boot": 7}, "boot"),
    ({"seen": "AA=="}, "seen"),
    ({"accepted": to_base64(bytes(19))}, "accepted"),
    ({"accepted": to_base64(bytes(40))}, "accepted"),
    ({"policy": None}, "policy"),
    ({"time": 1.5}, "time"),
])  # fmt: skip
def test_fields_keep_their_form(change: dict[str, Any], field: str) -> None:
    """What would end up in a configuration file or a terminal has a narrow form, and the refusal names the field."""
    with pytest.raises(ExchangeError, match=field):
        read_document({**write_document(LAB.announcement("a")), **change})


def test_unknown_fields_are_ignored() -> None:
    """A later release may say more."""
    said = LAB.announcement("a")

    assert said == read_document({**write_document(said), "weather": "fine"})


def test_everything_a_node_can_say_survives() -> None:
    """Mesh, consensus and loaded validators are read as they were written."""
    said = replace(
        facts("a"),
        mesh=Mesh("vpncloud", "abc", 3210),
        consensus=Consensus("0" * 40, 7),
        loaded=("1" * 40,),
    )

    assert said == read_facts(write_facts(said))


def test_a_validator_has_no_addresses() -> None:
    """A validator that announces where it is, is refused before anybody writes it down."""
    said = LAB.announcement("a", LAB.enrol("a", role="validator"))
    with pytest.raises(ExchangeError, match="validator"):
        read_document(write_document(replace(said, facts=facts("a"))))


@pytest.mark.parametrize(("text", "word"), [
    ("gn2_abc", "starts with"), ("", "starts with"), ("gn1_", "checksum"), ("gn1_18", "base32"),
    ("gn1_aaaa", "checksum"),
])  # fmt: skip
def test_mistyped_invites_say_what_is_wrong(text: str, word: str) -> None:
    """Before any network use a person learns that the line is not whole."""
    with pytest.raises(InputError, match=word):
        read_invite(text)


def test_an_invite_survives_its_line() -> None:
    """Written and read again an invite is the same, with spaces around it too; its repr holds no secret."""
    invite = LAB.invite("validator", most=3, approve=True)

    assert invite == read_invite(f"  {write_invite(invite)}\n")
    assert repr(invite.cluster_key) not in repr(invite)


def test_an_invite_of_a_later_version_says_so() -> None:
    """An old program does not guess at a newer invite."""
    body = b"\2" + bytes(40)
    line = "gn1_" + base64.b32encode(body + zlib.crc32(body).to_bytes(4, "big")).decode().rstrip("=").lower()
    with pytest.raises(InputError, match="version 2"):
        read_invite(line)


def test_an_enrolment_needs_both_keys() -> None:
    """Neither the invite without the node nor the node without the invite enrols."""
    good = LAB.enrol("a").data
    for at, word in ((-128, "join key"), (-64, "its node")):
        hurt = good[:at] + bytes(64) + (good[at + 64 :] if at + 64 else b"")
        with pytest.raises(ExchangeError, match=word):
            read_enrolment(hurt)


@pytest.mark.parametrize("policy", [
    Policy(revoked_nodes=frozenset({"x"})),
    Policy(revoked_invites=frozenset({"0" * 40})),
    Policy(approved=frozenset(seed(str(n)).hex()[:40] for n in range(65))),
    Policy(endpoints=("ftp://x",)),
    Policy(time=-1),
])  # fmt: skip
def test_a_policy_outside_its_form_is_refused(policy: Policy) -> None:
    """What the root signed by mistake is refused as a whole."""
    signed = verify_policy(LAB.policy(1, policy), LAB.fingerprint)
    with pytest.raises(ExchangeError):
        open_policy(signed, LAB.cluster_key)


def _read(said: Announcement) -> Announcement:
    return read_announcement(verify_record(LAB.record("a", said), SLOT), LAB.cluster_key, LAB.root_public)


def test_the_end_of_a_structure_is_found() -> None:
    """Taking more than there is, is refused."""
    with pytest.raises(ExchangeError, match="too short"):
        Fields(b"\1", "it").number(2)


def test_an_invite_has_one_spelling() -> None:
    """The bits of the last digit that decoding drops are not free: each other digit is a mistyped invite."""
    line = write_invite(LAB.invite())
    for digit in set("abcdefghijklmnopqrstuvwxyz234567") - {line[-1]}:
        with pytest.raises(InputError, match="mistyped"):
            read_invite(line[:-1] + digit)
