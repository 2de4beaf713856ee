"""A real daemon that lives on after its consensus failed: it answers, makes no block, and the agent says why."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.node.lone import lone
from tests.support.waiting import until


def test_a_daemon_without_a_consensus_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its signing state cannot be written: it panics inside, goes on answering, and its own words are the reason."""
    with lone(tmp_path, tmp_path / "home", monkeypatch) as alone:
        assert until(lambda: alone.height() >= 2, 60), alone.log.read_text()
        state = alone.home / "data" / "priv_validator_state.json"
        # What a failing disk does to it: it cannot be replaced any more.
        state.unlink()
        state.mkdir()
        assert until(lambda: "its consensus has failed" in alone.reason(), 60), alone.log.read_text()[-2000:]
        stalled = str(alone.world.status()["state"])
        stands = alone.height()

    assert "stalled" == stalled
    assert stands >= 2
