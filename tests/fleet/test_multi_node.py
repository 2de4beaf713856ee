"""Several nodes on one machine, from the sealed image: each has its own life, and one image is the update of all.

Three machines: a validator with its own two sentries; three validators of three clusters; and
those clusters' sentries.  One fleet serves all tests, whatever their order.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from goldnode.fleet import move as moving
from goldnode.fleet import up as story
from goldnode.fleet.fleet import Fleet
from goldnode.fleet.plan import FIRST_NUMBER, MEMORY, Node, Seat, Wish
from goldnode.node.ports import METRICS
from goldnode.node_config import MULTI_NODE
from goldnode.progress import SILENT
from tests.baking import invoke
from tests.fleet.conftest import Login, next_image, status, where
from tests.waiting import until

pytestmark = [pytest.mark.long, pytest.mark.timeout(3000)]
SEATS = (
    Seat(
        "house", MULTI_NODE, FIRST_NUMBER, (Node("hidden", "validator"), Node("s-1", "sentry"), Node("s-2", "sentry"))
    ),
    Seat("trio", MULTI_NODE, FIRST_NUMBER + 1, tuple(Node(f"v-{c}", "validator", c) for c in "abc")),
    Seat("posts", MULTI_NODE, FIRST_NUMBER + 2, tuple(Node(f"s-{c}", "sentry", c) for c in "abc")),
)
#: How often a node dies while its siblings must go on.
CYCLES = 20
#: Share of votes that may come too late.
LATE = 0.1
#: Kills a node's daemon, each time when another one runs: in one login, because each costs as much as many votes.
KILLS = (
    f"for n in $(seq {CYCLES}); do pid=$(systemctl show -P MainPID UNIT); kill -KILL $pid;"
    " until p=$(systemctl show -P MainPID UNIT) && [ $p -gt 0 ] && [ $p -ne $pid ]; do sleep 2; done; done"
)


@pytest.fixture(scope="module", params=["localnet", "localwasm"])
def fleet(
    request: pytest.FixtureRequest, login: Login, image: Path | None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Fleet]:
    """The three machines, every validator of them signing."""
    network = request.param
    folder = tmp_path_factory.mktemp("fleet") / network
    memory = MEMORY if network == "localnet" else 2 * MEMORY
    wish = Wish(network, sentries=1, memory=memory, ssh_key=login.public, open_validators=True)
    made = story.up(wish, folder, SILENT, image=image if network == "localnet" else None, planned=SEATS)
    try:
        late = story.look(made)
        assert set() == late, "\n".join(made.console(seat.name)[-3000:] for seat in made.state.seats)
        assert until(lambda: addresses(made) <= made.world().signers(), 240), made.console("trio")[-3000:]
        yield made
    finally:
        story.down(folder)


def addresses(fleet: Fleet) -> frozenset[str]:
    """All hidden validators."""
    return frozenset(fleet.state.validators.values())


def unsigned(fleet: Fleet, first: int, names: Iterable[str]) -> list[tuple[int, str]]:
    """Heights since then that one of these validators has not signed; the latest one's votes still come in."""
    found = []
    for height in range(first + 2, fleet.world().height()):
        signers = fleet.world().signers(height)
        found += [(height - 1, name) for name in names if fleet.state.validators[name] not in signers]
    return found


def test_every_node_is_a_line_of_its_own(fleet: Fleet) -> None:
    """`fleet status` tells nine nodes of three machines, each with its role and ID; the four validators sign."""
    assert until(lambda: addresses(fleet) <= fleet.world().signers(), 120)
    rows = json.loads(invoke("fleet", "status", "--json", "--folder", fleet.folder).stdout)["nodes"]
    own = {row["name"]: row for row in rows if row["role"] != "world"}

    assert {node.name: node.role for seat in fleet.state.seats for node in seat.nodes} == {
        name: row["role"] for name, row in own.items()
    }
    assert 9 == len({row["node_id"] for row in own.values()})
    assert [] == [name for name, row in own.items() if row["own_ready"] is None]


def test_one_page_has_the_metrics_of_all_nodes(fleet: Fleet) -> None:
    """Whoever may read a machine's metrics asks one port and gets every node of it."""
    for seat in fleet.state.seats:
        url = f"http://{seat.address}:{METRICS}/metrics"
        read = f"import urllib.request; print(urllib.request.urlopen({url!r}, timeout=20).read().decode())"
        page = fleet.ground.run([sys.executable, "-I", "-c", read], timeout=60).stdout

        for node in seat.nodes:
            assert f'goldnode_state{{node="{node.name}",role="{node.role}"' in page


@pytest.mark.parametrize(("dies", "siblings"), [("s-2", ["hidden"]), ("v-b", ["v-a", "v-c"])])
def test_siblings_sign_while_one_dies_and_dies(fleet: Fleet, login: Login, dies: str, siblings: list[str]) -> None:
    """A sentry beside its validator, a validator beside two others: killed twenty times, siblings sign on.

    Without KVM a vote may come too late for its block; tests/integration/node/test_one_machine.py counts every height.
    """
    seat, first = where(fleet, dies), fleet.world().height()
    login.ask(fleet, seat, KILLS.replace("UNIT", f"goldnode-node@{dies}.service"), timeout=1200)
    missed, heights = unsigned(fleet, first, siblings), fleet.world().height() - first
    back = until(lambda: status(fleet, login, seat)[dies]["healthy"], 180)
    found = status(fleet, login, seat)

    assert len(missed) <= LATE * heights * len(siblings), missed
    assert until(lambda: {fleet.state.validators[name] for name in siblings} <= fleet.world().signers(), 180)
    assert back, fleet.console(seat.name)[-3000:]
    assert {node.name: CYCLES if node.name == dies else 0 for node in seat.nodes} == {
        name: node["restarts"] for name, node in found.items()
    }


def test_a_new_image_is_the_update_of_every_node(fleet: Fleet, login: Login, second_image: Path) -> None:
    """Three validators move to one new machine of the next image, each runs its daemon, and each signs again."""
    names = [node.name for node in where(fleet, "v-a").nodes]
    new = moving.move(fleet, where(fleet, "v-a").name, second_image, login.private, SILENT, story.PATIENCE)
    height = fleet.world().height()
    signing = until(lambda: addresses(fleet) <= fleet.world().signers() and fleet.world().height() > height + 3, 300)
    running = login.ask(
        fleet, new, "for n in " + " ".join(names) + "; do "
        "stat -Lc %d:%i /proc/$(systemctl show -P MainPID goldnode-node@$n.service)/exe; done;"
        " stat -c %d:%i /usr/lib/goldnode/bin/*; jq --version",
    ).split()  # fmt: skip

    assert signing, fleet.console(new.name)[-3000:]
    assert [running[3]] * 3 == running[:3]
    assert running[4].startswith("jq-1")


@pytest.fixture(scope="module")
def second_image(fleet: Fleet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The next image of the fleet's network."""
    return next_image(fleet.state.wish.network, tmp_path_factory.mktemp("second"))
