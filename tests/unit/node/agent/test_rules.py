"""When daemons start, restart and dial again."""

from __future__ import annotations

import pytest

from goldnode.config.role import Restart, Start
from goldnode.node.agent import rules
from goldnode.node.agent.rules import DEBOUNCE, MISSING, REDIAL, TURN, PrivatePeers
from goldnode.node.plan.peers import Member

VAL, NEW = "a" * 40, "b" * 40
ONE, TWO, THREE = "1" * 40, "2" * 40, "3" * 40


def _sentry(node_id: str, *loaded: str) -> Member:
    return Member(node_id, "sentry", loaded=frozenset(loaded))


def test_a_sentry_starts_at_once() -> None:
    """A sentry alone starts: waiting helps nobody."""
    assert rules.may_start(Start.AT_ONCE, own=ONE, least=9, members=(), reachable=()).go


@pytest.mark.parametrize(
    ("members", "reachable", "go"),
    [
        ([], [], False),
        ([_sentry(ONE), _sentry(TWO)], [ONE, TWO], False),
        ([_sentry(ONE, VAL), _sentry(TWO, VAL)], [], False),
        ([_sentry(ONE, VAL), _sentry(TWO)], [ONE, TWO], False),
        ([_sentry(ONE, VAL), _sentry(TWO, VAL)], [ONE, TWO], True),
        ([_sentry(ONE, NEW), _sentry(TWO, VAL)], [ONE, TWO], False),
    ],
)
def test_a_validator_starts_when_enough_reachable_sentries_hold_it(
    members: list[Member], reachable: list[str], go: bool
) -> None:
    """Known, reached and acknowledged: each of the three is needed, for as many sentries as node.yaml says."""
    assert go is rules.may_start(Start.WHEN_SENTRIES_READY, own=VAL, least=2, members=members, reachable=reachable).go


def _restart(own: str, loaded: set[str], wanted: set[str], members: list[Member], waited: float) -> bool:
    held = PrivatePeers(own, frozenset(loaded), frozenset(wanted), 1000.0)
    return rules.may_restart(Restart.NEW_PRIVATE_PEER, held, members, 1000.0 + waited).go


def test_a_validator_is_never_restarted() -> None:
    """Whatever joins, a role that says never is never restarted."""
    held = PrivatePeers(VAL, frozenset(), frozenset({NEW}), 0.0)

    assert not rules.may_restart(Restart.NEVER, held, [], 1e9).go


def test_nothing_new_restarts_nothing() -> None:
    """A validator that left, or the same one, is no reason."""
    assert not _restart(ONE, {VAL, NEW}, {VAL}, [], 1e6)


def test_a_new_validator_restarts_after_the_roster_settled() -> None:
    """The change must last; then the sentry goes."""
    assert [False, True] == [_restart(ONE, set(), {NEW}, [_sentry(TWO)], t) for t in (DEBOUNCE - 1, DEBOUNCE)]


def test_a_daemon_that_has_not_begun_is_not_restarted() -> None:
    """It will read what is new, or is making its database, however long that takes."""
    held = PrivatePeers(ONE, frozenset(), frozenset({NEW}), 1000.0, begun=False)

    assert not rules.may_restart(Restart.NEW_PRIVATE_PEER, held, [], 1e9).go


def test_sentries_that_hold_a_validator_go_one_after_the_other() -> None:
    """By node ID, each a turn later, so that the validator keeps a peer."""
    members = [_sentry(ONE, VAL), _sentry(THREE, VAL)]

    assert not _restart(TWO, {VAL}, {VAL, NEW}, members, DEBOUNCE)
    assert _restart(TWO, {VAL}, {VAL, NEW}, members, DEBOUNCE + TURN)


def test_the_turn_comes_early_when_those_before_are_done() -> None:
    """Once the sentries before it hold the new validator, the next goes at once."""
    members = [_sentry(ONE, VAL, NEW), _sentry(THREE, VAL)]

    assert _restart(TWO, {VAL}, {VAL, NEW}, members, DEBOUNCE)


def test_the_only_holder_waits_a_while() -> None:
    """A sentry that alone holds a validator gives another one time to hold it, but not for ever."""
    members = [_sentry(TWO)]

    assert not _restart(ONE, {VAL}, {VAL, NEW}, members, DEBOUNCE)
    assert _restart(ONE, {VAL}, {VAL, NEW}, members, DEBOUNCE + TURN)


def test_missing_peers_are_dialled_again_and_again() -> None:
    """A peer gone for a minute is dialled, then every few seconds for as long as it is gone."""
    since = rules.keep_missing({ONE: 0.0, THREE: 5.0}, [ONE, TWO], 30.0)

    assert {ONE: 0.0, TWO: 30.0} == since
    assert () == rules.to_dial(since, 0.0, MISSING - 1)
    assert (ONE,) == rules.to_dial(since, 0.0, MISSING)
    assert () == rules.to_dial(since, MISSING, MISSING + REDIAL - 1)
    assert (ONE, TWO) == rules.to_dial(since, MISSING, MISSING + 2 * REDIAL)
