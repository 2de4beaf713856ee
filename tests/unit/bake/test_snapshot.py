"""What a snapshot service is asked, and what its answers are worth."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from goldnode.bake import snapshot
from goldnode.errors import HostError, UsageError

SERVICE = snapshot.Service("https://s.example/debian/@SNAPSHOTID@/", "https://s.example/debian-security/@SNAPSHOTID@/")


@pytest.mark.parametrize(
    ("text", "stamp"),
    [
        ("2026-11-28", "20261128T000000Z"),
        ("20261128T031500Z", "20261128T031500Z"),
        ("2026-11-28T04:15:00+01:00", "20261128T031500Z"),
    ],
)
def test_a_date_is_read_as_people_write_it(text: str, stamp: str) -> None:
    """A day begins at midnight UTC; a service's own spelling is taken as it is."""
    assert stamp == snapshot.stamp_of(text)


def test_what_is_no_date_is_refused() -> None:
    """With an example of one."""
    with pytest.raises(UsageError, match="expected auto, off, or a date") as refused:
        snapshot.stamp_of("yesterday")

    assert "./invoke bake --snapshot 2026-11-28" == refused.value.hint


def test_the_state_is_the_one_that_answered() -> None:
    """A service sends on to its newest state of before; the later of both archives names what is there of both."""
    asked = []

    def ask(address: str) -> tuple[str, str]:
        asked.append(address)
        security = "security" in address
        answered = address.replace("20261129T120000Z", "20261129T060000Z" if security else "20261128T180000Z")
        return answered, f"Origin: Debian\nCodename: trixie{'-security' if security else ''}\n"

    assert "20261129T060000Z" == snapshot.newest(SERVICE, "trixie", "20261129T120000Z", ask)
    assert [
        "https://s.example/debian/20261129T120000Z/dists/trixie/InRelease",
        "https://s.example/debian-security/20261129T120000Z/dists/trixie-security/InRelease",
    ] == asked


def test_a_page_in_between_is_no_service() -> None:
    """What answers everything, as a hotel's network does, is not taken for Debian."""
    with pytest.raises(HostError, match="is not Debian's trixie"):
        snapshot.newest(SERVICE, "trixie", "20261129T120000Z", lambda address: (address, "<html>Welcome</html>"))


def test_an_operators_own_service_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """One address names both archives."""
    monkeypatch.setenv(snapshot.SETTING, "https://own.example/archive/")

    assert snapshot.known() == snapshot.Service(
        "https://own.example/archive/debian/@SNAPSHOTID@/", "https://own.example/archive/debian-security/@SNAPSHOTID@/"
    )


def test_a_stamp_is_an_instant() -> None:
    """In UTC."""
    assert datetime(2026, 11, 28, 3, 15, tzinfo=UTC) == snapshot.instant("20261128T031500Z")
