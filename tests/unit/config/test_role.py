"""role.yaml: the shipped roles are what the design says, and faults are named."""

from __future__ import annotations

from pathlib import Path

import pytest

from goldnode.config import role
from goldnode.config.role import Audience, Port, Restart, Role, RoleKind, Start
from goldnode.errors import InputError
from goldnode.paths import REPOSITORY

FOLDERS = sorted(path.parent for path in (REPOSITORY / "roles").glob("*/role.yaml"))
SMALLEST = "version: 1\nname: relay\nsummary: Relays.\n"


def _shipped(name: str) -> Role:
    return role.parse((REPOSITORY / "roles" / name / "role.yaml").read_text())


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_a_role_has_its_folders_name(folder: Path) -> None:
    """role.yaml names the folder it stands in."""
    assert folder.name == _shipped(folder.name).name


def test_a_validator_opens_nothing_to_the_world() -> None:
    """Only sentries, and the signer from its machine, reach it, and it is never restarted for the roster."""
    found = _shipped("validator")

    assert {Audience.SENTRIES, Audience.SIGNER, Audience.SIGNER_MACHINE} == {port.to for port in found.ports}
    assert (Start.WHEN_SENTRIES_READY, Restart.NEVER, True) == (found.start, found.restart, found.consensus_key)
    assert False is found.settings["config.toml"]["p2p.pex"]


def test_a_sentry_opens_peers_and_mesh() -> None:
    """A sentry is public on two ports, serves validators, their leases and a signer, and keeps validators private."""
    found = _shipped("sentry")
    expected = {
        Port("p2p", "tcp", Audience.WORLD),
        Port("mesh", "udp", Audience.WORLD),
        Port("rpc", "tcp", Audience.VALIDATORS),
        Port("signer", "tcp", Audience.SIGNER),
        Port("lease", "tcp", Audience.LEASE_HOLDERS),
        Port("raft", "tcp", Audience.LEASE_SERVERS),
    }

    assert expected == set(found.ports)
    assert ("validator",) == found.peers.private
    assert "validator" in found.peers.unconditional


def test_a_smallest_role() -> None:
    """Name and summary make a role; the rest has defaults."""
    assert Role("relay", "Relays.", RoleKind.NODE) == role.parse(SMALLEST)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("kind: service\n", "unit"),
        ("start: soon\n", "start"),
        ("ports: [{port: p2p, to: everybody}]\n", r"ports\[0\]\.to"),
        ("ports: [p2p]\n", r"ports\[0\]"),
        ("peers: {private: [friends]}\n", r"peers\.private\[0\]"),
        ("settings: {other.toml: {}}\n", r"settings\.other\.toml"),
        ("colour: red\n", "colour"),
    ],
)
def test_faults_are_named(more: str, said: str) -> None:
    """What is wrong in a role is named by its path."""
    with pytest.raises(InputError, match=said):
        role.parse(SMALLEST + more)
