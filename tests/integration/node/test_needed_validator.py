"""A validator whose power is a third of its chain's, or hardly less: the documented way leads it back."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest
import yaml

from goldnode.node.keys.cometbft_keys import Key
from goldnode.paths import REPOSITORY
from goldnode.run import run
from tests.integration.node.fleet import Fleet, Host, fleet
from tests.integration.node.programs import programs
from tests.integration.node.scenarios import POWER, hidden_and_sentries
from tests.support.node_lab import seed
from tests.support.waiting import until

pytestmark = [pytest.mark.root, pytest.mark.long]
#: More blocks than the double-sign check looks at, and seconds in which a chain that goes on makes some.
BLOCKS, SECONDS = 12, 30
#: The world's two validators make blocks without the one of 14 of 44, whose third CometBFT rounds down to 14; none
#: without the one of 20 of 50.
NEEDED = {20: True, POWER - 1: False}


@pytest.mark.parametrize("power", NEEDED)
def test_a_validator_with_a_third_of_the_power_comes_back(tmp_path: Path, power: int) -> None:
    """It waits for ever and says so; with the check off in node.yaml it catches up and signs, nothing twice."""
    address = Key(seed("hidden")).address
    with fleet(tmp_path, programs(tmp_path / "programs")) as made:
        validator, _ = hidden_and_sentries(made, power)
        stopped_at = height(made)
        validator.halt()
        if not NEEDED[power]:
            assert until(lambda: height(made) > stopped_at + BLOCKS, 120)
        validator.boot()
        assert until(lambda: "double-sign check" in reason(validator), 120), validator.console.read_text()
        before = height(made)
        time.sleep(SECONDS)

        assert "consensus.double_sign_check_height: 0 in node.yaml" in reason(validator)
        assert NEEDED[power] == (before == height(made))
        assert not validator.node().get("signing")

        validator.halt()
        apply(validator, {"config.toml": {"consensus.double_sign_check_height": 0}})
        validator.boot()
        assert until(lambda: validator.node().get("signing"), 180), validator.console.read_text()
        assert until(lambda: height(made) > before and address in made.signers(), 60)

        assert [] == [number for number in range(1, height(made)) if evidence(made, number)]


def apply(host: Host, config: dict[str, dict[str, object]]) -> None:
    """Put settings into node.yaml, as a person does: edit it, `goldnode apply FILE`."""
    layout = host.tree.layout
    document = yaml.safe_load(layout.node_yaml.read_text())
    for name, settings in config.items():
        document["config"][name] |= settings
    file = layout.root / "node.yaml"
    file.write_text(yaml.safe_dump(document))
    run([sys.executable, "-m", "goldnode.node", "--root", layout.root, "apply", file], cwd=REPOSITORY)


def height(made: Fleet) -> int:
    """The world's latest block."""
    return int(made.ask("status")["sync_info"]["latest_block_height"])


def reason(host: Host) -> str:
    """Why its node does not sign, as `goldnode status` says."""
    return str(host.node().get("reason", ""))


def evidence(made: Fleet, number: int) -> list[object]:
    """What a block proves against a validator."""
    found: list[object] = made.ask(f"block?height={number}")["block"]["evidence"]["evidence"]
    return found
