"""Keeps a node's signing lease: observes, lets ``keys.lease`` decide, asks the store, instructs the signer.

``goldnode lease keep NAME`` runs it as a separate process.  If it dies nothing unsafe happens: the
signer continues up to the height that it was granted, and stops.  The order within a round matters: the
store is read first, then the daemon and the signer are asked, and only then is anything decided.
"""

from __future__ import annotations

import contextlib
import json
import logging
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from goldnode.discovery.plain_file import read_plain
from goldnode.errors import GoldnodeError, HostError
from goldnode.node.agent.rpc import Rpc
from goldnode.node.keys import lease, signer_home
from goldnode.node.keys.lease import Answer, LeaseMemory, LeaseStep, Reading, Situation
from goldnode.node.keys.signer_control import SignerControl, SignerStatus
from goldnode.node.keys.signer_home import LeaseRecord
from goldnode.node.keys.stores.store import LeaseStore
from goldnode.node.layout import NodeLayout

log = logging.getLogger(__name__)

#: Seconds after which a keeper's report is out of date.
SILENCE = 30.0


@dataclass(frozen=True, slots=True)
class LeaseReport:
    """The present state of a lease, for people and programs.

    Attributes:
        state: held, pending, waiting, released; unknown where no keeper tells.
        lo: The first height that may be signed; 0 without a grant.
        hi: The last one.
        store: What stands behind `lease:`.
        fences: Whether the store keeps two machines apart.
        renewed: When the store last took a write of ours, unix seconds; 0 for never.
        reason: Why nothing is signed yet, or what is wrong; empty if all is well.
    """

    state: str
    lo: int
    hi: int
    store: str
    fences: bool
    renewed: float
    reason: str


def last_report(node: NodeLayout, now: float, *, paused: bool) -> LeaseReport:
    """The last report of a node's keeper.

    Args:
        node: The node.
        now: Unix seconds.
        paused: Whether the node was stopped, and its keeper with it: what that one said last tells nothing of now.
    """
    try:
        document = json.loads(read_plain(node.lease_status))
        written = float(document.pop("time"))
        report = LeaseReport(**document)
    except (OSError, HostError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        nothing = f"its keeper said nothing yet: journalctl -u {node.lease_unit}"
        return LeaseReport("unknown", 0, 0, "", fences=True, renewed=0.0, reason=nothing)
    if now - written > SILENCE:
        silent = f"its keeper is silent: journalctl -u {node.lease_unit}"
        # One that still runs has a store that does not answer: its lease is as it said, and alerts ask for that.
        return replace(report, state="unknown" if paused else report.state, reason=silent)
    return report


@dataclass(slots=True)
class LeaseKeeper:
    """The keeper of one node's lease.

    Attributes:
        node: The node.
        url: What stands behind `lease:`.
        store: The store itself.
        signer: The signer's control.
        rpc: The daemon's RPC.
        ahead: N, in blocks.
        automatic: Whether the lease of a silent machine is taken.
        known: This node's name in the store.
        nonce: Gives a random name.
        clock: Unix seconds, for reports only.
    """

    node: NodeLayout
    url: str
    store: LeaseStore
    signer: SignerControl
    rpc: Rpc
    ahead: int
    automatic: bool
    known: LeaseRecord
    nonce: Callable[[], str]
    clock: Callable[[], float]
    memory: LeaseMemory = field(default_factory=LeaseMemory)
    renewed: float = 0.0
    _seen: tuple[str, int] = ("", 0)
    _reason: str = ""

    def reconcile(self) -> LeaseReport:
        """Observe, and take the next step."""
        self._reason = ""
        status = None
        try:
            status = self._next()
        except GoldnodeError as error:
            self._reason = error.message
            # Without the store, or before the daemon answers, the signer still has its grant.
            with contextlib.suppress(HostError):
                status = self.signer.status()
        held = self.memory.lease
        state = held.state.value if held else "waiting"
        lo, hi = (status.lo, status.hi) if status else (0, 0)
        return LeaseReport(state, lo, hi, self.url, self.store.fences, self.renewed, self._reason)

    def release(self) -> bool:
        """Stop the signer for good and publish what it signed last (R5); returns whether that is in the store."""
        status = self.signer.status()
        if self.memory.session == status.session and self.memory.write:
            self._follow(lease.settle(self.memory, self.store.read()))
        stopped = self.signer.stop(status.session)
        if self.memory.session == status.session and self.memory.write is None:
            before = self.memory.lease
            self._follow(lease.release(self.memory, stopped.last, self.nonce()))
            return before is None or self.memory.write is None
        return self.memory.lease is None and self.memory.write is None

    def _next(self) -> SignerStatus:
        status = self.signer.status()
        self.memory = lease.begin(self.memory, status.session)
        if status.stopped:
            # The process that stopped it has ended, or lost its memory: only another process may sign.
            self.signer.end(status.session)
            raise HostError("the signer was stopped and is being restarted")
        if self.memory.write:
            self._follow(lease.settle(self.memory, self.store.read()))
            return self.signer.status()
        reading = None if self.memory.lease else self.store.read()
        if reading:
            self.known = signer_home.first_seen(self.node, self.known, reading.revision.incarnation)
        now = self._situation(reading, self.signer.status())
        if now.session == self.memory.session:
            self._follow(lease.advance(self.memory, now, reading, self.nonce()))
        return self.signer.status()

    def _situation(self, reading: Reading | None, status: SignerStatus) -> Situation:
        daemon = self.rpc.status()
        return Situation(
            holder=self.known.holder,
            session=status.session,
            last=status.last,
            verified=daemon.height,
            in_sync=not daemon.catching_up,
            ahead=self.ahead,
            takeover=self.node.takeover.exists() or self._silent(reading, daemon.height),
            new_in=self.known.new_in if self.known.new else "",
        )

    def _silent(self, reading: Reading | None, height: int) -> bool:
        """Whether the lease's holder has written nothing for N blocks, in which it should have written three times.

        A daemon that catches up has N blocks at once.  But only a grant that is not renewed is passed by the chain.
        """
        if not self.automatic or reading is None or reading.lease is None:
            return False
        revision = str(reading.revision)
        if self._seen[0] != revision:
            self._seen = (revision, height)
        return height - self._seen[1] >= self.ahead and height > reading.lease.hi

    def _follow(self, step: LeaseStep) -> None:
        """Carry out steps until nothing is left to do."""
        while True:
            session = self.memory.session
            self.memory = step.keeper
            self._reason = step.reason
            if step.revoke:
                self.signer.revoke(session)
            if step.grant:
                self.signer.grant(step.grant.session, step.grant.lo, step.grant.hi)
                self.known = signer_home.granted(self.node, self.known)
                self.node.takeover.unlink(missing_ok=True)
            if step.write is None:
                return
            answer = self.store.swap(step.write)
            if not isinstance(answer, Answer):
                self.renewed = self.clock()
            step = lease.answered(self.memory, answer)
