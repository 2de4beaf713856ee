"""A lost signing state, and a lost identity: a real validator comes back by the chain, and signs nothing twice."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from goldnode.node.keys import keys
from goldnode.node.keys.cometbft_keys import Key
from goldnode.node.layout import NodeLayout
from goldnode.paths import REPOSITORY
from goldnode.run import run
from tests.integration.node.fleet import fleet
from tests.integration.node.programs import programs
from tests.integration.node.scenarios import hidden_and_sentries
from tests.support.node_lab import seed
from tests.support.waiting import until

pytestmark = [pytest.mark.root, pytest.mark.long]


def empty_state(node: NodeLayout) -> Path:
    """What a power cut leaves of the signing state."""
    node.signing_state.write_text("")
    return node.signing_state


def lost_identity(node: NodeLayout) -> Path:
    """Nothing says which machine this is any more."""
    node.identity.unlink()
    return node.identity


@pytest.mark.parametrize(
    ("damage", "words"),
    [(empty_state, ("key", "recover", "val-1")), (lost_identity, ("takeover", "val-1", "--gone"))],
    ids=["state", "identity"],
)
def test_a_lost_signing_state_is_recovered_by_the_chain(
    tmp_path: Path, damage: Callable[[NodeLayout], Path], words: tuple[str, ...]
) -> None:
    """Refused with the command to type, muted while the chain moves on, then signing above all it can have signed."""
    address = Key(seed("hidden")).address
    with fleet(tmp_path, programs(tmp_path / "programs")) as made:
        validator, _ = hidden_and_sentries(made)
        layout = validator.tree.layout
        node = layout.node("val-1")
        validator.lose_power()
        lost = keys.read_state(node)
        assert lost is not None
        damaged = damage(node)

        validator.boot()
        assert until(lambda: validator.node().get("state") == "refused", 60), validator.console.read_text()
        assert str(damaged) in validator.node()["reason"]
        validator.halt()
        argv = [sys.executable, "-m", "goldnode.node", "--root", str(layout.root), *words]
        said = run(argv, cwd=REPOSITORY).stdout
        assert "the chain without signing" in said
        validator.boot()
        assert until(lambda: "recovering its signing state" in validator.node().get("reason", ""), 90), (
            validator.console.read_text()
        )
        assert until(lambda: "until the chain has passed" in validator.node().get("reason", ""), 120)
        muted = _height(made)
        assert address not in made.signers()
        assert until(lambda: bool(validator.node().get("signing")), 240), validator.console.read_text()

        first = next(height for height in range(muted, _height(made)) if address in _signers(made, height))
        assert first > lost.height
        assert [] == [height for height in range(lost.height + 2, muted) if address in _signers(made, height)]
        assert [] == [height for height in range(1, _height(made)) if _evidence(made, height)]
        assert not node.recovery.exists()


def _height(made: Any) -> int:
    return int(made.ask("status")["sync_info"]["latest_block_height"])


def _signers(made: Any, height: int) -> set[str]:
    signatures = made.ask(f"commit?height={height}")["signed_header"]["commit"]["signatures"]
    return {each["validator_address"] for each in signatures if each["block_id_flag"] == 2}


def _evidence(made: Any, height: int) -> list[Any]:
    found: list[Any] = made.ask(f"block?height={height}")["block"]["evidence"]["evidence"]
    return found
