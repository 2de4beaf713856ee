"""What a release refuses."""

from __future__ import annotations

import copy
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from goldnode.errors import ImageError
from goldnode.publish import strict

MANIFEST: dict[str, Any] = {
    "network": "localnet",
    "source": {"commit": "c" * 40, "dirty": False},
    "daemon": {"origin": "source", "name": "cometbft", "version": "0.38.19", "sum": "h1:abc"},
    "genesis": None,
    "deferred": [],
}
GENESIS = {"url": "https://example.org/genesis.json"}
DEFERRED = {"name": "daemon", "url": "https://example.org/osmosisd"}


def test_pinned_and_committed_passes() -> None:
    """A release of what is pinned and committed is not refused."""
    strict.require_releasable(MANIFEST)
    strict.require_committed("localnet", MANIFEST["source"])


def test_uncommitted_is_refused_before_the_bake() -> None:
    """Changes that are in no commit stop a release before minutes are spent on it."""
    with pytest.raises(ImageError, match="changes that are not in commit cccccccccccc"):
        strict.require_committed("localnet", {"commit": "c" * 40, "dirty": True})


def test_jars_are_pinned_in_their_own_file() -> None:
    """A JVM network has no single sum."""
    daemon = {"origin": "jars", "name": "besu", "version": "1"}

    assert [] == strict.reasons({**MANIFEST, "daemon": daemon})


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"deferred": [DEFERRED]}, "daemon is deferred to the first boot (https://example.org/osmosisd)"),
        ({"source": {"commit": "c" * 40, "dirty": True}}, "changes that are not in commit cccccccccccc"),
        ({"source": {"commit": None, "dirty": True}}, "this is not a git checkout"),
        ({"daemon": {"origin": "release", "name": "osmosisd", "version": "31"}}, "the daemon osmosisd 31 has no pin"),
        ({"genesis": GENESIS}, "the genesis has no pin"),
    ],
)
def test_refuses_by_name(change: dict[str, Any], named: str) -> None:
    """Anything deferred, unpinned or uncommitted is named."""
    manifest = {**copy.deepcopy(MANIFEST), **change}

    with pytest.raises(ImageError) as refused:
        strict.require_releasable(manifest)

    assert named in refused.value.message


@pytest.mark.parametrize(("hours", "refused"), [(0, False), (24, False), (25, True), (400 * 24, True)])
def test_a_base_older_than_a_day_is_not_released(hours: int, refused: bool) -> None:
    """What Debian mended yesterday is on a release, or there is none; the date is in the refusal."""
    now = datetime(2026, 11, 29, 12, tzinfo=UTC)
    made = now - timedelta(hours=hours)

    with pytest.raises(ImageError, match=f"of {made:%Y-%m-%d}, more than a day") if refused else nullcontext():
        strict.require_fresh({**MANIFEST, "base": {"made": made.isoformat()}}, now)


def test_a_snapshots_date_counts_and_not_the_day_it_was_fetched() -> None:
    """Old packages that were fetched today are old."""
    now = datetime(2026, 11, 29, 12, tzinfo=UTC)
    base = {"made": now.isoformat(), "snapshot": "20261127T000000Z"}

    with pytest.raises(ImageError, match="of 2026-11-27, more than a day"):
        strict.require_fresh({**MANIFEST, "base": base}, now)


def test_a_base_of_unknown_age_is_not_released() -> None:
    """An image of before the date was kept may be of any age."""
    with pytest.raises(ImageError, match="the age of its Debian packages"):
        strict.require_fresh({**MANIFEST, "base": {}}, datetime(2026, 11, 29, tzinfo=UTC))
