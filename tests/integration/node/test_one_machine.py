"""Several nodes on one machine: real daemons, mesh, firewall and rendezvous; one dies and dies, its siblings sign.

A chain with votes to spare leaves out whoever comes late, on a busy machine for no reason of ours.
So here no block comes about without the siblings: they miss none, and the chain must not wait for them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from functools import partial
from itertools import pairwise
from pathlib import Path

import pytest

from goldnode.node.keys.cometbft_keys import Key
from goldnode.run import run
from tests.integration.node.fleet import Fleet, Host, fleet
from tests.integration.node.programs import programs
from tests.integration.node.scenarios import all_on_one_machine, three_clusters_on_one_machine
from tests.support.node_lab import seed
from tests.support.waiting import kill, until

pytestmark = [pytest.mark.root, pytest.mark.long, pytest.mark.timeout(1200)]
#: How often a node dies while its siblings must sign every height.
CYCLES = 20
#: Seconds between two blocks, at most; the chain's pace is 2.
PACE = 8.0


@pytest.fixture(params=["localnet", "localwasm"])
def made(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Fleet]:
    """An empty fleet of either network."""
    with fleet(tmp_path, programs(tmp_path / "programs", name=request.param), name=request.param) as empty:
        yield empty


def test_siblings_sign_while_a_sentry_dies(made: Fleet) -> None:
    """Of three nodes of one cluster a sentry is killed twenty times; the validator misses no height."""
    host = all_on_one_machine(made)
    hidden = Key(seed("hidden")).address
    assert until(lambda: hidden in made.signers(), 30)
    assert until(lambda: not host.node("val-1")["missing"], 90), host.console.read_text()

    first = height(made)
    kill_again_and_again(host, "s-2")

    assert [] == unsigned(made, first, [hidden])
    assert slowest(made, first) <= PACE
    assert until(lambda: host.node("s-2")["state"] == "following", 60), host.console.read_text()
    assert until(lambda: {"val-1": 0, "s-1": 0, "s-2": CYCLES} == restarts(host, "val-1", "s-1", "s-2"), 20)


def test_siblings_sign_while_a_validator_dies(made: Fleet) -> None:
    """Of three validators of three clusters one is killed twenty times; the two others miss no height."""
    host, keys = three_clusters_on_one_machine(made)
    addresses = {name: key.address for name, key in keys.items()}
    assert until(lambda: set(addresses.values()) <= made.signers(), 60), host.console.read_text()

    first = height(made)
    kill_again_and_again(host, "v-2")

    assert [] == unsigned(made, first, [addresses["v-1"], addresses["v-3"]])
    assert slowest(made, first) <= PACE
    assert until(lambda: addresses["v-2"] in made.signers(), 90), host.console.read_text()
    assert until(lambda: {"v-1": 0, "v-2": CYCLES, "v-3": 0} == restarts(host, *keys), 20)


def kill_again_and_again(host: Host, name: str) -> None:
    """End a node's daemon as a crash would, so many times, each time after it has come back."""
    for _ in range(CYCLES):
        before = daemons(host, name)
        kill(before)
        assert until(partial(_another, host, name, before), 30), host.console.read_text()


def _another(host: Host, name: str, before: list[int]) -> bool:
    return bool(set(daemons(host, name)) - set(before))


def daemons(host: Host, name: str) -> list[int]:
    """Processes of a node's daemon."""
    home = host.tree.layout.node(name).home
    return [int(pid) for pid in run(["pgrep", "-f", "--", f"--home {home}( |$)"], check=False).stdout.split()]


def restarts(host: Host, *names: str) -> dict[str, int]:
    """How often each node was started again."""
    return {name: host.node(name)["restarts"] for name in names}


def height(made: Fleet) -> int:
    """The world's latest block."""
    return int(made.ask("status")["sync_info"]["latest_block_height"])


def unsigned(made: Fleet, first: int, addresses: Iterable[str]) -> list[tuple[int, str]]:
    """Heights since then that one of these validators has not signed; the latest one's votes still come in."""
    missed = []
    for each in range(first + 1, height(made) - 1):
        signatures = made.ask(f"commit?height={each}")["signed_header"]["commit"]["signatures"]
        signers = {one["validator_address"] for one in signatures if one["block_id_flag"] == 2}
        missed += [(each, address) for address in addresses if address not in signers]
    return missed


def slowest(made: Fleet, first: int) -> float:
    """The longest time between two blocks since then, in seconds by the chain's own clock."""
    headers = [made.ask(f"commit?height={each}")["signed_header"]["header"] for each in range(first, height(made))]
    times = [datetime.fromisoformat(header["time"]).timestamp() for header in headers]
    return max(later - earlier for earlier, later in pairwise(times))
