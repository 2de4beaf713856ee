"""Trees of machines in memory: everything a node writes is synced, and on a busy disk that is all a test would do."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from goldnode.node.agent import metrics_page

MEMORY = Path("/dev/shm")  # noqa: S108 - a folder of our own below it


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """A fresh folder, in memory where the machine has such a place."""
    folder = Path(tempfile.mkdtemp(prefix="goldnode-test-", dir=MEMORY if MEMORY.is_dir() else None))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(autouse=True)
def _no_other_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """No program of this machine is asked for its metrics."""
    monkeypatch.setattr(metrics_page, "_ask", lambda _: "")
