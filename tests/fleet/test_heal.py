"""An instance group, played on the host: whatever it takes for gone is replaced, and no height is signed twice."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from goldnode.errors import HostError
from goldnode.fleet import up as story
from goldnode.fleet.fleet import Fleet
from goldnode.paths import REPOSITORY
from goldnode.run import spawn
from tests.fleet.conftest import signs, where
from tests.support.baking import invoke
from tests.support.cable import cut
from tests.support.waiting import until

#: The first test also waits for wasmd to be built, an image to be baked, and the machines to boot.
pytestmark = [pytest.mark.long, pytest.mark.timeout(5400)]
VALIDATOR = "validator-1"
NETWORK = REPOSITORY / "networks" / "localwasm.yaml"
#: What makes N, the blocks that a grant reaches ahead, ten: the fleet's blocks are slower than a second.
SLOWER = ("block_time: 1\n", "block_time: 6\n")
N = 10


@pytest.fixture(scope="module")
def fleet(image: Path | None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """A fleet whose validator signs by a lease, and somebody who replaces its machines."""
    folder = tmp_path_factory.mktemp("heal")
    image, where_to = image or bake(folder), folder / "fleet"
    try:
        words = ("--network", "localwasm", "--lease", "--image", image, "--folder", where_to)
        said = invoke("fleet", "up", *words, timeout=1500)
        assert said.code == 0, said.stdout + said.stderr
        made = Fleet.find(where_to)
        assert until(lambda: signs(made), 300), made.console(VALIDATOR)[-3000:]
        with (folder / "heal.log").open("wb") as log:
            argv: list[str | Path] = [REPOSITORY / "invoke", "fleet", "heal", "--folder", where_to]
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


def replaced(fleet: Fleet, old: str) -> Fleet:
    """The fleet, once a node is on another machine than before and signs there."""
    found: list[Fleet] = []

    def moved() -> bool:
        with contextlib.suppress(HostError):
            found[:] = [Fleet.find(fleet.folder)]
        return bool(found) and where(found[0], VALIDATOR).name != old

    log = fleet.folder.parent / "heal.log"
    assert until(moved, 180, every=1), log.read_text()
    new = where(found[0], VALIDATOR).name
    assert until(lambda: signs(found[0]), 900, every=1), found[0].console(new)[-3000:]
    return found[0]


def test_machines_that_are_gone_are_replaced_and_nothing_is_signed_twice(fleet: Fleet) -> None:
    """A power cut; then a pulled cable, whose machine lives on and comes back: the key signs on, without evidence."""
    first, height = where(fleet, VALIDATOR), fleet.external().height
    died = height()
    fleet.namespace.stop(first.name)

    healed = replaced(fleet, first.name)
    print(f"power cut at {died}, signs again by {height()} on {where(healed, VALIDATOR).name}")

    second = where(healed, VALIDATOR)
    # It has to answer once before its silence means anything.
    assert until(lambda: healed.seen()[VALIDATOR].ready is not None, 300)
    pulled = height()
    cut(healed, second.name, off=True)
    again = replaced(healed, second.name)
    print(f"cable pulled at {pulled}, signs again by {height()} on {where(again, VALIDATOR).name}")

    back = height()
    cut(healed, second.name, off=False)
    assert until(lambda: height() > back + 3 * N, 600, every=2)
    signed = [each for each in range(back, height()) if fleet.state.validators[VALIDATOR] in
              fleet.external().signers(each + 1)]  # fmt: skip
    print(f"both live from {back} to {height()}: {len(signed)} blocks signed")
    blocks = [fleet.external().ask(f"block?height={each}")["block"] for each in range(1, height() + 1)]
    logs = [(fleet.folder / "external" / f"{number}.log").read_text(errors="replace") for number in (1, 2, 3)]
    assert signed
    assert [] == [block["evidence"]["evidence"] for block in blocks if block["evidence"]["evidence"]]
    assert [] == [log for log in logs if "onflicting vote" in log]
