"""What a node watches: validators on the chain, its disk, the age of its machine; without a chain, by what one says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from goldnode.node.agent import metrics
from goldnode.node.agent.vitals import ASK
from goldnode.node.keys.claims import Claim
from goldnode.node.observe import exposition, slashing
from goldnode.node.observe.disk import EVERY, LEAST, DiskGrowth, DiskView
from goldnode.node.plan.peers import Member
from tests.support.agent_lab import NOW, Daemon, World
from tests.support.node_lab import Tree

ADDRESS, OPERATOR = "AB" * 20, b"\x07" * 20
CONSENSUS = bytes.fromhex(ADDRESS)
VALIDATOR = Member("a" * 40, "validator", "val-1", claim=Claim("a" * 40, "val-1", ADDRESS, 5, NOW))


def _field(number: int, value: int | bytes) -> bytes:
    """A field of a protobuf message."""
    if isinstance(value, bytes):
        return bytes([number << 3 | 2, len(value)]) + value
    written = bytearray()
    while value > 127:
        written.append(value & 127 | 128)
        value >>= 7
    return bytes([number << 3]) + bytes([*written, value])


def chain(daemon: Daemon, missed: int, *, jailed: bool = False) -> None:
    """Let the daemon know a validator that missed blocks of a window of 100, of which 50 must be signed."""
    validator = _field(1, b"cosmosvaloper1x") + _field(2, b"key") + (_field(3, 1) if jailed else b"")
    validator += _field(4, 1 if jailed else 3) + _field(5, b"1000000") + _field(7, _field(1, b"Alice"))
    info = _field(1, b"cosmosvalcons1x") + _field(2, 1) + _field(3, 9) + _field(4, _field(1, 5)) + _field(6, missed)
    params = _field(1, _field(1, 100) + _field(2, str(10**18 // 2).encode()))
    daemon.store |= {
        ("/store/staking/key", b"\x22\x14" + CONSENSUS): OPERATOR,
        ("/store/staking/key", b"\x21\x14" + OPERATOR): validator,
        ("/store/slashing/key", b"\x01\x14" + CONSENSUS): info,
        ("/cosmos.slashing.v1beta1.Query/Params", b""): params,
    }


def test_the_chains_count_is_read() -> None:
    """Missed blocks, the window, what may be missed, and how far it is to jail."""
    daemon = Daemon()
    chain(daemon, missed=20)

    state = slashing.read(daemon.query, ADDRESS)

    assert state
    assert (20, 100, 50, 31) == (state.missed, state.window, state.allowed, state.left)
    assert (True, False, False, 5, "Alice", 1_000_000) == (
        state.bonded,
        state.jailed,
        state.tombstoned,
        state.jailed_until,
        state.moniker,
        state.tokens,
    )
    assert 0 == replace(state, jailed=True).left


def test_a_chain_without_validators_counts_nothing() -> None:
    """Neither an unknown validator nor a chain without such modules is an error."""
    assert slashing.read(Daemon().query, ADDRESS) is None


@pytest.fixture
def sentry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """A sentry at the tip that stands before a validator."""
    world = World(Tree(tmp_path / "machine"), "sentry", monkeypatch)
    world.members = (VALIDATOR,)
    world.answers(height=50, address=ADDRESS)
    world.tree.system.running.add("goldnode-node@n-1.service")
    return world


def test_a_sentry_sees_its_validator_on_the_chain(sentry: World) -> None:
    """Signing, then silent, then jailed: told by its sentry, which needs nothing from the validator for it."""
    chain(sentry.daemon, missed=20)
    sentry.reconcile()
    (view,) = sentry.agent.vitals["n-1"].validators
    assert ("val-1", ADDRESS, True) == (view.name, view.address, view.signing)

    sentry.daemon.signs = False
    sentry.answers(height=51, address=ADDRESS)
    sentry.reconcile()
    assert sentry.agent.vitals["n-1"].validators[0].signing is False

    chain(sentry.daemon, missed=51, jailed=True)
    sentry.answers(height=52, address=ADDRESS)
    sentry.reconcile(ASK)
    (view,) = sentry.agent.vitals["n-1"].validators
    assert view.signing is None
    assert view.slashing
    assert (True, 0) == (view.slashing.jailed, view.slashing.left)


def test_nobody_is_expected_to_sign_who_never_did(sentry: World) -> None:
    """On a chain that counts nothing, a validator is watched from its first signature on."""
    sentry.daemon.signs = False
    sentry.reconcile()
    assert sentry.agent.vitals["n-1"].validators[0].signing is None

    sentry.daemon.signs = True
    sentry.answers(height=51, address=ADDRESS)
    sentry.reconcile()
    sentry.daemon.signs = False
    sentry.answers(height=52, address=ADDRESS)
    sentry.reconcile()

    assert sentry.agent.vitals["n-1"].validators[0].signing is False


def test_every_metric_of_ours_has_its_meaning(sentry: World) -> None:
    """The page has no metric without a help, and each is announced before its first sample."""
    chain(sentry.daemon, missed=20)
    sentry.reconcile()

    lines = sentry.agent.page().splitlines()

    names = {line.split()[2] for line in lines if line.startswith("# HELP goldnode_")}
    assert names <= set(metrics.HELP)
    assert {"goldnode_validator_blocks_left", "goldnode_disk_free_bytes", "goldnode_agent_look_age_seconds"} <= names
    assert set(exposition.read("\n".join(lines), {})) >= names


def test_a_disk_that_fills_has_its_days_counted() -> None:
    """A gigabyte an hour of a hundred: four days; nothing is said in the first hour, nor when it does not fill."""
    growth, hour = DiskGrowth(), 3600.0
    assert DiskView(100, 200) == growth.observe(100, 200, NOW)
    assert DiskView(99, 200) == growth.observe(99, 200, NOW + EVERY)

    filled = growth.observe(98, 200, NOW + 2 * hour)
    freed = growth.observe(150, 200, NOW + 3 * hour)

    assert filled.days is not None
    assert 98 / 24 == pytest.approx(filled.days)
    assert freed.days is None
    assert DiskView(10, 200) == growth.observe(10, 200, NOW - LEAST)
