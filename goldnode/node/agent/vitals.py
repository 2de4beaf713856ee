"""What is watched of a node besides its health: the validators it can see sign, its disk, whom it misses.

A validator that is dead says nothing, so its sentries look at the chain for it: they know its consensus address from
its record, and whether its signature is in the last blocks and what the chain has against it is everybody's to read.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from goldnode.errors import HostError
from goldnode.node.agent.health import COMMITS, Health
from goldnode.node.agent.rpc import Rpc
from goldnode.node.observe import slashing
from goldnode.node.observe.disk import DiskGrowth, DiskView
from goldnode.node.observe.slashing import SlashingState
from goldnode.node.plan.inputs import NodeFacts
from goldnode.node.plan.peers import Member

#: Seconds between two questions about what the chain has against a validator.
ASK = 10.0


@dataclass(frozen=True, slots=True)
class ValidatorView:
    """A validator as a node sees it on the chain.

    Attributes:
        name: Its name for people.
        address: Consensus address, 40 hex digits.
        signing: Whether its signature is in one of the last commits; None where nobody may expect it.
        slashing: What the chain has against it; None where it counts nothing.
    """

    name: str
    address: str
    signing: bool | None = None
    slashing: SlashingState | None = None


@dataclass(frozen=True, slots=True)
class Vitals:
    """What was seen of a node besides its health.

    Attributes:
        validators: Itself, or those of its cluster, that the chain knows.
        disk: The disk that its home is on; None while nobody has looked.
        missing: Wanted peers that are not there: name and node ID.
    """

    validators: tuple[ValidatorView, ...] = ()
    disk: DiskView | None = None
    missing: tuple[tuple[str, str], ...] = ()


@dataclass(slots=True)
class VitalsWatch:
    """Watches one node.

    Attributes:
        rpc: Its daemon's RPC.
        space: Bytes free and bytes in all of the disk it is on.
    """

    rpc: Rpc
    space: Callable[[], tuple[int, int]]
    _growth: DiskGrowth = field(default_factory=DiskGrowth)
    _seen: dict[str, ValidatorView] = field(default_factory=dict)
    _signed: set[str] = field(default_factory=set)
    _height: int = 0
    _asked: float = float("-inf")

    def observe(self, facts: NodeFacts, health: Health, own: str, now: float) -> Vitals:
        """Look once.

        Args:
            facts: What is known of the node.
            health: What its daemon said a moment ago.
            own: Its own consensus address; empty for a node that has none.
            now: Unix seconds.
        """
        names = {member.node_id: member.moniker for member in facts.members}
        try:
            validators = self._validators(_watched(facts, own), health, now)
        except HostError:
            # A daemon that does not answer is told of as such, by its health; nothing was seen through it.
            validators = ()
        return Vitals(
            validators,
            self._growth.observe(*self.space(), now),
            tuple((names.get(each, each[:8]), each) for each in health.missing),
        )

    def _validators(self, watched: dict[str, str], health: Health, now: float) -> tuple[ValidatorView, ...]:
        if not health.height or not health.node_id:
            return ()
        due = now - self._asked >= ASK
        if due:
            self._asked = now
        if health.height != self._height:
            self._height, commits = health.height, self._commits(health.height)
        else:
            commits = None
        for address, name in watched.items():
            before = self._seen.get(address, ValidatorView(name, address))
            state = slashing.read(self.rpc.query, address) if due else before.slashing
            signing = before.signing if commits is None else any(address in commit for commit in commits)
            if signing:
                self._signed.add(address)
            expected = state.bonded if state else address in self._signed
            self._seen[address] = ValidatorView(name, address, bool(signing) if expected else None, state)
        self._seen = {address: view for address, view in self._seen.items() if address in watched}
        return tuple(self._seen.values())

    def _commits(self, height: int) -> list[frozenset[str]]:
        """Who signed, in the last commits that a block carries (``health._signed`` says why not the newest)."""
        newest = height - 1
        return [self.rpc.signed(each) for each in range(newest, max(0, newest - COMMITS), -1)]


def _watched(facts: NodeFacts, own: str) -> dict[str, str]:
    """Name by consensus address of the validators that a node watches: itself, or those it stands before."""
    found = {own.upper(): facts.entry.name} if own else {}
    return found | {member.claim.address.upper(): member.moniker for member in _validators_of(facts) if member.claim}


def _validators_of(facts: NodeFacts) -> list[Member]:
    return [member for member in facts.members if member.role in facts.role.peers.private]
