"""How a network says that a node without state reaches the tip."""

from __future__ import annotations

import pytest

from goldnode.config.catch_up import CatchUp, RpcServer, Snapshot, SnapshotFormat, StateSync

PIN = "0" * 64


def test_every_way_is_read() -> None:
    """Servers with and without a provider, a snapshot by its hash; pages for people are none of a node's ways."""
    document = {
        "state_sync": {"servers": ["https://a/", {"url": "https://b", "provider": "Bea"}], "trust_period": "84h"},
        "snapshot": {"url": "https://c/osmosis.tar.lz4", "sha256": PIN},
        "snapshot_providers": [{"provider": "Dan", "url": "https://d"}],
    }

    expected = CatchUp(
        StateSync((RpcServer("https://a"), RpcServer("https://b", "Bea")), "84h"),
        Snapshot("https://c/osmosis.tar.lz4", PIN, None, SnapshotFormat.TAR_LZ4),
    )

    assert expected == CatchUp.from_document(document)


def test_nothing_is_a_way_too() -> None:
    """A private network begins at height 0, and needs none."""
    assert CatchUp(None, None) == CatchUp.from_document({})


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://a/x.tar", SnapshotFormat.TAR),
        ("https://a/x.tar.gz", SnapshotFormat.TAR_GZ),
        ("https://a/X.TAR.ZST?id=1", SnapshotFormat.TAR_ZST),
        ("https://a/latest", None),
    ],
)
def test_the_format_is_read_off_the_url(url: str, expected: SnapshotFormat | None) -> None:
    """Its end names it, or nothing does."""
    assert expected == SnapshotFormat.of(url)
