"""How long a base is used: the packages themselves are replaced by empty ones here."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from goldnode import files, paths
from goldnode.bake import base, freshness, snapshot
from goldnode.errors import HostError
from goldnode.progress import SILENT

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
SPEC = base.BaseSpec("amd64", ("bash",))


@pytest.fixture(autouse=True)
def without_debian(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing is fetched: what is made of it holds a list of no packages."""

    def assemble(_: base.BaseSpec, __: Path, draft: Path) -> None:
        (draft / "done").mkdir()
        files.write_json(draft / "done" / "packages.json", [])

    # The key is a digest of these functions, among others: it is decided before they are replaced.
    key = SPEC.key
    monkeypatch.setattr(base.BaseSpec, "key", key)
    monkeypatch.setattr(paths, "cache", lambda: tmp_path)
    monkeypatch.setattr(base, "_packages", lambda *_: Path())
    monkeypatch.setattr(base, "_assemble", assemble)


def made(days: float, fresh: timedelta = freshness.FRESH) -> datetime:
    """When the base is of that a bake gets so many days after NOW."""
    return base.assemble(SPEC, SILENT, fresh, lambda: NOW + timedelta(days=days)).made


def test_a_base_is_used_for_a_week_and_then_made_anew() -> None:
    """The same inputs give the base that lies there, until its packages are older than a week."""
    assert [NOW, NOW, NOW + timedelta(days=400)] == [made(0), made(7), made(400)]


def test_an_operator_decides_otherwise() -> None:
    """Older packages are accepted, and newer ones asked for, by saying how old they may be."""
    assert [NOW, NOW] == [made(0), made(400, timedelta(days=400))]
    assert NOW + timedelta(days=401) == made(401, timedelta(hours=12))


def test_bases_do_not_pile_up() -> None:
    """The one before stays for whoever began with it; older ones go."""
    for days in (0, 10, 20, 30):
        made(days)

    kept = sorted(path.name.partition("-")[2] for path in (paths.cache() / "bases").glob(f"{SPEC.key}-*"))

    assert ["20261219T120000Z", "20261229T120000Z"] == kept


def test_without_a_mirror_it_is_said_how_old_the_packages_at_hand_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who cannot reach Debian learns the age of what is at hand, and what to type to accept it."""
    made(0)

    def unreachable(*_: object) -> Path:
        raise HostError("no mirror")

    monkeypatch.setattr(base, "_packages", unreachable)
    with pytest.raises(HostError) as refused:
        made(12)

    assert "the cached ones are 12 days old" in refused.value.message
    assert "./invoke bake --base-days 13, to accept them" == refused.value.hint


SERVICE = snapshot.Service("http://s.example/debian/@SNAPSHOTID@/", "http://s.example/debian-security/@SNAPSHOTID@/")


def answering(monkeypatch: pytest.MonkeyPatch, state: str) -> None:
    """A service whose newest state is this one; none is a service that does not answer."""

    def newest(*_: object) -> str:
        if not state:
            raise HostError("the snapshot service does not answer")
        return state

    monkeypatch.setattr(snapshot, "newest", newest)


@pytest.mark.parametrize(
    ("state", "fresh", "kept", "of"),
    [
        ("20261129T060000Z", freshness.FRESH, "20261129T060000Z", datetime(2026, 11, 29, 6, tzinfo=UTC)),
        ("20261127T060000Z", freshness.FRESH, "", NOW),
        ("20261129T060000Z", timedelta(0), "", NOW),
        ("", freshness.FRESH, "", NOW),
    ],
    ids=["it answers", "it is behind", "the newest of all is asked for", "it does not answer"],
)
def test_a_state_is_pinned_where_a_service_answers(
    monkeypatch: pytest.MonkeyPatch, state: str, fresh: timedelta, kept: str, of: datetime
) -> None:
    """Then the packages are of that instant; otherwise of the mirror, and of the day."""
    answering(monkeypatch, state)

    made = base.assemble(SPEC, SILENT, fresh, lambda: NOW, SERVICE)

    assert (kept, of) == (made.snapshot, made.of)


def test_a_date_that_was_asked_for_is_given_or_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Never too old, whatever the day; never another state because the service is away, or is unknown."""
    wanted = base.BaseSpec("amd64", ("bash",), "20250101T000000Z")
    answering(monkeypatch, "")
    with pytest.raises(HostError, match="does not answer"):
        base.assemble(wanted, SILENT, service=SERVICE, now=lambda: NOW)
    with pytest.raises(HostError, match="no snapshot service is known that would have Debian of 20250101T000000Z"):
        base.assemble(wanted, SILENT, now=lambda: NOW)
    answering(monkeypatch, "20241231T180000Z")

    first = base.assemble(wanted, SILENT, service=SERVICE, now=lambda: NOW)

    assert "20250101T000000Z" == first.snapshot
    assert first == base.assemble(wanted, SILENT, service=SERVICE, now=lambda: NOW + timedelta(days=400))


@pytest.mark.parametrize(
    ("hours", "said"), [(-1, "today's"), (3, "today's"), (24, "1 day old"), (400 * 24, "400 days old")]
)
def test_age_is_said_in_words(hours: int, said: str) -> None:
    """A clock that was set back makes nothing older than today."""
    assert said == freshness.age(NOW, NOW + timedelta(hours=hours))
