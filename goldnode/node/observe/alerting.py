"""Alerts over time: told once they have held for long enough, and resolved once they are over for good; pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

#: Seconds for which an alert must not hold any more before it is resolved: what flutters is told once.
CALM = 30.0


class Severity(StrEnum):
    """How soon a person should look."""

    CRITICAL = "critical"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Alert:
    """Something that a person should know.

    Attributes:
        name: As in docs/alerts.md.
        subject: What it is about: a node, a validator, a rendezvous.
        severity: How soon.
        summary: What is wrong, in a sentence.
        after: Seconds for which it must hold before it is told.
    """

    name: str
    subject: str
    severity: Severity
    summary: str
    after: float = 0.0

    @property
    def key(self) -> tuple[str, str]:
        """What makes it the same alert at another look."""
        return self.name, self.subject


@dataclass(frozen=True, slots=True)
class Notice:
    """An alert that begins or is over."""

    alert: Alert
    resolved: bool


@dataclass(slots=True)
class Alerting:
    """Which alerts are told, over time."""

    _since: dict[tuple[str, str], float] = field(default_factory=dict)
    _told: dict[tuple[str, str], tuple[Alert, float]] = field(default_factory=dict)

    def told(self) -> list[Alert]:
        """Alerts that were told and are not over, by name and subject."""
        return [alert for _, (alert, _) in sorted(self._told.items())]

    def observe(self, found: Iterable[Alert], now: float) -> list[Notice]:
        """Take what holds at this look; what is to be told now.

        Args:
            found: All that holds.
            now: Seconds of a clock that nobody sets.
        """
        present = {alert.key: alert for alert in found}
        self._since = {key: self._since.get(key, now) for key in present}
        notices = []
        for key, alert in present.items():
            if key in self._told:
                self._told[key] = (self._told[key][0], now)
            elif now - self._since[key] >= alert.after:
                self._told[key] = (alert, now)
                notices.append(Notice(alert, resolved=False))
        for key, (alert, seen) in list(self._told.items()):
            if now - seen >= CALM:
                del self._told[key]
                notices.append(Notice(alert, resolved=True))
        return notices
