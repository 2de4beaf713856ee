"""An instance group, played on the host: whatever it takes for gone is replaced, and no height is signed twice."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from goldnode.errors import HostError
from goldnode.fleet import up as story
from goldnode.fleet.fleet import Fleet
from goldnode.fleet.plan import VmSpec
from goldnode.node.plan.ports import METRICS
from goldnode.paths import REPOSITORY
from goldnode.run import spawn
from tests.fleet.conftest import signs, where
from tests.support import memory_snapshot
from tests.support.baking import invoke
from tests.support.cable import cut
from tests.support.waiting import until

#: The first test also waits for wasmd to be built, an image to be baked, and the machines to boot.
pytestmark = [pytest.mark.long, pytest.mark.timeout(7200)]
#: Seconds until a new machine signs: it boots beside others on two cores, syncs, and waits for N silent blocks.
SIGNS = 1800
VALIDATOR = "validator-1"
NETWORK = REPOSITORY / "networks" / "localwasm.yaml"
#: What makes N, the blocks that a grant reaches ahead, ten: the fleet's blocks are slower than a second.
SLOWER = ("block_time: 1\n", "block_time: 6\n")
N = 10
#: Four machines without KVM, on the cores of one, may take longer to answer than a cloud's ever do.
PATIENCE = ("--timeout", "60")
HELD = re.compile(r"^goldnode_lease_held\{.*\} ([01])", re.MULTILINE)


@pytest.fixture(scope="module")
def fleet(image: Path | None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """A fleet whose validator signs by a lease, and somebody who replaces its machines."""
    folder = tmp_path_factory.mktemp("heal")
    image, where_to = image or bake(folder), folder / "fleet"
    try:
        words = ("--network", "localwasm", "--lease", "--sentries", "1", "--image", image, "--folder", where_to)
        said = invoke("fleet", "up", *words, timeout=1500)
        assert said.code == 0, said.stdout + said.stderr
        made = Fleet.find(where_to)
        assert until(lambda: signs(made), 300), made.console(VALIDATOR)[-3000:]
        with (folder / "heal.log").open("wb") as log:
            argv: list[str | Path] = [REPOSITORY / "invoke", "fleet", "heal", "--folder", where_to, *PATIENCE]
            with spawn(argv, stdout=log):
                yield made
    finally:
        story.down(where_to)


def bake(folder: Path) -> Path:
    """An image of a network that says of itself that its blocks are slower."""
    text = NETWORK.read_text()
    assert SLOWER[0] in text
    file = folder / "localwasm.yaml"
    file.write_text(text.replace(*SLOWER))
    said = invoke("bake", "--network", file, env={"GOLDNODE_OUT": str(folder)}, timeout=2400)
    assert said.code == 0, said.stderr
    (image,) = folder.glob("*.qcow2")
    return image


def holds(fleet: Fleet, vm: VmSpec) -> str:
    """Whether a machine says in its metrics that it holds the lease, `1` or `0`; empty where nobody answers."""
    url = f"http://{vm.address}:{METRICS}/metrics"
    argv = ["curl", "--silent", "--fail", "--max-time", "10", url]
    found = HELD.search(fleet.namespace.run(argv, check=False).stdout)
    return found[1] if found else ""


def signed(fleet: Fleet, first: int, last: int) -> list[int]:
    """Heights whose commit has the validator's signature."""
    address = fleet.state.validators[VALIDATOR]
    return [each for each in range(first, last + 1) if address in fleet.external().signers(each + 1)]


@dataclass(frozen=True)
class Gap:
    """A machine that was gone, and the one in its place.

    Attributes:
        fleet: The fleet since.
        last: The last height that was signed before.
        first: The first one after.
    """

    fleet: Fleet
    last: int
    first: int


def replaced(fleet: Fleet, old: str, gone: int) -> Gap:
    """Wait until a node is on another machine than before and signs there; it was gone at that height."""
    found: list[Fleet] = []

    def moved() -> bool:
        with contextlib.suppress(HostError):
            found[:] = [Fleet.find(fleet.folder)]
        return bool(found) and where(found[0], VALIDATOR).name != old

    log = fleet.folder.parent / "heal.log"
    assert until(moved, 300, every=1), log.read_text()
    new = where(found[0], VALIDATOR).name
    # What the old machine had signed before may still be on its way into two more blocks.
    since, height = gone + 3, fleet.external().height
    assert until(lambda: signed(fleet, since, height() - 1), SIGNS, every=5), found[0].console(new)[-3000:]
    return Gap(found[0], max(signed(fleet, max(1, gone - 9), since - 1)), signed(fleet, since, height() - 1)[0])


def comes_back(now: Fleet, before: Fleet, old: VmSpec, new: VmSpec, what: str) -> None:
    """Let a machine that was replaced reach the others again: it ends without the lease, and the new one signs on."""
    height = now.external().height
    back = height()
    cut(before, old.name, off=False)
    assert until(lambda: holds(before, old) == "0", 300), before.console(old.name)[-3000:]
    assert until(lambda: height() > back + 3 * N, 600, every=2)
    both = signed(now, back, height() - 1)
    print(f"{old.name} back with {what}: both live from {back} to {height()}, {len(both)} blocks signed", flush=True)
    assert both
    assert ("0", "1") == (holds(before, old), holds(now, new))


def test_machines_that_are_gone_are_replaced_and_nothing_is_signed_twice(fleet: Fleet) -> None:
    """A power cut; a pulled cable, whose machine lives on, comes back, and once more with its memory of before."""
    height, log = fleet.external().height, fleet.folder.parent / "heal.log"
    first = where(fleet, VALIDATOR)
    assert until(lambda: f"{first.name} answers" in log.read_text(), 300), log.read_text()
    died = height()
    fleet.namespace.stop(first.name)

    power = replaced(fleet, first.name, died)
    second = where(power.fleet, VALIDATOR)
    print(f"power cut at {died}: signed {power.last}, and again {power.first}, on {second.name}", flush=True)

    # It has to answer once before its silence means anything.
    assert until(lambda: f"{second.name} answers" in log.read_text(), 300), log.read_text()
    memory_snapshot.take(power.fleet, second.name)
    kept = height()
    # Time to sign on: what it remembers is older than what it did.
    assert until(lambda: len(signed(power.fleet, kept + 2, height() - 1)) > 1, 300, every=2)
    pulled = height()
    cut(power.fleet, second.name, off=True)
    cable = replaced(power.fleet, second.name, pulled)
    third = where(cable.fleet, VALIDATOR)
    print(f"cable pulled at {pulled}: signed {cable.last}, and again {cable.first}, on {third.name}", flush=True)

    comes_back(cable.fleet, power.fleet, second, third, "its cable")
    memory_snapshot.restore(power.fleet, second.name)
    comes_back(cable.fleet, power.fleet, second, third, f"its memory of block {kept}")
    blocks = [fleet.external().ask(f"block?height={each}")["block"] for each in range(1, height() + 1)]
    logs = [(fleet.folder / "external" / f"{number}.log").read_text(errors="replace") for number in (1, 2, 3)]
    assert [] == [block["evidence"]["evidence"] for block in blocks if block["evidence"]["evidence"]]
    assert [] == [log for log in logs if "onflicting vote" in log]
