"""Policies: signed by the root, public ciphertext, watched together with a room."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from goldnode.protocol import limits
from goldnode.protocol.policy import Policy, sign_policy
from goldnode.protocol.wire import hash_of, key_from_seed, public_of, to_base64, write_body
from tests.integration.rendezvous.support import Answer, Call, Harness, Member

ROOT = key_from_seed(b"root".ljust(32))
PATH = f"/v1/policies/{hash_of(public_of(ROOT))}"
WATCH = f"policy={hash_of(public_of(ROOT))}"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Harness]:
    """A server of its own for each test."""
    with Harness(tmp_path) as harness:
        yield harness


def policy(version: int) -> bytes:
    """A policy of the root's; each is sealed anew, so no two have the same bytes."""
    return sign_policy(ROOT, Policy(), version=version, epoch=1, cluster_key=bytes(32), members=[], random=os.urandom)


def put(data: bytes, path: str = PATH) -> Call:
    """Put a policy."""
    return Call("PUT", path, write_body("policy", data))


def test_put_and_get(server: Harness) -> None:
    """What the root signed is kept and given to whoever asks; its version must rise."""
    missing = server.ask(Call("GET", PATH))
    first, second = policy(1), policy(2)
    answers = [server.ask(put(data)) for data in (first, second, second, first, policy(2))]
    kept = server.ask(Call("GET", PATH)).document

    assert (404, "no-policy") == (missing.status, missing.code)
    assert [201, 200, 200, 409, 409] == [answer.status for answer in answers]
    assert 2 == answers[-1].document["seq"]
    assert (2, to_base64(second)) == (kept["version"], kept["policy"])


def test_forged(server: Harness) -> None:
    """Another root's policy and a tampered one are refused by name."""
    tampered = bytearray(policy(1))
    tampered[-70] ^= 1
    codes = [server.ask(call).code for call in (put(policy(1), "/v1/policies/" + "0" * 64), put(bytes(tampered)))]

    assert ["wrong-root", "bad-policy-signature"] == codes


def test_repeating_keeps_it(server: Harness) -> None:
    """A policy is forgotten a week after it was put last."""
    data = policy(1)
    server.ask(put(data))
    server.now += limits.POLICY_TTL - 1
    server.ask(put(data))
    server.now += limits.POLICY_TTL - 1
    kept = server.ask(Call("GET", PATH)).status
    server.now += 2

    assert (200, 404) == (kept, server.ask(Call("GET", PATH)).status)


def test_in_the_list(server: Harness) -> None:
    """A watched policy is in the answer when it is newer than the cursor, and in every reset."""
    member, data = Member.make(), policy(1)
    before = server.ask(member.list(WATCH)).document
    server.ask(put(data))
    newer = server.ask(member.list(f"after={before['cursor']}&{WATCH}")).document
    server.ask(put(data))
    known = server.ask(member.list(f"after={newer['cursor']}&{WATCH}")).document
    reset, unasked = server.ask(member.list(WATCH)).document, server.ask(member.list()).document

    assert [None, to_base64(data), None, to_base64(data), None] == [
        document["policy"] for document in (before, newer, known, reset, unasked)
    ]
    assert (False, False) == (newer["reset"], known["reset"])


def test_wakes_watchers(server: Harness) -> None:
    """A new policy wakes those who watch it together with their room, and leaves the others alone."""
    member = Member.make()
    cursor = server.ask(member.list()).document["cursor"]

    async def watch() -> tuple[list[Answer], bool]:
        watching = [asyncio.create_task(server.answer(member.list(f"after={cursor}&wait=30&{WATCH}"))) for _ in "abc"]
        other = asyncio.create_task(server.answer(member.list(f"after={cursor}&wait=30")))
        await asyncio.sleep(0.05)
        await server.answer(put(policy(1)))
        answers = await asyncio.wait_for(asyncio.gather(*watching), 5)
        left_alone = not other.done()
        server.hub.close()
        await other
        return answers, left_alone

    answers, left_alone = server._runner.run(watch())

    assert (True, 1) == (left_alone, len({answer.body for answer in answers}))
    assert answers[0].document["policy"]
