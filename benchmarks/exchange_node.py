"""One node of a measured exchange, as a process of its own: joins, and says when it knows all others.

    python -I PROGRAM URL STATE OTHERS < INVITE

Packed and compiled as the node's program is.

Reads the invite, prints ``up``, waits for a line, prints ``done`` as soon as it knows OTHERS other
members, and stays until its input ends.
"""

from __future__ import annotations

import gc
import os
import sys
from pathlib import Path

from goldnode.discovery.exchange import Exchange
from goldnode.discovery.member import Membership
from goldnode.protocol.facts import Facts
from goldnode.protocol.invite import read_invite
from goldnode.protocol.wire import key_from_seed


def made_up_facts(number: int) -> Facts:
    """What a node of a measurement says of itself."""
    instance = number.to_bytes(32, "big").hex()
    addresses = (f"10.1.{number >> 8}.{number & 255}",)
    return Facts(f"bench-{number}", "bench-1", "", instance, os.urandom(16).hex(), p2p_port=26656, addresses=addresses)


def main() -> None:
    """Run the node."""
    gc.enable()  # START disabled it
    url, state, others = sys.argv[1:]
    member = Membership.join(Path(state), key_from_seed(os.urandom(32)), read_invite(sys.stdin.readline()))
    print("up", flush=True)
    sys.stdin.readline()
    member.publish(made_up_facts(os.getpid() & 0xFFFF))
    with Exchange(member, [url]):
        with member.changed:
            member.changed.wait_for(lambda: len(member.members()) == int(others))
        print("done", flush=True)
        sys.stdin.read()
