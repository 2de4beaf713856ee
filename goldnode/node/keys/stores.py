"""Where a signing lease is kept: stores behind one interface, read and swap.

What a store must do: say which incarnation it is (S2), and put a document only where it still is at
the expected revision of the expected incarnation (R4).  A read raises when nothing is known; a swap
never does: what is not known is ``UNANSWERED``, which the rules know how to settle.
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
from goldnode.node.keys.lease import ABSENT, Answer, Lease, LeaseState, Reading, Revision, Write, may_swap
from goldnode.node.keys.signing_state import SigningState

#: Of the document.
VERSION = 1


class LeaseStore(Protocol):
    """One lease in one store.

    Attributes:
        fences: Whether it keeps two machines apart; a file does not.
    """

    fences: bool

    def read(self) -> Reading:
        """What it has.

        Raises:
            HostError: It does not answer.
            SafetyError: It was restored, and the procedure for that was not followed.
        """

    def swap(self, write: Write) -> Revision | Answer:
        """Put a lease where the expected revision still stands; its new revision, or why not."""

    def restored(self) -> None:
        """After a restore, before the store serves: begin a new incarnation (S2)."""


@dataclass(frozen=True, slots=True)
class StoreAddress:
    """What `lease:` says, in parts.

    Attributes:
        kind: etcd, s3 or file.
        hosts: Of etcd, as HOST:PORT; of S3 the bucket.
        prefix: Without slashes at its ends; of a file its folder, absolute.
        options: What follows the question mark.
    """

    kind: str
    hosts: tuple[str, ...]
    prefix: str
    options: dict[str, str]


def parse_address(url: str) -> StoreAddress:
    """Take `lease:` apart.

    Raises:
        InputError: It is none of the three.
    """
    parts = urlsplit(url)
    options = {key: values[-1] for key, values in parse_qs(parts.query).items()}
    hosts = tuple(part for part in parts.netloc.split(",") if part)
    if parts.scheme not in ("etcd", "s3", "file") or (parts.scheme == "file") != (not hosts):
        raise InputError(f"lease: expected {LEASE_MEANING}, got {url!r}", hint="goldnode check /etc/goldnode/node.yaml")
    return StoreAddress(parts.scheme, hosts, parts.path if parts.scheme == "file" else parts.path.strip("/"), options)


def encode(lease: Lease) -> str:
    """A lease as stores keep it."""
    document = asdict(lease)
    document["released"] = str(lease.released)
    return json.dumps({"version": VERSION, **document}, sort_keys=True)


def decode(text: str, where: str) -> Lease:
    """Read a lease.

    Raises:
        SafetyError: It is none, so nobody knows what was granted.
    """
    try:
        document: dict[str, Any] = json.loads(text)
        if document.pop("version") != VERSION:
            document = {}
        state, released = LeaseState(document.pop("state")), document.pop("released").split("/")
        lease = Lease(state=state, released=SigningState(*map(int, released)), **document)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise SafetyError(f"{where} holds no signing lease: {error}", hint="goldnode status") from error
    if type(lease.lo) is not int or type(lease.hi) is not int:
        raise SafetyError(f"{where} holds no signing lease: heights are not numbers", hint="goldnode status")
    return lease


def forget(lease: Lease, incarnation: str) -> Lease:
    """A lease of a restored store: nothing it grants or releases counts, its hi does (R6, R7)."""
    nonce = secrets.token_hex(16)
    return replace(lease, state=LeaseState.PENDING, session="", nonce=nonce, incarnation=incarnation, lo=0)


class FileStore:
    """A file: for one machine, and for tests.  It fences nothing: a copy of the disk is a copy of the store."""

    fences = False

    def __init__(self, folder: Path, address: str) -> None:
        self._folder, self._lease, self._incarnation = folder, folder / f"{address}.json", folder / "incarnation"

    def read(self) -> Reading:
        """What it has."""
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
