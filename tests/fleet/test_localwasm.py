"""A fleet of a Cosmos SDK chain, by the user's commands: it signs, it says so when it does not, and it moves.

One fleet serves all tests; whatever a test changes it brings back, so they may come in any order.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from goldnode.fleet import up as story
from goldnode.fleet.fleet import Fleet
from tests.fleet.conftest import Login, next_image, signs, status, where
from tests.support.baking import invoke
from tests.support.waiting import until

#: The first test also waits for wasmd to be built, two images to be baked, and the machines to boot.
pytestmark = [pytest.mark.long, pytest.mark.timeout(2700)]
VALIDATOR = "validator-1"
UNIT = f"goldnode-node@{VALIDATOR}.service"
#: Everything that configure writes, and what runs; what a running node changes by itself is left out.
SNAPSHOT = (
    "find /etc /run/systemd/system /var/lib/goldnode /var/lib/goldnode/nodes -xdev -type f -not -path '*/data/*'"
    " -not -path '*/member/*' -not -name consensus.json -exec sha256sum {} + | sort;"
    " systemctl show -p Id -p MainPID -p NRestarts 'goldnode-*'"
)
#: Kills the daemon, and tells after how many milliseconds the node's own status was not healthy any more.
KILL = (
    f"systemctl kill --signal=KILL {UNIT}; from=$(date +%s%N);"
    " while goldnode status --json | grep -q '\"healthy\": true'; do sleep 0.1; done;"
    " echo $((($(date +%s%N) - from) / 1000000))"
)


@pytest.fixture(scope="module")
def fleet(login: Login, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """A fleet that signs."""
    folder = tmp_path_factory.mktemp("fleet") / "localwasm"
    words = ("--network", "localwasm", "--ssh-key", login.private.with_suffix(".pub"), "--open-validators")
    try:
        said = invoke("fleet", "up", *words, "--folder", folder, timeout=1500)
        assert said.code == 0, said.stdout + said.stderr
        made = Fleet.find(folder)
        assert until(lambda: signs(made), 120), made.console(VALIDATOR)[-3000:]
        yield made
    finally:
        story.down(folder)


@pytest.fixture(scope="module")
def second_image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The next image of the network."""
    return next_image("localwasm", tmp_path_factory.mktemp("second"))


def ask(fleet: Fleet, login: Login, *command: str) -> str:
    """What a command on the validator's machine prints, whichever it is on now."""
    return login.ask(fleet, where(fleet, VALIDATOR), *command)


def console(fleet: Fleet) -> str:
    """The end of what that machine said."""
    return fleet.console(where(fleet, VALIDATOR).name)[-3000:]


def health(fleet: Fleet, login: Login) -> dict[str, Any]:
    """What the validator's own machine says of it."""
    return status(fleet, login, where(fleet, VALIDATOR))[VALIDATOR]


def last_signed(fleet: Fleet, login: Login) -> int:
    """The height in the signing state beside the key."""
    home = f"/var/lib/goldnode/nodes/{VALIDATOR}/home"
    return int(json.loads(ask(fleet, login, "cat", f"{home}/data/priv_validator_state.json"))["height"])


def test_the_hidden_validator_is_in_the_set_and_signs(fleet: Fleet, login: Login) -> None:
    """The chain counts it, commits hold its signature, and its own machine and the fleet's status say so."""
    address = fleet.state.validators[VALIDATOR]
    members = {each["address"] for each in fleet.external().ask("validators")["validators"]}
    rows = json.loads(invoke("fleet", "status", "--json", "--folder", fleet.folder).stdout)["nodes"]

    assert address in members
    assert until(lambda: signs(fleet), 60)
    assert until(lambda: health(fleet, login)["state"] == "signing", 30)
    assert "validator" == next(row["role"] for row in rows if row["name"] == VALIDATOR)


def test_a_killed_daemon_is_said_within_ten_seconds(fleet: Fleet, login: Login) -> None:
    """Health on the machine turns within 10 s; the daemon comes back by itself and signs."""
    assert until(lambda: health(fleet, login)["healthy"], 120)

    took = int(ask(fleet, login, KILL).split()[-1])

    assert took <= 10_000
    assert until(lambda: health(fleet, login)["state"] == "signing", 180), console(fleet)


def test_a_second_configure_changes_nothing(fleet: Fleet, login: Login) -> None:
    """Not one byte, and no process is another one than before."""
    for vm in fleet.state.vms:
        login.ask(fleet, vm, "for n in $(seq 60); do goldnode status >/dev/null && exit; sleep 1; done; exit 1")
        before = login.ask(fleet, vm, SNAPSHOT)
        said = login.ask(fleet, vm, "goldnode configure")

        assert before == login.ask(fleet, vm, SNAPSHOT)
        assert "0 files changed" in said


def test_a_validator_moves_to_the_next_image(fleet: Fleet, login: Login, second_image: Path) -> None:
    """On the same volume, after a handover, it signs again, and never signed a height twice."""
    old, signed = where(fleet, VALIDATOR), last_signed(fleet, login)
    said = invoke("fleet", "move", VALIDATOR, "--image", second_image, "--identity", login.private,
                  "--folder", fleet.folder, timeout=900)  # fmt: skip
    assert said.code == 0, said.stdout + said.stderr
    moved = Fleet.find(fleet.folder)
    height = moved.external().height()

    assert until(lambda: signs(moved) and moved.external().height() > height + 3, 180), said.stdout
    assert old.name != where(moved, VALIDATOR).name
    assert "jq-1" in ask(moved, login, "jq --version")
    assert last_signed(moved, login) > signed
    assert [] == double_signs(moved)
    fleet.state = moved.state


def double_signs(fleet: Fleet) -> list[object]:
    """Evidence that any block of the chain carries, and votes of one validator that a commit has twice."""
    found: list[object] = []
    for height in range(2, fleet.external().height() + 1):
        block = fleet.external().ask(f"block?height={height}")["block"]
        found += block["evidence"]["evidence"]
        voters = [each["validator_address"] for each in block["last_commit"]["signatures"] if each["signature"]]
        found += [voter for voter in set(voters) if voters.count(voter) > 1]
    return found
