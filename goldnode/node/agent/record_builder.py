"""Builds what a node says about itself in its record, from what the agent observed."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from goldnode.config.choices import MeshKind
from goldnode.node.agent.health import NodeState
from goldnode.node.agent.supervisor import NodeReport
from goldnode.node.keys import keys
from goldnode.node.keys.key_rules import KeyRecord
from goldnode.node.plan.inputs import NodeFacts
from goldnode.node.system.machine import Machine
from goldnode.protocol.facts import Consensus, Facts, Mesh
from goldnode.protocol.key_proof import prove
from goldnode.protocol.wire import key_from_seed

#: Seconds between announcements of a validator's height; each is a new record for everybody.
HEIGHT_INTERVAL = 600.0


@dataclass(slots=True)
class RecordBuilder:
    """Builds one node's record; remembers only which height it published last, and when.

    Attributes:
        chain_id: The chain it runs.
        genesis: Hex SHA-256 of its genesis.
        mesh: What carries the mesh.
        host: The machine it runs on.
        life: Which life of the node orders must name.
    """

    chain_id: str
    genesis: str
    mesh: MeshKind
    host: Machine
    life: str = ""
    _said_at: float = float("-inf")
    _said_height: int = 0

    def facts(self, node: NodeFacts, report: NodeReport, now: float) -> Facts:
        """The facts for the record; unchanged as long as nothing changes that others need to know."""
        holds = report.health.state is not NodeState.STOPPED and not node.role.consensus_key
        return Facts(
            moniker=node.entry.name,
            chain_id=self.chain_id,
            genesis=self.genesis,
            instance=hashlib.sha256(self.host.binding.encode()).hexdigest(),
            boot=self.host.boot_id.replace("-", ""),
            mesh=Mesh(self.mesh.value, node.mesh_public, node.mesh_port(self.mesh)),
            p2p_port=node.ports.p2p,
            addresses=node.addresses,
            consensus=self._consensus(node, report.key, now),
            loaded=report.loaded if holds else (),
            orders=self.life,
        )

    def _consensus(self, node: NodeFacts, record: KeyRecord | None, now: float) -> Consensus | None:
        # An exported key signs elsewhere: we must not hold up whoever has it now.
        key = keys.read_key(node.layout) if record and not record.exported else None
        if record is None or key is None:
            return None
        if now - self._said_at >= HEIGHT_INTERVAL:
            self._said_at, self._said_height = now, record.height
        return prove(key_from_seed(key.seed), node.node_id, self._said_height)
