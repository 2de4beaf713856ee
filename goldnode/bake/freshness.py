"""How old the Debian packages of a base may be: a base that stays in the cache gets no security update."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum

from goldnode.bake import snapshot

#: For a bake, unless an option says otherwise.
FRESH = timedelta(days=7)
#: For a release: when its bake begins, and when it ends.
FRESH_FOR_RELEASE, OLDEST_RELEASED = timedelta(hours=12), timedelta(days=1)


class Wanted(StrEnum):
    """Which state of Debian a bake takes, when no date is given.  Here, for commands that only show it as a default."""

    AUTO = "auto"
    OFF = "off"


def age(made: datetime, now: datetime) -> str:
    """The age of packages, in words."""
    days = max(0, (now - made).days)
    return "today's" if days == 0 else f"{days} day{'' if days == 1 else 's'} old"


def packages_of(base: Mapping[str, str]) -> datetime | None:
    """The instant of Debian that a manifest's ``base`` is of; None for an image of before that was kept."""
    if stamp := base.get("snapshot"):
        return snapshot.instant(stamp)
    return datetime.fromisoformat(base["made"]) if "made" in base else None
