"""What a release refuses."""

from __future__ import annotations

import copy
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
