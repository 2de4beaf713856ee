"""Where a signing lease is kept: stores behind one interface, read and swap.

A store must tell its incarnation (S2), and write a document only while it is still at the expected
revision of the expected incarnation (R4).  A read raises if nothing is known; a swap never does:
an unknown result is ``UNANSWERED``, which the rules know how to settle.
"""

from __future__ import annotations

import fcntl
import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import parse_qs, urlsplit

from goldnode.config.node_entry import LEASE_MEANING
from goldnode.errors import HostError, InputError, SafetyError
from goldnode.files import write_atomic
from goldnode.forms import NODE_ID
from goldnode.node.keys.lease import ABSENT, Answer, Lease, LeaseState, Reading, Revision, Write, may_swap
from goldnode.node.keys.signing_state import SigningState

#: The version of the document.
VERSION = 1


class LeaseStore(Protocol):
    """One lease in one store.

    Attributes:
        fences: Whether it keeps two machines apart; a file does not.
    """

    fences: bool

    def read(self) -> Reading:
        """The store's content.

        Raises:
            HostError: It does not answer.
            SafetyError: It was restored, and the procedure for that was not followed.
        """

    def swap(self, write: Write) -> Revision | Answer:
        """Write a lease if the store is still at the expected revision; returns its new revision, or why not."""

    def restored(self) -> None:
        """After a restore, before the store serves: begin a new incarnation (S2)."""


@dataclass(frozen=True, slots=True)
class StoreAddress:
    """The parsed value of `lease:`.

    Attributes:
        kind: etcd, s3 or file.
        hosts: For etcd the endpoints, as HOST:PORT, or node IDs of sentries; for S3 the bucket.
        prefix: The prefix, without slashes at its ends; for a file the absolute folder.
        options: The query options.
    """

    kind: str
    hosts: tuple[str, ...]
    prefix: str
    options: dict[str, str]


def parse_address(url: str) -> StoreAddress:
    """Parse `lease:`.

    Raises:
        InputError: It is not one of the three.
    """
    parts = urlsplit(url)
    options = {key: values[-1] for key, values in parse_qs(parts.query).items()}
    hosts = tuple(part for part in parts.netloc.split(",") if part)
    if parts.scheme not in ("etcd", "s3", "file") or (parts.scheme == "file") != (not hosts):
        raise InputError(f"lease: expected {LEASE_MEANING}, got {url!r}", hint="goldnode check /etc/goldnode/node.yaml")
    return StoreAddress(parts.scheme, hosts, parts.path if parts.scheme == "file" else parts.path.strip("/"), options)


def same_store(one: str, other: str) -> bool:
    """Whether two values of `lease:` surely name one place: the same prefix, and a bucket or member of etcd in common.

    Raises:
        InputError: One of them names no store.
    """
    a, b = parse_address(one), parse_address(other)
    places = [(each.kind, each.prefix, each.options.get("endpoint")) for each in (a, b)]
    return places[0] == places[1] and not {*a.hosts}.isdisjoint(b.hosts)


def store_members(url: str) -> tuple[str, ...]:
    """Node IDs of the sentries that keep a lease: `etcd://ID,ID,ID/PREFIX`; none for another store."""
    hosts = parse_address(url).hosts if url.startswith("etcd:") else ()
    return hosts if hosts and all(NODE_ID.fullmatch(host) for host in hosts) else ()


def encode(lease: Lease) -> str:
    """A lease in the form that stores keep."""
    document = asdict(lease)
    document["released"] = str(lease.released)
    return json.dumps({"version": VERSION, **document}, sort_keys=True)


def decode(text: str, where: str) -> Lease:
    """Read a lease.

    Raises:
        SafetyError: It is not a lease, so what was granted is unknown.
    """
    try:
        document: dict[str, Any] = json.loads(text)
        if document.pop("version") != VERSION:
            document = {}
        state, released = LeaseState(document.pop("state")), document.pop("released").split("/")
        lease = Lease(state=state, released=SigningState(*map(int, released)), **document)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise SafetyError(f"{where} does not hold a signing lease: {error}", hint="goldnode status") from error
    if type(lease.lo) is not int or type(lease.hi) is not int:
        raise SafetyError(f"{where} does not hold a signing lease: heights are not numbers", hint="goldnode status")
    return lease


def forget(lease: Lease, incarnation: str) -> Lease:
    """A restored store's lease: its grant and release no longer count, but its hi does (R6, R7)."""
    nonce = secrets.token_hex(16)
    return replace(lease, state=LeaseState.PENDING, session="", nonce=nonce, incarnation=incarnation, lo=0)


class FileStore:
    """A lease in a file, for one machine and tests.  It fences nothing: a copy of the disk is a copy of the store."""

    fences = False

    def __init__(self, folder: Path, address: str) -> None:
        self._folder, self._lease, self._incarnation = folder, folder / f"{address}.json", folder / "incarnation"

    def read(self) -> Reading:
        """The store's content."""
        with self._locked():
            return self._read()

    def swap(self, write: Write) -> Revision | Answer:
        """Put a lease."""
        try:
            with self._locked():
                now = self._read().revision
                if not may_swap(now, write.expected):
                    return Answer.REFUSED
                number = str(int(now.number) + 1)
                write_atomic(self._lease, f"{number}\n{encode(write.lease)}\n", 0o600)
                return Revision(now.incarnation, number)
        except (HostError, OSError):
            return Answer.UNANSWERED

    def restored(self) -> None:
        """Begin a new incarnation."""
        with self._locked():
            write_atomic(self._incarnation, secrets.token_hex(16), 0o600)

    def _read(self) -> Reading:
        if not self._incarnation.exists():
            write_atomic(self._incarnation, secrets.token_hex(16), 0o600)
        incarnation = self._incarnation.read_text()
        try:
            number, _, text = self._lease.read_text().partition("\n")
        except FileNotFoundError:
            return Reading(Revision(incarnation, ABSENT))
        return Reading(Revision(incarnation, number), decode(text, str(self._lease)))

    @contextmanager
    def _locked(self) -> Iterator[None]:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with (self._folder / "lock").open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                yield
        except OSError as error:
            raise HostError(f"the lease's folder {self._folder} cannot be used: {error}") from error
