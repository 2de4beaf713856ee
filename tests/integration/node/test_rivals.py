"""Two members of one cluster with one consensus key, as real machines: both stop, each names the other."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from goldnode.node.keys import keys
from goldnode.node.keys.cometbft_keys import Key
from tests.integration.node.fleet import Host, fleet
from tests.integration.node.programs import programs
from tests.integration.node.scenarios import bring, hidden_and_sentries
from tests.support.node_lab import seed
from tests.support.waiting import until

pytestmark = [pytest.mark.root, pytest.mark.long]


def test_a_second_signer_stops_both(tmp_path: Path) -> None:
    """Whoever signs is held, whoever comes never starts; both are named in both alarms, and nothing is signed twice."""
    with fleet(tmp_path, programs(tmp_path / "programs")) as made:
        first, _ = hidden_and_sentries(made)
        state = keys.read_state(first.tree.layout.node("val-1"))
        assert state is not None
        second = made.add("val-2", "validator", consensus_key="existing", min_sentries=2)
        bring(second, Key(seed("hidden")), "val-2", state)
        second.boot()

        assert until(lambda: "has the same consensus key" in _reason(second), 120), second.console.read_text()
        assert until(lambda: "has the same consensus key" in _reason(first), 120), first.console.read_text()
        ids = [host.node()["node_id"] for host in (first, second)]
        alarms = [_alarms(host) for host in (first, second)]
        height = int(made.ask("status")["sync_info"]["latest_block_height"])
        evidence = [made.ask(f"block?height={number}")["block"]["evidence"]["evidence"] for number in range(1, height)]

    assert first.tree.layout.node("val-1").hold.exists()
    assert 0 == second.starts()
    assert [[True, True], [True, True]] == [[any(i in alarm for alarm in said) for i in ids] for said in alarms]
    assert [] == [found for found in evidence if found]


def _reason(host: Host) -> str:
    return str(host.node().get("reason", ""))


def _alarms(host: Host) -> list[str]:
    found: list[str] = json.loads(host.tree.layout.status.read_text())["alarms"]
    return [alarm for alarm in found if "have the same consensus key" in alarm]
