"""A fleet's status: its nodes from their consoles, the chain from the external validators."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import Any

from rich import box
from rich.console import Group
from rich.table import Table

from goldnode.cluster.status import SHORT
from goldnode.errors import HostError
from goldnode.fleet.fleet import Fleet
from goldnode.fleet.state import FleetState
from goldnode.fleet.up import observe

#: The role shown for an external validator.
EXTERNAL_ROLE = "external"


@dataclass(frozen=True, slots=True)
class FleetRow:
    """One node, of the fleet or external.

    Attributes:
        name: Its name.
        role: Its role; `external` for the validators outside.
        node_id: Its ID; empty while unknown.
        state: In its own words.
        height: The height it has reached, as the external validators see it; None if they cannot tell.
        peers: The number of peers it last reported.
        signing: Whether its signature is in the chain's last commit; None for a node without a key.
        ready: Seconds from power-on to ready by this machine's clock; None until then.
        own_ready: The same by the node's own clock, as printed on its console.
        reason: What it is waiting for, or why it does not run.
    """

    name: str
    role: str
    node_id: str = ""
    state: str = ""
    height: int | None = None
    peers: int = 0
    signing: bool | None = None
    ready: float | None = None
    own_ready: float | None = None
    reason: str = ""


def rows(fleet: Fleet) -> list[FleetRow]:
    """Everything that is known now: the fleet's nodes, then the external validators."""
    observe(fleet)
    seen, running = fleet.seen(), fleet.namespace.programs()
    signers, heights = _chain(fleet)
    found = []
    for vm in fleet.state.vms:
        on = running.get(vm.name, 1) is None
        for node in vm.nodes:
            told, address = seen.get(node.name), fleet.state.validators.get(node.name)
            state = ("starting" if told is None else told.state or "configured") if on else "off"
            found.append(
                FleetRow(
                    name=node.name,
                    role=node.role,
                    node_id=told.node_id if told else "",
                    state=state,
                    height=heights.get(told.node_id) if told else None,
                    peers=told.peers if told else 0,
                    signing=address in signers if address else None,
                    ready=fleet.state.ready.get(node.name),
                    own_ready=told.ready if told else None,
                    reason=told.reason if told else "",
                )
            )
    return [*found, *_external_rows(fleet)]


def document(fleet: Fleet, found: list[FleetRow]) -> dict[str, Any]:
    """The same for programs."""
    nodes = [{field: getattr(row, field) for field in FleetRow.__slots__} for row in found]
    return {
        "version": 1,
        "network": fleet.state.spec.network,
        "mesh": str(fleet.state.spec.mesh),
        "folder": str(fleet.folder),
        "accelerator": fleet.state.accelerator,
        "nodes": nodes,
    }


def screen(state: FleetState, found: list[FleetRow]) -> Group:
    """The same for people: a table that fits the narrowest terminal, and below it what nodes are waiting for."""
    title = f"{state.spec.network} by {state.accelerator}, mesh {state.spec.mesh}"
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0))
    table.add_column("name", overflow="fold")
    for heading in ("role", "node ID", "state", "height", "peers", "signs", "ready"):
        table.add_column(heading, no_wrap=True)
    for row in found:
        table.add_row(
            row.name,
            row.role,
            row.node_id[:SHORT],
            row.state,
            "-" if row.height is None else str(row.height),
            str(row.peers),
            {True: "yes", False: "no", None: "-"}[row.signing],
            "-" if row.ready is None else f"{row.ready:.0f} s",
        )
    return Group(table, *(f"{row.name}: {row.reason}" for row in found if row.reason not in ("", row.state)))


def _chain(fleet: Fleet) -> tuple[frozenset[str], dict[str, int]]:
    """Who signed last, and the heights of the external validators' peers; empty while they are silent."""
    signers: frozenset[str] = frozenset()
    heights: dict[str, int] = {}
    for rpc in fleet.externals():
        with contextlib.suppress(HostError):
            signers = signers or rpc.signers()
            heights |= rpc.heights()
    return signers, heights


def _external_rows(fleet: Fleet) -> list[FleetRow]:
    found = []
    for number, (rpc, peer) in enumerate(zip(fleet.externals(), fleet.external_peers, strict=True), 1):
        name, node_id = f"external-{number}", peer.partition("@")[0]
        try:
            status, peers = rpc.ask("status"), rpc.peers()
        except HostError as error:
            begun = (fleet.folder / "external" / f"{number}.log").exists()
            state, reason = ("off", error.message) if begun else ("waiting", "begins when all machines are configured")
            found.append(FleetRow(name, EXTERNAL_ROLE, node_id, state=state, reason=reason))
            continue
        height = int(status["sync_info"]["latest_block_height"])
        signing = status["validator_info"]["address"] in _signers(fleet, number)
        state = "signing" if signing else "following"
        found.append(
            FleetRow(name, EXTERNAL_ROLE, node_id, state=state, height=height, peers=len(peers), signing=signing)
        )
    return found


def _signers(fleet: Fleet, number: int) -> frozenset[str]:
    try:
        return fleet.external(number).signers()
    except HostError:
        return frozenset()
