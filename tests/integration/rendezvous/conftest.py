"""What the tests of a real rendezvous share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.rendezvous.support import serving


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """One server for all tests of a module that leave nothing behind in each other's rooms."""
    with serving(tmp_path_factory.mktemp("store") / "store.sqlite") as found:
        yield found
