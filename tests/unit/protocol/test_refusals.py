"""What must be refused and who must be admitted, frozen for every implementation of the protocol.

The files stand beside the frozen wire format (test_vectors.py) and say the same for the other half:
each case holds its inputs whole, so that another program can be held to it.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from goldnode.discovery.admission import Candidate, admit
from goldnode.errors import ExchangeError, InputError
from goldnode.protocol.address import is_dialable
from goldnode.protocol.enrolment import read_enrolment
from goldnode.protocol.invite import Grant, read_invite
from goldnode.protocol.policy import Policy, verify_policy
from goldnode.protocol.record import verify_heartbeat, verify_record, verify_tombstone
from goldnode.protocol.request import verify_request
from goldnode.protocol.wire import refuse
from tests.support.cluster_lab import read_announcement

FOLDER = Path(__file__).parents[2] / "vectors"
REFUSED = json.loads((FOLDER / "rendezvous-v1-refused.json").read_text())["cases"]
ADMISSION = json.loads((FOLDER / "rendezvous-v1-admission.json").read_text())["cases"]


def _data(case: Mapping[str, Any], name: str = "data") -> bytes:
    return base64.b64decode(case[name])


def _announcement(case: Mapping[str, Any]) -> object:
    record = verify_record(_data(case, "record"), case["slot"])
    return read_announcement(record, bytes.fromhex(case["cluster_key"]), bytes.fromhex(case["root"]))


def _address(case: Mapping[str, Any]) -> None:
    if not is_dialable(case["address"]):
        raise refuse("not dialable")


def _request(case: Mapping[str, Any]) -> None:
    verify_request(
        case["room"], case["method"], case["target"], headers=case["headers"],
        body=case["body"].encode(), now_ms=case["now"], server=case["server"],
    )  # fmt: skip


READ: dict[str, Callable[[Mapping[str, Any]], object]] = {
    "record": lambda case: verify_record(_data(case), case["slot"]),
    "touch": lambda case: verify_heartbeat(_data(case), case["slot"]),
    "tombstone": lambda case: verify_tombstone(_data(case), case["slot"]),
    "request": _request,
    "policy": lambda case: verify_policy(_data(case), case["fingerprint"]),
    "invite": lambda case: read_invite(case["line"]),
    "enrolment": lambda case: read_enrolment(_data(case)),
    "announcement": _announcement,
    "address": _address,
}


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: f"{case['kind']}: {case['why']}")
def test_refused(case: dict[str, Any]) -> None:
    """Each spoilt structure is refused by the frozen code, and each sound one passes."""
    found = "ok"
    try:
        READ[case["kind"]](case)
    except ExchangeError as error:
        found = error.code
    except InputError:
        found = "refused"

    assert case["code"] == found


def test_every_structure_is_there() -> None:
    """No kind of structure is left without a case."""
    assert set(READ) == {case["kind"] for case in REFUSED}


def _candidate(who: Mapping[str, Any]) -> Candidate:
    grant = Grant(b"", 1, bytes(32), who["invite"], who["max"], who["not_after"], who["approve"], "sentry", bytes(32))
    return Candidate(who["node_id"], grant, frozenset(who["accepted"]))


@pytest.mark.parametrize("case", ADMISSION, ids=lambda case: str(case["why"]))
def test_admission(case: dict[str, Any]) -> None:
    """Each frozen scene ends as it is written: who is in, who is not, and the rule that spoke."""
    reader, policy = case["reader"], case["policy"]
    members = [_candidate(who) for who in case["members"]]
    held = {who["node_id"]: who["invite"] for who in (*case["departed"], *case["members"], reader)}
    present = {reader["node_id"], *(one.node_id for one in members)}
    holds = Policy(
        revoked_nodes=frozenset(policy["revoked_nodes"]),
        revoked_invites=frozenset(policy["revoked_invites"]),
        approved=frozenset(policy["approved"]),
    )
    candidates = [_candidate(who) for who in case["candidates"]]

    admitted, refused = admit(candidates, held, present, members, holds, case["now"], behind=case["behind"])

    assert (case["admitted"], case["refused"]) == (sorted(admitted), refused)
