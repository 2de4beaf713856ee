"""Which machine `./invoke watch --page` means."""

from __future__ import annotations

import pytest

from goldnode.errors import UsageError
from goldnode.tasks.operate.view import parse_page


@pytest.mark.parametrize(
    ("typed", "page"),
    [
        ("10.0.0.7", "10.0.0.7:9600"),
        ("sentry.example.org:9700", "sentry.example.org:9700"),
        ("http://10.0.0.7:9600/metrics", "10.0.0.7:9600"),
        ("[2001:db8::7]", "[2001:db8::7]:9600"),
        ("[2001:db8::7]:9700", "[2001:db8::7]:9700"),
    ],
)
def test_a_machine_is_typed_with_or_without_a_port(typed: str, page: str) -> None:
    """The port of the metrics is the usual one."""
    assert page == parse_page(typed)


@pytest.mark.parametrize("typed", ["", "10.0.0.7:99999", "10.0.0.7:٩٦٠٠", "10.0.0.777", "[::7", "2001:db8::7", "a b"])
def test_what_is_no_machine_is_refused(typed: str) -> None:
    """By the same rule as everywhere, before anything is asked."""
    with pytest.raises(UsageError, match="expected a machine"):
        parse_page(typed)
