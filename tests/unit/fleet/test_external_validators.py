"""The configuration of the world outside."""

from __future__ import annotations

import tomllib
from pathlib import Path

from goldnode.config import network
from goldnode.fleet.external_validators import ExternalValidator, arguments, prepare
from goldnode.fleet.plan import NETWORK
from goldnode.fleet.program import Program
from goldnode.node.keys.cometbft_keys import Key
from goldnode.paths import REPOSITORY

DEFAULTS = REPOSITORY / "tests" / "unit" / "node" / "defaults"
EXTERNALS = [ExternalValidator(n, Key(bytes([n]) * 32), Key(bytes([n + 100]) * 32)) for n in (1, 2, 3)]


def program() -> Program:
    """Localnet's daemon, with the defaults it really makes."""
    defaults = {path.name: path.read_text() for path in DEFAULTS.glob("*.toml")}
    return Program(network.load("localnet"), Path("/bin/cometbft"), {}, defaults)


def test_the_world_tells_others_about_its_peers(tmp_path: Path) -> None:
    """Peer exchange is on and private addresses count: what a sentry leaks would be found in its address book."""
    prepare(tmp_path, EXTERNALS[0], EXTERNALS, program(), b"{}")
    config = tomllib.loads((tmp_path / "config" / "config.toml").read_text())

    assert (True, False) == (config["p2p"]["pex"], config["p2p"]["addr_book_strict"])
    assert f"tcp://{NETWORK}.1:26656" == config["p2p"]["laddr"]


def test_each_of_the_world_dials_the_two_others(tmp_path: Path) -> None:
    """They know each other, and nobody of the fleet."""
    prepare(tmp_path, EXTERNALS[1], EXTERNALS, program(), b"{}")
    config = tomllib.loads((tmp_path / "config" / "config.toml").read_text())

    assert f"{EXTERNALS[0].peer},{EXTERNALS[2].peer}" == config["p2p"]["persistent_peers"]


def test_the_world_waits_for_slow_machines(tmp_path: Path) -> None:
    """Blocks come at a pace that a machine without KVM keeps up with, faster networks notwithstanding."""
    prepare(tmp_path, EXTERNALS[0], EXTERNALS, program(), b"{}", pace=5)
    config = tomllib.loads((tmp_path / "config" / "config.toml").read_text())

    assert ("5s", "7500ms") == (config["consensus"]["timeout_commit"], config["consensus"]["timeout_propose"])
    assert "1250ms" == config["consensus"]["peer_gossip_sleep_duration"]


def test_keys_are_the_owners_alone(tmp_path: Path) -> None:
    """Nobody else on this machine reads the world's keys."""
    prepare(tmp_path, EXTERNALS[0], EXTERNALS, program(), b"{}")

    assert 0o600 == (tmp_path / "config" / "priv_validator_key.json").stat().st_mode & 0o777


def test_the_daemon_is_started_in_its_home() -> None:
    """The command line has no path that depends on where the fleet lives."""
    assert ["/bin/cometbft", "node", "--home", ".", "--proxy_app=kvstore"] == arguments(program())
