"""Alerts over time: once when they have held, once when they are over, whatever flutters in between."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from goldnode.node.observe.alerting import CALM, Alert, Alerting, Notice, Severity

DOWN = Alert("DaemonDown", "s-1", Severity.CRITICAL, "s-1 is stopped", after=120)


def _told(alerting: Alerting, found: list[Alert], now: float) -> list[tuple[str, bool]]:
    return [(notice.alert.name, notice.resolved) for notice in alerting.observe(found, now)]


def test_what_does_not_last_is_not_told() -> None:
    """An alert that is over before its time has never been."""
    alerting = Alerting()

    assert [] == _told(alerting, [DOWN], 0) + _told(alerting, [DOWN], 119) + _told(alerting, [], 121)
    assert [] == _told(alerting, [DOWN], 122) + _told(alerting, [DOWN], 241)
    assert [("DaemonDown", False)] == _told(alerting, [DOWN], 242)


def test_it_is_told_once_and_resolved_once() -> None:
    """As long as it lasts nothing more is said; a gap shorter than the calm is no end."""
    alerting = Alerting()
    assert [] == _told(alerting, [DOWN], 0)
    assert [("DaemonDown", False)] == _told(alerting, [DOWN], 120)

    assert [] == _told(alerting, [], 130) + _told(alerting, [DOWN], 140) + _told(alerting, [], 140 + CALM - 1)
    assert [("DaemonDown", True)] == _told(alerting, [], 140 + CALM)
    assert [] == _told(alerting, [], 500)


@given(st.lists(st.booleans(), max_size=80))
def test_beginnings_and_ends_take_turns(seen: list[bool]) -> None:
    """Whatever is seen, what is told of one alert begins with its beginning, and says nothing twice in a row."""
    alerting = Alerting()
    told: list[Notice] = []

    for look, holds in enumerate(seen):
        told += alerting.observe([DOWN] if holds else [], look * 15.0)

    assert [bool(number % 2) for number in range(len(told))] == [notice.resolved for notice in told]
