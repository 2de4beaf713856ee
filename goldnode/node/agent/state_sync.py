"""Brings a node without state to the tip: asks whom to trust, watches the state sync, tries again, gives up.

Everything that takes time happens beside the agent's loop, in its own thread; a round only collects
what is ready.  Decisions are on disk before they are acted on (``goldnode.node.catch_up``).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from goldnode.config.catch_up import TRUST_PERIOD, CatchUp, RpcServer
from goldnode.config.daemon import Family
from goldnode.config.network import Network
from goldnode.config.role import CatchUpFrom
from goldnode.node import catch_up
from goldnode.node.agent import servers
from goldnode.node.agent.health import Health, NodeState
from goldnode.node.agent.restore import Restore
from goldnode.node.beside import Beside
from goldnode.node.catch_up import CatchUpState, Phase
from goldnode.node.plan.catch_up import TRIES, Distrust, Header, Pace, Reached, Tip, Trust, Way, aim, decide, progress
from goldnode.node.plan.catch_up import way_of_a_validator as way_of
from goldnode.node.plan.inputs import NodeFacts
from goldnode.node.plan.peers import Member, mesh_address
from goldnode.node.plan.ports import Ports
from goldnode.node.system.system import System

#: Seconds from one attempt to the next; each pause is longer by this much.
PAUSE = 15.0
#: Seconds that a validator waits for silent sentries, before it starts as if the chain had not begun.
SILENCE = 60.0
#: Seconds without a new chunk after which a state sync has failed: snapshots are looked for every 15 s.
STUCK = 300.0
#: Seconds between queries to the sentries of a running validator that has no block.
RECHECK = 30.0
#: Seconds between blocks, unless the network file says.
BLOCK_TIME = 6.0

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_CHUNK = re.compile(r"Applied snapshot chunk[^\n]*?chunk=(\d+)[^\n]*?total=(\d+)")
_FAILED = re.compile(r"(?:State sync failed[^\n]*?err=\"?|failed to start state sync: )([^\"\n]{1,200})")
_BEGAN = "Starting state sync"

Tips = Callable[[Sequence[RpcServer], str], list[Tip]]
Headers = Callable[[Sequence[RpcServer], int, str], list[Header]]


@dataclass(slots=True)
class Catcher:
    """Brings one node to the tip.

    Attributes:
        network: The node's network.
        system: The running machine.
        tips: Asks servers for their height.
        headers: Asks servers for a block.
        restore: Fetches a snapshot and puts it in place.
        reached: Its progress in the last round.
    """

    network: Network
    system: System
    tips: Tips = servers.tips
    headers: Headers = servers.headers
    restore: Restore = field(default_factory=Restore)
    reached: Reached = field(default_factory=Reached)
    _question: Beside[Trust | Distrust | Way] = field(default_factory=Beside)
    _asked: float = 0.0
    _since: float = 0.0
    _chunk: str = ""
    _moved: float = 0.0
    _pace: Pace = field(default_factory=Pace)

    def before_start(self, facts: NodeFacts, now: float) -> str:
        """What must happen before the daemon starts; empty if it may start."""
        node = facts.layout
        record = catch_up.read(node)
        self.reached = Reached()
        if self.network.daemon.family is not Family.COSMOS_SDK:
            return ""
        match record.phase:
            case Phase.DONE | Phase.REPLAY:
                return ""
            case Phase.STATE_SYNC:
                return self._begin(facts, record, now)
            case Phase.GIVEN_UP:
                return self._gave_up(facts, record)
            case Phase.SNAPSHOT | Phase.INSTALLING:
                return self._restore(facts, record)
        if not record.tries and catch_up.has_databases(node):
            return ""
        if facts.role.catch_up is CatchUpFrom.NETWORK and not self._known(facts).state_sync:
            return self._restore(facts, record) if self._known(facts).snapshot else ""
        return self._find(facts, record, now)

    def _begin(self, facts: NodeFacts, record: CatchUpState, now: float) -> str:
        """Begin a state sync, or begin it anew: no daemon continues one, and what is left of one is in its way."""
        if facts.trust != record.trust:
            return "state sync: configuring it"
        if catch_up.has_databases(facts.layout) and not facts.layout.height.exists():
            self._give_back(facts)
        self._moved = now
        return ""

    def watch(self, facts: NodeFacts, health: Health, now: float) -> str:
        """A running daemon's progress in catching up, for people; empty at the tip.  A failed sync is stopped."""
        record = catch_up.read(facts.layout)
        self.reached = Reached()
        if health.height:
            if record.phase is Phase.STATE_SYNC:
                catch_up.write(facts.layout, replace(record, phase=Phase.DONE))
            return self._behind(health, now)
        if record.phase is Phase.STATE_SYNC:
            return self._syncing(facts, record, now)
        if record.phase is Phase.NONE and facts.role.catch_up is CatchUpFrom.SENTRIES and health.node_id:
            self._recheck(facts, now)
        return ""

    def _known(self, facts: NodeFacts) -> CatchUp:
        return facts.entry.catch_up or self.network.catch_up

    def _servers(self, facts: NodeFacts) -> tuple[RpcServer, ...]:
        """The servers this node may ask: for a validator its own sentries over the mesh, and nobody else."""
        if facts.role.catch_up is CatchUpFrom.SENTRIES:
            near = [member for member in facts.links if member.role == "sentry" and member.p2p_port]
            return tuple(RpcServer(_rpc_on_the_mesh(facts, member), member.node_id) for member in near)
        sync = self._known(facts).state_sync
        return sync.servers if sync else ()

    def _find(self, facts: NodeFacts, record: CatchUpState, now: float) -> str:
        """Find whom to trust; returns the sentence to show meanwhile, empty if the chain is to be replayed."""
        self._since = self._since or now
        self.reached = Reached("asking")
        if self._question.running:
            return "state sync: asking whom to trust"
        answer = self._question.take()
        if isinstance(answer, Trust):
            catch_up.write(facts.layout, record.trying(answer))
            return "state sync: configuring it"
        if answer is Way.REPLAY or (answer is Way.WAIT and now - self._since > SILENCE):
            self.reached = Reached()
            return ""
        if isinstance(answer, Distrust):
            record = self._fail(facts, record, answer.reason)
            if record.phase is not Phase.NONE:
                return self.before_start(facts, now)
        if now - self._asked < PAUSE * (1 + record.tries):
            waits = "for its sentries" if answer is Way.WAIT else "before the next try"
            return f"state sync: waiting {waits}{f'; {record.reason}' if record.reason else ''}"
        self._asked = now
        self._question.start(lambda: self._trust(facts, record.tries))
        return "state sync: asking whom to trust"

    def _trust(self, facts: NodeFacts, attempt: int) -> Trust | Distrust | Way:
        """In a thread: ask the servers, and decide from their answers."""
        hidden = facts.role.catch_up is CatchUpFrom.SENTRIES
        asked, source = self._servers(facts), facts.mesh_address if hidden else ""
        chain, sync = self.network.chain_id, self._known(facts).state_sync
        tips = self.tips(asked, source)
        if hidden:
            way = way_of(tips, chain, len(asked))
            if way is not Way.STATE_SYNC:
                return way
        height = aim(tips, chain, attempt)
        if isinstance(height, Distrust):
            return height
        found = self.headers(asked, height, source)
        sync = sync or self.network.catch_up.state_sync
        period = sync.trust_period if sync else TRUST_PERIOD
        return decide(found, chain, height, period, attempt=attempt, tip=max(tip.height for tip in tips))

    def _fail(self, facts: NodeFacts, record: CatchUpState, reason: str) -> CatchUpState:
        """After a failed attempt: try again, try another way, or leave it to a person."""
        record = record.failed(reason)
        if record.tries >= TRIES:
            snapshot = facts.role.catch_up is CatchUpFrom.NETWORK and self._known(facts).snapshot
            record = replace(record, phase=Phase.SNAPSHOT if snapshot else Phase.GIVEN_UP)
        catch_up.write(facts.layout, record)
        return record

    def _syncing(self, facts: NodeFacts, record: CatchUpState, now: float) -> str:
        log = _COLOUR.sub("", self.system.log_tail(facts.layout.unit))
        log = log[max(0, log.rfind(_BEGAN)) :]
        chunks, failed = _CHUNK.findall(log), _FAILED.search(log)
        said = f"{int(chunks[-1][0]) + 1} of {chunks[-1][1]}" if chunks else ""
        self.reached = Reached("state-sync", (int(chunks[-1][0]) + 1) / int(chunks[-1][1]) if chunks else 0.0)
        self._moved = self._moved or now
        if said != self._chunk:
            self._chunk, self._moved = said, now
        if failed or now - self._moved > STUCK:
            reason = failed.group(1).strip() if failed else f"no snapshot came from any peer within {STUCK:.0f} s"
            self._give_back(facts)
            self._fail(facts, record, reason)
            return f"state sync failed: {reason}"
        return f"snapshot {said} chunks" if said else "looking for a snapshot among the peers"

    def _give_back(self, facts: NodeFacts) -> None:
        """Stop a daemon that never had a block, and delete what it began."""
        self.system.stop(facts.layout.unit)
        catch_up.clear_databases(facts.layout)
        self._moved, self._chunk = 0.0, ""

    def _recheck(self, facts: NodeFacts, now: float) -> None:
        """Recheck a validator that started before its sentries could answer, and needs blocks that they do not have."""
        if self._question.running:
            return
        answer = self._question.take()
        if isinstance(answer, Trust):
            self._give_back(facts)
            catch_up.write(facts.layout, catch_up.read(facts.layout).trying(answer))
        elif now - self._asked >= RECHECK:
            self._asked = now
            self._question.start(lambda: self._trust(facts, 0))

    def _restore(self, facts: NodeFacts, record: CatchUpState) -> str:
        snapshot = self._known(facts).snapshot
        if snapshot is None and record.phase is not Phase.INSTALLING:
            return self._gave_up(facts, record)
        said, failed = self.restore.advance(facts.layout, snapshot, record, self.system)
        if failed:
            catch_up.write(facts.layout, CatchUpState(Phase.GIVEN_UP, record.tries, None, failed))
            return self._gave_up(facts, catch_up.read(facts.layout))
        self.reached = Reached("snapshot", self.restore.part)
        return said

    def _behind(self, health: Health, now: float) -> str:
        if health.state not in (NodeState.SYNCING, NodeState.STALLED):
            self._pace = Pace()
            return ""
        self._pace = self._pace.noting(now, now - health.age, health.height)
        if health.state is NodeState.STALLED:
            return ""
        pace = self.network.block_time or BLOCK_TIME
        self.reached = Reached("blocks", behind=round(health.age / pace))
        return progress(health.age, pace, self._pace)

    def _gave_up(self, facts: NodeFacts, record: CatchUpState) -> str:
        self.reached = Reached("given-up")
        name = facts.entry.name
        return f"cannot reach the tip: {record.reason}; goldnode catch-up {name} tries again, docs/catching-up.md"


def _rpc_on_the_mesh(facts: NodeFacts, member: Member) -> str:
    host = mesh_address(facts.fingerprint, member.mesh_key)
    return f"http://[{host}]:{Ports.rpc_beside(member.p2p_port)}"
