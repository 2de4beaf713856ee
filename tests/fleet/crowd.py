"""What is asked of machines with several nodes, whichever nodes these are.

Without KVM two cores carry two such machines, not three; so each of the fleets here is one test module.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import pytest

from goldnode.fleet import up as story
from goldnode.fleet.fleet import Fleet
from goldnode.fleet.plan import MEMORY, FleetSpec, VmSpec
from goldnode.node.plan.ports import METRICS
from goldnode.progress import SILENT
from tests.fleet.conftest import Login, status, where
from tests.support.baking import invoke
from tests.support.waiting import until

#: How often a node dies while its siblings must go on.
CYCLES = 20
#: Kills a node's daemon, each time when another one has passed its gate: in one login, each costs many votes.
KILLS = (
    f"for n in $(seq {CYCLES}); do pid=$(systemctl show -P MainPID UNIT); kill -KILL $pid;"
    " until p=$(systemctl show -P MainPID UNIT) && [ $p -ne $pid ] &&"
    " readlink /proc/$p/exe | grep -q ^/usr/lib/goldnode/bin/; do sleep 2; done; done"
)


def standing(vms: Sequence[VmSpec], sentries: int) -> Callable[..., Iterator[Fleet]]:
    """The fixture of a module: machines with several nodes, every validator of them signing.

    Args:
        vms: The machines.
        sentries: How many each validator waits for, at most two.
    """

    @pytest.fixture(scope="module", params=["localnet", "localwasm"])
    def fleet(
        request: pytest.FixtureRequest, login: Login, image: Path | None, tmp_path_factory: pytest.TempPathFactory
    ) -> Iterator[Fleet]:
        network, folder = request.param, tmp_path_factory.mktemp("fleet") / request.param
        memory = MEMORY if network == "localnet" else 2 * MEMORY
        spec = FleetSpec(network, sentries=sentries, memory=memory, ssh_key=login.public, open_validators=True)
        made = story.up(spec, folder, SILENT, image=image if network == "localnet" else None, planned=vms)
        try:
            late = story.observe(made)
            assert set() == late, "\n".join(made.console(vm.name)[-3000:] for vm in made.state.vms)
            assert until(lambda: addresses(made) <= made.external().signers(), 240), made.console(vms[0].name)[-3000:]
            yield made
        finally:
            story.down(folder)

    return fleet


def addresses(fleet: Fleet) -> frozenset[str]:
    """All hidden validators."""
    return frozenset(fleet.state.validators.values())


def is_told_node_by_node(fleet: Fleet) -> None:
    """`fleet status` has a line for each node, with its role and ID; the validators sign."""
    assert until(lambda: addresses(fleet) <= fleet.external().signers(), 120)
    rows = json.loads(invoke("fleet", "status", "--json", "--folder", fleet.folder).stdout)["nodes"]
    own = {row["name"]: row for row in rows if row["role"] != "external"}

    assert {node.name: node.role for vm in fleet.state.vms for node in vm.nodes} == {
        name: row["role"] for name, row in own.items()
    }
    assert len(own) == len({row["node_id"] for row in own.values()})
    assert [] == [name for name, row in own.items() if row["own_ready"] is None]


def has_one_page_of_metrics(fleet: Fleet) -> None:
    """Whoever may read a machine's metrics asks one port and gets every node of it."""
    for vm in fleet.state.vms:
        url = f"http://{vm.address}:{METRICS}/metrics"
        read = f"import urllib.request; print(urllib.request.urlopen({url!r}, timeout=20).read().decode())"
        page = fleet.namespace.run([sys.executable, "-I", "-c", read], timeout=60).stdout

        for node in vm.nodes:
            assert f'goldnode_state{{node="{node.name}",role="{node.role}"' in page


def lets_siblings_sign_while_one_dies(fleet: Fleet, login: Login, dies: str, siblings: Sequence[str]) -> None:
    """One node is killed twenty times, its siblings sign every height, and nothing else is restarted.

    The chain makes blocks without them: whose vote came too late would be missing.
    """
    vm, first = where(fleet, dies), fleet.external().height()
    login.ask(fleet, vm, KILLS.replace("UNIT", f"goldnode-node@{dies}.service"), timeout=1200)
    missed, heights = unsigned(fleet, first, siblings), fleet.external().height() - first
    back = until(lambda: status(fleet, login, vm)[dies]["healthy"], 180)
    found = status(fleet, login, vm)

    assert heights > CYCLES, "the chain stood still, so nobody can have missed anything"
    assert [] == missed, heights
    assert back, fleet.console(vm.name)[-3000:]
    assert {node.name: CYCLES if node.name == dies else 0 for node in vm.nodes} == {
        name: node["restarts"] for name, node in found.items()
    }


def unsigned(fleet: Fleet, first: int, names: Iterable[str]) -> list[tuple[int, str]]:
    """Heights since then that one of these validators has not signed; the latest one's votes still come in."""
    found = []
    for height in range(first + 2, fleet.external().height()):
        signers = fleet.external().signers(height)
        found += [(height - 1, name) for name in names if fleet.state.validators[name] not in signers]
    return found
