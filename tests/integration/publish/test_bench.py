"""The measurement of the publisher: small, only to see that it measures what it says."""

from __future__ import annotations

import pytest

from benchmarks import publish as bench
from goldnode.progress import SILENT


def test_measures_both_ways(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every turn sends the same blocks once each way, and the table holds the ratio of the medians."""
    monkeypatch.setattr(bench, "BLOCKS", 3)
    monkeypatch.setattr(bench, "TURNS", 2)

    report = bench.measure(SILENT)

    assert (2, 2) == (len(report.bare), len(report.publisher))
    assert report.document()["ratio"] == report.ratio > 0
    assert ["64 bare workers", "the publisher", "ratio"] == [row[0] for row in report.rows()]
