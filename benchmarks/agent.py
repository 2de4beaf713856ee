"""What a node's agent costs at rest: the real process, on a machine's tree, beside daemons that answer like CometBFT.

The tree stands for a booted image, so systemd is not asked; what asking it costs is measured beside, once for
each of the agent's rounds, and added.  The rendezvous is a real one, and every daemon makes a block each second.
"""

from __future__ import annotations

import contextlib
import http.server
import json
import os
import resource
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.server import server
from goldnode.errors import HostError
from goldnode.node.agent.agent import INTERVAL
from goldnode.node.layout import Layout
from goldnode.node.plan.ports import Ports
from goldnode.node.system.unit import PROPERTIES
from goldnode.paths import REPOSITORY
from goldnode.progress import Progress
from goldnode.run import run, spawn
from tests.support.node_lab import Cluster, Tree

#: Nodes on the machine → percent of a core that its agent may take.
GOALS = {1: 1.0, 9: 3.0}
#: MiB that the agent of one node may have.
MEMORY = 45.0
#: Seconds until all nodes are ready, until what came with that is done, and that are then measured.
READY, SETTLE, MEASURED = 300.0, 10.0, 60.0


@dataclass(frozen=True, slots=True)
class Rest:
    """One agent at rest.

    Attributes:
        nodes: How many nodes its machine has.
        percent: Of a core, asking systemd included.
        systemd: The part of it that asking systemd takes.
        mebibytes: Its memory (PSS).
    """

    nodes: int
    percent: float
    systemd: float
    mebibytes: float


@dataclass(frozen=True, slots=True)
class AgentReport:
    """What was measured, and the load average at the end."""

    rests: tuple[Rest, ...]
    load: float

    def document(self) -> dict[str, Any]:
        """For programs."""
        return {"version": 1, "load": round(self.load, 1), "goal_mebibytes_for_one": MEMORY, "agents": [
            {"nodes": it.nodes, "percent_of_a_core": round(it.percent, 2), "goal_percent": GOALS[it.nodes],
             "of_that_systemd": round(it.systemd, 2), "mebibytes": round(it.mebibytes, 1)} for it in self.rests
        ]}  # fmt: skip

    def rows(self) -> Iterator[tuple[str, str, str]]:
        """For people."""
        for it in self.rests:
            yield f"agent of {it.nodes}, at rest", f"{it.percent:.2f} % of a core", f"{GOALS[it.nodes]} %"
            yield "the same, memory", f"{it.mebibytes:.1f} MiB", f"{MEMORY} MiB" if it.nodes == 1 else ""


def measure(told: Progress) -> AgentReport:
    """Measure an agent of one node and one of nine; takes three minutes.

    Raises:
        HostError: Its nodes did not get ready.
    """
    return AgentReport(tuple(_at_rest(nodes, told) for nodes in GOALS), os.getloadavg()[0])


def _at_rest(nodes: int, told: Progress) -> Rest:
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        met = stack.enter_context(server(Path(name, "met.sqlite")))
        tree = _tree(Path(name, "machine"), nodes, met.url)
        for number, facts in enumerate(tree.configure()[0].facts.values()):
            stack.enter_context(_daemon(Ports.of(number).rpc, facts.node_id))
        argv = [sys.executable, "-m", "goldnode.node", "--root", str(tree.layout.root), "agent"]
        with told.step(f"agent of {nodes}, at rest"), spawn(argv, cwd=REPOSITORY) as agent:
            _until_ready(tree.layout)
            time.sleep(SETTLE)
            before = _seconds(agent.pid)
            time.sleep(MEASURED)
            percent = 100 * (_seconds(agent.pid) - before) / MEASURED
            memory = _pss(agent.pid)
    systemd = 100 * _one_look() / INTERVAL
    return Rest(nodes, percent + systemd, systemd, memory)


def _tree(root: Path, nodes: int, rendezvous: str) -> Tree:
    tree, cluster = Tree(root), Cluster()
    names = [f"s-{number}" for number in range(1, nodes + 1)]
    if nodes == 1:
        tree.node_yaml("sentry", cluster.invite("sentry"), names[0], rendezvous=[rendezvous])
    else:
        entries = [{"name": each, "role": "sentry", "join": cluster.invite("sentry")} for each in names]
        tree.node_yaml("multi-node", nodes=entries, rendezvous=[rendezvous])
    return tree


@contextlib.contextmanager
def _daemon(port: int, node_id: str) -> Iterator[None]:
    """A daemon's RPC, in a thread of this process."""

    class Answers(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            now = datetime.now(UTC)
            sync = {"latest_block_height": str(int(now.timestamp())), "latest_block_time": now.isoformat(),
                    "catching_up": False}  # fmt: skip
            status = {"node_info": {"id": node_id}, "sync_info": sync,
                      "validator_info": {"address": "A" * 40, "voting_power": "0"}}  # fmt: skip
            peers = {"peers": [{"node_info": {"id": f"{number:040x}"}} for number in range(40)]}
            body = json.dumps({"result": peers if self.path.startswith("/net_info") else status}).encode()
            self.send_response(http.HTTPStatus.OK)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", port), Answers) as listening:
        threading.Thread(target=listening.serve_forever, daemon=True).start()
        try:
            yield
        finally:
            listening.shutdown()


def _until_ready(layout: Layout) -> None:
    deadline = time.monotonic() + READY
    while time.monotonic() < deadline:
        if layout.status.exists():
            nodes = json.loads(layout.status.read_text())["nodes"]
            if nodes and all(node["ready"] for node in nodes):
                return
        time.sleep(0.5)
    raise HostError("the nodes of the measurement did not get ready", hint="./invoke bench agent --debug")


def _seconds(pid: int) -> float:
    """Processor time of a process, and of those that it has waited for."""
    words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, words[11:15])) / os.sysconf("SC_CLK_TCK")


def _pss(pid: int) -> float:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


def _one_look() -> float:
    """Seconds of processor time that asking systemd takes; 0 where there is no systemctl."""
    if shutil.which("systemctl") is None:
        return 0.0
    taken = []
    for _ in range(9):
        before = _spent()
        run(["systemctl", "show", "--property", PROPERTIES, "goldnode-node@bench.service"], check=False)
        taken.append(_spent() - before)
    return median(taken)


def _spent() -> float:
    own, others = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + others.ru_utime + others.ru_stime
