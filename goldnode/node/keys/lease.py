"""The rules of the signing lease: who may sign which heights, values in, values out.

A lease says which signer may sign the heights ``lo`` to ``hi``.  It is one document in a store that
compares and swaps.  Nothing here reads a clock, asks a peer, or trusts another machine: that no
height is ever granted twice follows from the order of the store's writes alone.  docs/lease.md has
the argument; the names R2 to R8 below are its rules (R1 is the signer's, ``signer/``).

``LeaseMemory`` is what a keeper remembers until its process ends.  ``advance`` decides what to do next,
``answered`` and ``settle`` what an answer means.  tests/unit/node/keys/test_lease_property.py drives
these functions through random schedules, and removes each rule to see two signatures.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from goldnode.node.keys.signing_state import UNUSED, SigningState

#: The number of the revision when there is no lease.
ABSENT = "0"
#: The fewest blocks that a grant reaches ahead.
LEAST_BLOCKS = 10
#: The seconds' worth of blocks that a grant reaches ahead.
AHEAD = 60.0


class LeaseState(StrEnum):
    """The state of the lease in the store."""

    PENDING = "pending"
    """Won, and opens no height: it can be neither released nor resumed (R7)."""
    HELD = "held"
    RELEASED = "released"


@dataclass(frozen=True, slots=True)
class Revision:
    """One state of the store: ``<incarnation>.<number>``.

    Attributes:
        incarnation: The life of the store; random, new after every restore (S2).
        number: The write within it; `0` if there is no lease.
    """

    incarnation: str
    number: str = ABSENT

    def __str__(self) -> str:
        return f"{self.incarnation}.{self.number}"


@dataclass(frozen=True, slots=True)
class Lease:
    """The lease document in the store.

    Attributes:
        state: See ``LeaseState``.
        holder: The node that wrote it; the same across reboots.
        session: The signer's process that it is for.
        nonce: Unique to this write.
        incarnation: The store's incarnation when it was written.
        lo: First height of the grant; 0 while it is pending.
        hi: No height above it was ever granted.
        released: The latest that may have been signed, after a release.
    """

    state: LeaseState
    holder: str
    session: str
    nonce: str
    incarnation: str
    lo: int = 0
    hi: int = 0
    released: SigningState = UNUSED


@dataclass(frozen=True, slots=True)
class Reading:
    """The store's content: its revision, and the lease if there is one."""

    revision: Revision
    lease: Lease | None = None


@dataclass(frozen=True, slots=True)
class Write:
    """One swap: write ``lease`` if the store is still at ``expected`` (R4)."""

    expected: Revision
    lease: Lease


class Answer(StrEnum):
    """The result of a swap that did not succeed."""

    REFUSED = "refused"
    """The store was at another revision; which, is not told: it must never be used (R4)."""
    UNANSWERED = "unanswered"
    """It may have happened, or may happen yet."""


@dataclass(frozen=True, slots=True)
class Situation:
    """What the keeper observes when it decides.

    Attributes:
        holder: This node's own name in the store.
        session: The signer's process.
        last: What was signed last, according to the signer's disk.
        verified: Height of the last block that this node verified itself.
        in_sync: Whether the daemon follows the chain's tip; only then is a lease acquired.
        ahead: N, in blocks.
        takeover: Whether another node's lease may be taken.
        new_in: The incarnation in which this node made its key; empty if the key may have signed.
    """

    holder: str
    session: str
    last: SigningState
    verified: int
    in_sync: bool
    ahead: int
    takeover: bool = False
    new_in: str = ""


@dataclass(frozen=True, slots=True)
class SigningGrant:
    """The heights that a signer's process may sign, both ends included."""

    session: str
    lo: int
    hi: int


@dataclass(frozen=True, slots=True)
class LeaseMemory:
    """What a keeper remembers.

    Attributes:
        session: The signer's process that all of this concerns (R8).
        revision: The store's revision after our last answered write; None without a lease.
        lease: The content of that write.
        won_at: H*: the height being worked on, seen after a pending lease was acquired; 0 before.
        write: The write under way.
    """

    session: str = ""
    revision: Revision | None = None
    lease: Lease | None = None
    won_at: int = 0
    write: Write | None = None


@dataclass(frozen=True, slots=True)
class LeaseStep:
    """What to do next.

    Attributes:
        keeper: What to remember from now on.
        write: What to send to the store.
        grant: What to hand to the signer.
        revoke: Whether to withdraw the signer's grant.
        reason: Why nothing is signed yet; empty if nothing prevents it.
    """

    keeper: LeaseMemory
    write: Write | None = None
    grant: SigningGrant | None = None
    revoke: bool = False
    reason: str = ""


def ahead(block_time: float) -> int:
    """N: a minute's worth of blocks, and at least ten."""
    return max(LEAST_BLOCKS, round(AHEAD / block_time))


def may_swap(store: Revision, expected: Revision) -> bool:
    """Whether a store at one revision accepts a write that expects another: both parts must agree (R4)."""
    return store.incarnation == expected.incarnation and store.number == expected.number


def begin(keeper: LeaseMemory, session: str) -> LeaseMemory:
    """The memory for a signer's process; another process's grant and lease do not count (R8)."""
    return keeper if keeper.session == session else LeaseMemory(session)


def advance(keeper: LeaseMemory, now: Situation, reading: Reading | None, nonce: str) -> LeaseStep:
    """Decide what to do next, with no write under way.

    Args:
        keeper: Its memory.
        now: What it observes.
        reading: The store's content, read after the last answer; needed only without a lease.
        nonce: Random, for a write.
    """
    if keeper.lease is None or keeper.revision is None:
        return (
            _acquire(keeper, now, reading, nonce) if reading else LeaseStep(keeper, reason="the store does not answer")
        )
    if keeper.lease.state is LeaseState.PENDING:
        return _open(keeper, now, nonce)
    if keeper.lease.hi - now.verified > now.ahead * 3 // 4:
        return LeaseStep(keeper)
    return _send(keeper, keeper.revision, _held(now, keeper.lease, keeper.lease.lo, nonce))


def release(keeper: LeaseMemory, stopped_at: SigningState, nonce: str) -> LeaseStep:
    """Publish what was signed last, after the signer has stopped for good (R5).

    Args:
        keeper: Its memory; unless it holds a lease, there is nothing to release.
        stopped_at: The state on the signer's disk, read under its lock when it stopped.
        nonce: Random.
    """
    lease = keeper.lease
    if lease is None or keeper.revision is None or lease.state is not LeaseState.HELD:
        return LeaseStep(keeper)
    last = max(stopped_at, SigningState(lease.lo - 1))
    return _send(keeper, keeper.revision, replace(lease, state=LeaseState.RELEASED, nonce=nonce, released=last))


def answered(keeper: LeaseMemory, answer: Revision | Answer) -> LeaseStep:
    """Process the answer to the write under way.

    Args:
        keeper: Its memory, with a write under way.
        answer: The revision that the write made, or why there is none.
    """
    write = keeper.write
    if write is None or answer is Answer.UNANSWERED:
        return LeaseStep(keeper, reason="the store does not answer")
    if isinstance(answer, Answer) or answer.incarnation != write.expected.incarnation:
        return _lost(keeper)
    return _won(keeper, write.lease, answer)


def settle(keeper: LeaseMemory, reading: Reading) -> LeaseStep:
    """Decide what became of an unanswered write: it is ours only by its own nonce, else it may still arrive (R4)."""
    write = keeper.write
    if write is None:
        return LeaseStep(keeper)
    same = reading.revision.incarnation == write.expected.incarnation
    if same and reading.lease and reading.lease.nonce == write.lease.nonce:
        return _won(keeper, write.lease, reading.revision)
    if reading.revision == write.expected:
        return LeaseStep(keeper, write=write)
    return _lost(keeper)


def _acquire(keeper: LeaseMemory, now: Situation, reading: Reading, nonce: str) -> LeaseStep:
    revision, lease = reading.revision, reading.lease
    if not now.in_sync:
        return LeaseStep(keeper, reason="the daemon has not caught up with the chain")
    if lease is None:
        if now.new_in == revision.incarnation and now.last == UNUSED:
            return _send(keeper, revision, _held(now, _blank(now, revision, nonce), 1, nonce))
        return _pend(keeper, now, revision, 0, nonce)
    same = lease.incarnation == revision.incarnation
    if lease.state is LeaseState.RELEASED:
        if same:
            return _start_warm(keeper, now, reading.revision, lease, nonce)
        return _pend(keeper, now, revision, lease.hi, nonce)
    if lease.holder == now.holder and same and lease.state is LeaseState.HELD:
        return _resume(keeper, now, revision, lease, nonce)
    if lease.holder != now.holder and not now.takeover:
        return LeaseStep(keeper, reason=f"another machine has the signing lease, up to height {lease.hi} (R4)")
    return _pend(keeper, now, revision, lease.hi, nonce)


def _start_warm(keeper: LeaseMemory, now: Situation, revision: Revision, lease: Lease, nonce: str) -> LeaseStep:
    """Start at once after a clean release in this incarnation, from the next height (R6)."""
    lo = max(lease.released.height, now.last.height) + 1
    if now.verified + now.ahead < lo:
        return LeaseStep(keeper, reason=f"this node is behind height {lo}, where signing resumes")
    return _send(keeper, revision, _held(now, replace(lease, released=UNUSED, hi=lo - 1), lo, nonce))


def _resume(keeper: LeaseMemory, now: Situation, revision: Revision, lease: Lease, nonce: str) -> LeaseStep:
    """Let a new process continue above everything that the previous one may have signed (R8)."""
    lo = max(lease.hi, now.last.height) + 1
    if now.verified + now.ahead < lo:
        return LeaseStep(keeper, reason=f"signing resumes at height {lo}: the signer was started again (R8)")
    return _send(keeper, revision, _held(now, lease, lo, nonce))


def _pend(keeper: LeaseMemory, now: Situation, revision: Revision, hi: int, nonce: str) -> LeaseStep:
    """Acquire a lease: this opens nothing, and keeps the stored hi (R7)."""
    return _send(keeper, revision, replace(_blank(now, revision, nonce), hi=hi))


def _open(keeper: LeaseMemory, now: Situation, nonce: str) -> LeaseStep:
    """Open a pending lease by a renewal, above everything that anybody may have been granted (R7)."""
    lease, revision = keeper.lease, keeper.revision
    if lease is None or revision is None:
        return LeaseStep(keeper)
    # The height being worked on, not the one before it: a grant made at that moment may reach N blocks above
    # the last verified block, and lo must be above that (ADR 0260).
    keeper = keeper if keeper.won_at else replace(keeper, won_at=now.verified + 1)
    lo = max(keeper.won_at + now.ahead, lease.hi + 1, now.last.height + 1)
    if now.verified + now.ahead < lo:
        return LeaseStep(keeper, reason=f"the lease is ours; signing begins at height {lo} (R7)")
    return _send(keeper, revision, _held(now, lease, lo, nonce))


def _blank(now: Situation, revision: Revision, nonce: str) -> Lease:
    return Lease(LeaseState.PENDING, now.holder, now.session, nonce, revision.incarnation)


def _held(now: Situation, before: Lease, lo: int, nonce: str) -> Lease:
    """A grant up to N blocks above our own verified height (R2); callers make sure that hi never falls."""
    hi = now.verified + now.ahead
    return replace(before, state=LeaseState.HELD, holder=now.holder, session=now.session, nonce=nonce, lo=lo, hi=hi)


def _send(keeper: LeaseMemory, expected: Revision, lease: Lease) -> LeaseStep:
    write = Write(expected, lease)
    return LeaseStep(replace(keeper, write=write), write=write)


def _won(keeper: LeaseMemory, lease: Lease, revision: Revision) -> LeaseStep:
    if lease.state is LeaseState.RELEASED:
        return LeaseStep(LeaseMemory(keeper.session), revoke=True, reason="released")
    won = replace(keeper, lease=lease, revision=revision, write=None)
    if lease.state is LeaseState.PENDING:
        return LeaseStep(replace(won, won_at=0), reason="the lease is ours; no height is open yet (R7)")
    return LeaseStep(won, grant=SigningGrant(keeper.session, lease.lo, lease.hi))


def _lost(keeper: LeaseMemory) -> LeaseStep:
    """What we had belongs to another node or incarnation now: start over, including H* (R7)."""
    return LeaseStep(LeaseMemory(keeper.session), revoke=True, reason="the lease was lost to another write (R4)")
