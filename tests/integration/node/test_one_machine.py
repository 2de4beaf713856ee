"""A validator and two sentries of one cluster on one machine: real daemons, mesh, firewall and rendezvous."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from goldnode.node.cometbft_keys import Key
from goldnode.run import run
from tests.integration.node.fleet import Fleet, Host, all_on_one_machine, fleet, programs
from tests.node_lab import seed
from tests.waiting import until

pytestmark = [pytest.mark.root, pytest.mark.long]
ADDRESS = Key(seed("hidden")).address


def _kill(host: Host, name: str) -> None:
    """End a node's daemon as a crash would."""
    home = host.tree.layout.node(name).home
    for pid in run(["pgrep", "-f", f"cometbft node --home {home} "]).stdout.split():
        os.kill(int(pid), signal.SIGKILL)


def test_siblings_sign_while_a_sentry_dies(tmp_path: Path) -> None:
    """Three nodes of one cluster share a machine; one sentry is killed, comes back, and the validator signs on."""
    with fleet(tmp_path, programs(tmp_path / "programs")) as made:
        host = all_on_one_machine(made)
        assert until(lambda: ADDRESS in made.signers(), 30)
        assert until(lambda: not host.node("val-1")["missing"], 90), host.console.read_text()
        validator = host.tree.layout.at("/var/log/goldnode-node@val-1.service.log")

        _kill(host, "s-2")

        assert _signs_every_height(made, 8)
        assert until(lambda: host.node("s-2")["state"] == "following", 60), host.console.read_text()
        assert (1, 1) == (validator.read_text().count("ABCI Handshake App Info"), host.node("s-2")["restarts"])


def _signs_every_height(made: Fleet, blocks: int) -> bool:
    """Whether the validator's signature is in each of the next blocks."""
    first = int(made.ask("status")["sync_info"]["latest_block_height"])
    assert until(lambda: int(made.ask("status")["sync_info"]["latest_block_height"]) >= first + blocks + 1, 60)
    commits = [made.ask(f"commit?height={height}") for height in range(first + 1, first + blocks)]
    return all(
        ADDRESS in {each["validator_address"] for each in commit["signed_header"]["commit"]["signatures"]}
        for commit in commits
    )
