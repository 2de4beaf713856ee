"""kill -9 at any moment: a member's disk is whole, its numbers rise, and it goes on."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from pathlib import Path

from goldnode.discovery.member import Membership
from goldnode.protocol.invite import write_invite
from goldnode.protocol.wire import seed_of
from goldnode.run import spawn
from tests.integration.exchange.cluster_of import lab, running, until
from tests.integration.rendezvous.support import serving

#: Lives of the node that is killed.
LIVES = 12
#: Seconds a life may last, from the first request on.
LONGEST = 0.25

PROGRAM = """
import sys
from dataclasses import replace
from pathlib import Path
from goldnode.discovery.exchange import Exchange
from goldnode.protocol.invite import read_invite
from goldnode.discovery.member import Membership
from goldnode.protocol.wire import key_from_seed
from tests.support.cluster_lab import facts
state, seed, invite, url = sys.argv[1:]
print("alive", flush=True)
member = Membership.join(Path(state), key_from_seed(bytes.fromhex(seed)), read_invite(invite))
with Exchange(member, [url]):
    port = 1
    while True:
        port = port % 60000 + 1
        member.publish(replace(facts("victim"), p2p_port=port))
        member.wait(0, 0.001)
"""


def test_killed_at_any_moment(tmp_path: Path) -> None:
    """A node that is killed again and again keeps its identity, its numbers rise, and the others keep it."""
    made, dice = lab(), random.Random(7)  # noqa: S311 - moments, not secrets
    victim = made.node("victim")
    state, numbers = tmp_path / "victim", [0]
    invite = write_invite(made.invite())
    watcher = made.member(tmp_path, "watcher")
    repository = Path(__file__).resolve().parents[3]
    with serving(tmp_path / "db") as url, running([watcher], [url]) as loops:
        for number in range(LIVES):
            argv = [sys.executable, "-c", PROGRAM, str(state), seed_of(victim).hex(), invite, url]
            with spawn(argv, cwd=repository, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as life:
                assert life.stdout is not None
                with life.stdout:
                    assert life.stdout.readline() == b"alive\n"
                    if number % 2:  # every second one comes as far as writing, however busy the machine is
                        until(lambda: _seq(state) > numbers[-1])
                    if number == LIVES - 1:
                        until(lambda: made.node_id("victim") in watcher.members())
                    time.sleep(dice.uniform(0, LONGEST))
                    life.kill()
                    life.wait()
                    assert life.stdout.read() == b""
            if Membership.joined(state):
                numbers.append(_seq(state))
                Membership(state, victim)

        assert sorted(numbers) == numbers
        assert len(set(numbers)) > LIVES // 2
        assert set() == loops[0].alarms()


def _seq(state: Path) -> int:
    """The number the victim wrote last; 0 before its first."""
    identity = state / "identity.json"
    return int(json.loads(identity.read_text())["seq"]) if identity.exists() else 0
