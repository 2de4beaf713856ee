"""What a machine's serial console tells about its nodes: a fleet sees nothing else of the inside."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

_CONFIGURED = re.compile(r"goldnode: (?P<role>[a-z-]+) (?P<name>[a-z0-9-]+): configured, node id (?P<id>[0-9a-f]{40})")
_REFUSED = re.compile(r"goldnode: (?P<name>[a-z0-9-]+): REFUSED: (?P<why>.*)")
_READY = re.compile(
    r"goldnode: [a-z-]+ (?P<name>[a-z0-9-]+) ready (?P<seconds>[0-9.]+) s after power-on, "
    r"node id [0-9a-f]{40}, (?P<peers>\d+) peer"
)
_STATE = re.compile(
    r"goldnode: [a-z-]+ (?P<name>[a-z0-9-]+): (?P<state>[a-z ]+), node id [0-9a-f]{40}"
    r"(?:, at [^ ]+(?:, [^ ]*[.:][^ ]*)*)?(?:, height \d+)?(?:, (?P<peers>\d+) peers?)?"
    r"(?:, missing [0-9a-f, ]+)?(?:: (?P<why>.*))?$"
)
_FAILED = re.compile(r"Failed to start.*goldnode-configure")
_FAULT = re.compile(r"goldnode\[\d+\]: (?:goldnode: )?(?!goldnode: try|try: )(?P<why>.*\S)")


@dataclass(frozen=True, slots=True)
class ConsoleView:
    """A node as its machine's console describes it, since the last start.

    Attributes:
        name: Its name.
        role: Its role.
        node_id: Its ID.
        state: In the node's own words; empty until it has said something.
        reason: What it is waiting for, or why it does not run.
        peers: How many peers it had when it last said so.
        ready: Seconds from power-on to ready, by the machine's clock; None until then.
        starts: How often the machine was configured.
    """

    name: str
    role: str
    node_id: str
    state: str = ""
    reason: str = ""
    peers: int = 0
    ready: float | None = None
    starts: int = 1


def read(text: str) -> dict[str, ConsoleView]:
    """The nodes of a machine, by name."""
    nodes: dict[str, ConsoleView] = {}
    for line in text.splitlines():
        if found := _CONFIGURED.search(line):
            before = nodes.get(found["name"])
            starts = before.starts + 1 if before else 1
            nodes[found["name"]] = ConsoleView(found["name"], found["role"], found["id"], starts=starts)
        elif found := _REFUSED.search(line):
            known = nodes.get(found["name"]) or ConsoleView(found["name"], "", "")
            nodes[found["name"]] = replace(known, state="refused", reason=found["why"])
        elif (found := _READY.search(line)) and found["name"] in nodes:
            known = nodes[found["name"]]
            nodes[known.name] = replace(known, ready=float(found["seconds"]), peers=int(found["peers"]))
        elif (found := _STATE.search(line)) and found["name"] in nodes:
            known = nodes[found["name"]]
            peers = int(found["peers"] or known.peers)
            nodes[known.name] = replace(known, state=found["state"], reason=found["why"] or "", peers=peers)
    return nodes


def fault(text: str) -> str:
    """Why the machine could not become what its node.yaml says; empty if it could, or has not tried yet."""
    why = ""
    for line in text.splitlines():
        if _FAILED.search(line):
            return why or "goldnode-configure failed"
        if found := _FAULT.search(line):
            why = found["why"]
    return ""
