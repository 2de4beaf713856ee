"""One conformance suite for the stores of signing leases: real etcd, S3 by moto's server and by Versity's, a folder."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from goldnode.errors import HostError, SafetyError
from goldnode.node.keys.lease import ABSENT, Answer, Lease, LeaseState, Revision, Write
from goldnode.node.keys.signing_state import SigningState
from goldnode.node.keys.stores.store import LeaseStore
from tests.support import lease_stores
from tests.support.lease_stores import port, store

#: Versity's server takes minutes to build.
STORES = ["etcd", "s3", pytest.param("versity", marks=[pytest.mark.long, pytest.mark.timeout(3000)]), "file"]


@pytest.fixture(scope="module", params=STORES)
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """A running store: its URL, and the machine's root."""
    root = tmp_path_factory.mktemp("root")
    with contextlib.ExitStack() as stack:
        if request.param == "etcd":
            yield stack.enter_context(lease_stores.etcd(root / "etcd")).url, root
        elif request.param == "s3":
            yield stack.enter_context(lease_stores.s3(root)), root
        elif request.param == "versity":
            yield stack.enter_context(lease_stores.versity(root)), root
        else:
            yield "file:///var/lib/goldnode/lease", root


@pytest.fixture
def opened(place: tuple[str, Path], request: pytest.FixtureRequest) -> Callable[[], LeaseStore]:
    """Opens the lease of a key of its own for each test."""
    url, root = place
    return lambda: store(url, root, address=request.node.name.replace("[", "-").replace("]", ""))


def lease(incarnation: str, nonce: str, hi: int = 10, state: LeaseState = LeaseState.HELD) -> Lease:
    """A lease."""
    return Lease(state, "holder", "session", nonce, incarnation, 1, hi, SigningState(5, 1, 2))


def put(at: LeaseStore, nonce: str) -> Revision:
    """Write over whatever is there."""
    before = at.read().revision
    answer = at.swap(Write(before, lease(before.incarnation, nonce)))
    assert isinstance(answer, Revision)
    return answer


def test_a_lease_is_read_as_it_was_written(opened: Callable[[], LeaseStore]) -> None:
    """Another client reads the very lease, at the revision that the write answered."""
    before = opened().read()
    assert (ABSENT, None) == (before.revision.number, before.lease)

    revision = put(opened(), "n1")
    found = opened().read()

    assert (revision, lease(revision.incarnation, "n1")) == (found.revision, found.lease)


def test_only_the_expected_revision_is_replaced(opened: Callable[[], LeaseStore]) -> None:
    """A write that expects what is no more is refused, and changes nothing."""
    at = opened()
    first = put(at, "n1")
    second = put(at, "n2")

    stale = [first, Revision(first.incarnation, ABSENT), Revision("another", second.number)]
    answers = [at.swap(Write(each, lease(each.incarnation, "n3"))) for each in stale]

    assert [Answer.REFUSED] * 3 == answers
    assert second == at.read().revision


def test_one_of_many_wins(opened: Callable[[], LeaseStore]) -> None:
    """Eight clients write at once over one revision: one is told that it won, and its lease is there."""
    before, answers = opened().read().revision, dict[str, Revision | Answer]()

    def race(name: str) -> None:
        answers[name] = opened().swap(Write(before, lease(before.incarnation, name)))

    threads = [threading.Thread(target=race, args=(f"n{n}",)) for n in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    winners = [name for name, answer in answers.items() if isinstance(answer, Revision)]
    found = opened().read()

    assert [found.lease.nonce if found.lease else ""] == winners


def test_no_revision_comes_twice(opened: Callable[[], LeaseStore]) -> None:
    """Twenty writes have twenty revisions."""
    at = opened()

    assert 20 == len({put(at, f"n{n}") for n in range(20)})


def test_a_new_incarnation_ends_all_that_was_known(opened: Callable[[], LeaseStore]) -> None:
    """After `restored` nothing that was read before can be written over, and the stored hi is still there."""
    at = opened()
    before = put(at, "n1")

    at.restored()

    assert Answer.REFUSED is at.swap(Write(before, lease(before.incarnation, "n2")))
    found = at.read()
    assert found.revision.incarnation != before.incarnation
    assert found.lease
    assert 10 == found.lease.hi
    assert isinstance(at.swap(Write(found.revision, lease(found.revision.incarnation, "n3"))), Revision)


@pytest.mark.parametrize("url", ["etcd://127.0.0.1:{}/x", "s3://b/x?endpoint=http://127.0.0.1:{}"])
def test_a_store_that_is_gone_says_nothing(url: str, tmp_path: Path) -> None:
    """A read raises; a write is unanswered, which is not refused."""
    lease_stores.write_credentials(tmp_path)
    gone = store(url.format(port()), tmp_path, timeout=1)

    with pytest.raises(HostError, match="does not answer"):
        gone.read()
    assert Answer.UNANSWERED is gone.swap(Write(Revision("i"), lease("i", "n")))


def test_etcd_restored_from_a_backup_grants_nothing_until_it_is_said(tmp_path: Path) -> None:
    """The old incarnation lies in the backup; the cluster's new ID tells, and `goldnode lease restored` begins anew."""
    with lease_stores.etcd(tmp_path / "etcd") as running:
        at = store(running.url, tmp_path)
        first = put(at, "n1")
        running.backup("old")
        later = put(at, "n2")
        running.restore("old")

        with pytest.raises(SafetyError, match="was restored"):
            at.read()
        assert Answer.REFUSED is at.swap(Write(later, lease(later.incarnation, "n3")))
        assert Answer.REFUSED is at.swap(Write(first, lease(first.incarnation, "n4")))

        at.restored()

        assert first.incarnation != at.read().revision.incarnation


def test_a_member_that_hears_and_says_nothing_is_not_asked_first_again(tmp_path: Path) -> None:
    """It is up, and cut from the other members: a question ends there once, and the next one goes to another."""
    with lease_stores.etcd(tmp_path / "etcd") as running, socket.create_server(("127.0.0.1", 0)) as mute:
        url = f"etcd://127.0.0.1:{mute.getsockname()[1]},127.0.0.1:{running.client}/goldnode"
        at = store(url, tmp_path, timeout=1)

        with pytest.raises(HostError, match="does not answer"):
            at.read()

        assert ABSENT == at.read().revision.number
