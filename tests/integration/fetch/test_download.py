"""Downloads from a real server on loopback, good and bad."""

from __future__ import annotations

import hashlib
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from goldnode.errors import ArtifactError
from goldnode.fetch import download
from goldnode.fetch.artifact import Artifact
from goldnode.fetch.download import CutOffError, GoneError, TooLargeError, UnreachableError, WrongBytesError
from goldnode.fetch.retry import RetryBudget
from goldnode.fetch.store import ArtifactStore
from goldnode.progress import SILENT
from tests.support.release_host import ReleaseHost, serving

CONTENT = bytes(range(256)) * 4096
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def host() -> Iterator[ReleaseHost]:
    """A release host without files."""
    with serving() as running:
        yield running


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    """An empty store."""
    return ArtifactStore(tmp_path / "artifacts")


def hasty(left: float = 5.0, quiet: float = 0.3) -> RetryBudget:
    """A budget for tests: no waiting between tries, short silences."""
    return RetryBudget(left=left, quiet=quiet, slowest=2000, sleep=lambda _: None)


def test_a_good_file_arrives_under_its_hash(host: ReleaseHost, store: ArtifactStore) -> None:
    """A file that is what its pin says is in the store, and nothing partial remains."""
    host.add("/daemon", CONTENT)

    path = store.fetch(Artifact(host.url("/daemon"), SHA256, len(CONTENT)), hasty(), SILENT)

    assert store.path(SHA256) == path
    assert path.read_bytes() == CONTENT
    assert list((store.root / "partial").iterdir()) == []


def test_nothing_is_fetched_twice(host: ReleaseHost, store: ArtifactStore) -> None:
    """What the store has is not asked for again."""
    host.add("/daemon", CONTENT)
    artifact = Artifact(host.url("/daemon"), SHA256)

    store.fetch(artifact, hasty(), SILENT)
    store.fetch(artifact, hasty(), SILENT)

    assert len(host.requests) == 1


def test_a_damaged_store_heals(host: ReleaseHost, store: ArtifactStore) -> None:
    """A file that rotted in the store is thrown away and fetched again."""
    host.add("/daemon", CONTENT)
    artifact = Artifact(host.url("/daemon"), SHA256)
    store.fetch(artifact, hasty(), SILENT).write_bytes(b"rotten")

    path = store.fetch(artifact, hasty(), SILENT)

    assert path.read_bytes() == CONTENT


def test_a_cut_connection_is_resumed_where_it_stopped(host: ReleaseHost, store: ArtifactStore) -> None:
    """After a cut the rest is asked for by Range, and the whole is right."""
    host.add("/daemon", CONTENT).cuts = [300_000, 200_000]

    path = store.fetch(Artifact(host.url("/daemon"), SHA256, len(CONTENT)), hasty(), SILENT)

    assert path.read_bytes() == CONTENT
    assert [asked for _, asked in host.requests] == ["", "bytes=300000-", "bytes=500000-"]


def test_a_host_that_ignores_range_starts_over(host: ReleaseHost, store: ArtifactStore) -> None:
    """When the host answers 200 to a Range, the file begins anew instead of growing wrong."""
    served = host.add("/daemon", CONTENT)
    served.cuts, served.ranges = [300_000], False

    path = store.fetch(Artifact(host.url("/daemon"), SHA256), hasty(), SILENT)

    assert path.read_bytes() == CONTENT


def test_another_range_than_asked_for_is_not_appended(host: ReleaseHost, store: ArtifactStore) -> None:
    """A 206 that starts elsewhere throws the partial file away."""
    served = host.add("/daemon", CONTENT)
    served.cuts, served.shift = [300_000], 7

    path = store.fetch(Artifact(host.url("/daemon"), SHA256), hasty(), SILENT)

    assert path.read_bytes() == CONTENT
    assert [asked for _, asked in host.requests] == ["", "bytes=300000-", ""]


def test_a_later_call_goes_on_where_an_earlier_one_gave_up(host: ReleaseHost, store: ArtifactStore) -> None:
    """What arrived before a failure is kept for the next process, and said so."""
    served = host.add("/daemon", CONTENT)
    artifact = Artifact(host.url("/daemon"), SHA256, len(CONTENT))
    served.cuts = [400_000, 0, 0, 0]

    with pytest.raises(CutOffError, match="cut off after 400000 bytes"):
        store.fetch(artifact, hasty(), SILENT)
    host.requests.clear()
    path = store.fetch(artifact, hasty(), SILENT)

    assert path.read_bytes() == CONTENT
    assert [asked for _, asked in host.requests] == ["bytes=400000-"]


def test_a_whole_partial_is_verified_without_a_request(host: ReleaseHost, store: ArtifactStore) -> None:
    """A process killed between the last byte and the rename costs no second download."""
    partial = store.root / "partial" / SHA256
    partial.parent.mkdir(parents=True)
    partial.write_bytes(CONTENT)

    path = store.fetch(Artifact(host.url("/daemon"), SHA256, len(CONTENT)), hasty(), SILENT)

    assert path.read_bytes() == CONTENT
    assert host.requests == []


@pytest.mark.parametrize("size", [None, 1000])
def test_a_partial_beyond_the_end_is_dropped(host: ReleaseHost, store: ArtifactStore, size: int | None) -> None:
    """A partial file longer than the real one cannot stand in the way for ever."""
    host.add("/daemon", CONTENT[:1000])
    sha256 = hashlib.sha256(CONTENT[:1000]).hexdigest()
    partial = store.root / "partial" / sha256
    partial.parent.mkdir(parents=True)
    partial.write_bytes(CONTENT[:5000])

    path = store.fetch(Artifact(host.url("/daemon"), sha256, size), hasty(), SILENT)

    assert path.read_bytes() == CONTENT[:1000]


def test_wrong_bytes_never_get_a_name(host: ReleaseHost, store: ArtifactStore) -> None:
    """A file of the right length and another content is refused with both hashes, and not kept."""
    host.add("/daemon", CONTENT[::-1])

    with pytest.raises(WrongBytesError, match=SHA256) as caught:
        store.fetch(Artifact(host.url("/daemon"), SHA256, len(CONTENT)), hasty(), SILENT)

    assert hashlib.sha256(CONTENT[::-1]).hexdigest() in caught.value.message
    assert not store.path(SHA256).exists()
    assert list((store.root / "partial").iterdir()) == []


@pytest.mark.parametrize("status", [404, 410])
def test_a_file_that_is_gone_is_not_tried_again(host: ReleaseHost, store: ArtifactStore, status: int) -> None:
    """404 and 410 end the matter at once: no deferral could mend that."""
    host.add("/daemon", CONTENT).statuses = [status]

    with pytest.raises(GoneError, match=f"is gone: HTTP {status}"):
        store.fetch(Artifact(host.url("/daemon"), SHA256), hasty(), SILENT)

    assert len(host.requests) == 1


def test_a_refusal_is_not_tried_again(host: ReleaseHost, store: ArtifactStore) -> None:
    """403, as a proxy in between answers, counts as unreachable after one try."""
    host.add("/daemon", CONTENT).statuses = [403]

    with pytest.raises(UnreachableError, match="HTTP 403"):
        store.fetch(Artifact(host.url("/daemon"), SHA256), hasty(), SILENT)

    assert len(host.requests) == 1


def test_a_busy_host_is_tried_again(host: ReleaseHost, store: ArtifactStore) -> None:
    """503 and 429 pass."""
    host.add("/daemon", CONTENT).statuses = [503, 429]

    path = store.fetch(Artifact(host.url("/daemon"), SHA256), hasty(), SILENT)

    assert path.read_bytes() == CONTENT


@pytest.mark.parametrize("announced", [True, False])
def test_no_more_than_the_pinned_size_is_taken(host: ReleaseHost, store: ArtifactStore, announced: bool) -> None:
    """A host that sends more than the pin is stopped, whether it announces that or not."""
    host.add("/daemon", CONTENT).announced = announced

    with pytest.raises(TooLargeError, match="pinned size"):
        store.fetch(Artifact(host.url("/daemon"), SHA256, 100_000), hasty(), SILENT)

    assert (store.root / "partial" / SHA256).stat().st_size <= 100_000


def test_without_a_pinned_size_there_still_is_a_limit(
    host: ReleaseHost, store: ArtifactStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An endless answer cannot fill the disk."""
    monkeypatch.setattr(download, "MAX_BYTES", 50_000)
    host.add("/daemon", CONTENT).announced = False

    with pytest.raises(TooLargeError, match="50000 bytes, its limit"):
        store.fetch(Artifact(host.url("/daemon"), SHA256), hasty(), SILENT)


def test_a_silent_host_is_given_up(host: ReleaseHost, store: ArtifactStore) -> None:
    """A host that accepts and says nothing costs no more than the patience given."""
    host.add("/daemon", CONTENT).pause = 30
    began = time.monotonic()

    with pytest.raises(UnreachableError, match="nothing arrived"):
        store.fetch(Artifact(host.url("/daemon"), SHA256), hasty(left=1.0), SILENT)

    assert time.monotonic() - began < 5


def test_a_trickle_is_given_up(host: ReleaseHost, store: ArtifactStore) -> None:
    """A connection that delivers a byte now and then counts as stalled, not as progress for hours."""
    host.add("/daemon", CONTENT[:500]).trickle = 0.02
    began = time.monotonic()

    with pytest.raises(CutOffError, match="bytes arrive per second"):
        store.fetch(Artifact(host.url("/daemon"), SHA256), hasty(left=0.5, quiet=0.2), SILENT)

    assert time.monotonic() - began < 5


def test_a_slow_but_steady_host_is_waited_for(host: ReleaseHost, store: ArtifactStore) -> None:
    """Time that brings bytes is not limited by budget."""
    content = CONTENT[:200]
    host.add("/daemon", content).trickle = 0.005
    budget = RetryBudget(left=0.5, quiet=0.2, slowest=10, sleep=lambda _: None)

    path = store.fetch(Artifact(host.url("/daemon"), hashlib.sha256(content).hexdigest()), budget, SILENT)

    assert path.read_bytes() == content


def test_nobody_there_is_unreachable(store: ArtifactStore) -> None:
    """A closed port ends in one clear sentence after a few tries, and a second file of that host costs one."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    pauses: list[float] = []
    budget = RetryBudget(sleep=pauses.append)

    for name in ("daemon", "genesis"):
        with pytest.raises(UnreachableError, match=f"127.0.0.1:{port} does not serve"):
            store.fetch(Artifact(f"http://127.0.0.1:{port}/{name}", SHA256), budget, SILENT)

    assert pauses == [1.0, 2.0]


def test_a_connection_that_never_comes_about_is_abandoned(store: ArtifactStore) -> None:
    """A host that does not even answer the handshake costs no more than the patience given."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(1)
        began = time.monotonic()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/daemon"

        with pytest.raises(UnreachableError):
            store.fetch(Artifact(url, SHA256), hasty(left=0.6, quiet=0.2), SILENT)

        assert time.monotonic() - began < 5


def test_only_http_is_spoken(store: ArtifactStore) -> None:
    """A pin cannot make us read a local file."""
    with pytest.raises(ArtifactError, match="neither http nor https"):
        store.fetch(Artifact("file:///etc/hostname", SHA256), hasty(), SILENT)


def test_what_has_no_pin_is_not_fetched(host: ReleaseHost, store: ArtifactStore) -> None:
    """No pin, no use."""
    with pytest.raises(ArtifactError, match="no pinned sha256"):
        store.fetch(Artifact(host.url("/daemon")), hasty(), SILENT)

    assert host.requests == []


def test_discovery_names_a_file_by_what_came(host: ReleaseHost, store: ArtifactStore) -> None:
    """Trust on first use: the store's name is the hash."""
    host.add("/genesis.json", CONTENT)

    path = store.discover(host.url("/genesis.json"), hasty(), SILENT)

    assert store.path(SHA256) == path
