"""A miniature of a sealed disk, made once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.image import miniature


@pytest.fixture(scope="session")
def clean_disk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The miniature as a raw disk; copy it before you change it."""
    return miniature.make(tmp_path_factory.mktemp("miniature"))
