"""What a release asks of the machine before it asks anything of the image."""

from __future__ import annotations

import os

import pytest

from goldnode.errors import HostError
from goldnode.tasks.test import require_root


def test_a_plain_user_is_told_before_the_bake(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who cannot run the tests of an image hears so at once, with what to type."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)

    with pytest.raises(HostError) as refused:
        require_root()

    assert "sudo" in refused.value.hint
