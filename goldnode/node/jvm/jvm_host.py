"""Talks to the JVM host: one line out, one line of JSON back, over its unix socket."""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from goldnode.errors import HostError, UsageError

#: The socket of goldnode-jvm.service.
SOCKET = Path("/run/goldnode/jvm/control.sock")
#: The metrics port of goldnode-jvm.service, on loopback.
METRICS = 9601
#: Seconds for an answer; a stop has three phases of at most 20.
TIMEOUT = 90.0


@dataclass(frozen=True, slots=True)
class HostedStatus:
    """The state of one node of the JVM.

    Attributes:
        name: The node's name.
        state: stopped, starting, running, stopping, waiting (for its next start) or stuck.
        ready: Whether it runs and accepts connections.
        restarts: The number of restarts since the JVM started.
        threads: The number of its threads.
        reason: Why it is not running, or what went wrong last; empty if nothing did.
        log: Its log file.
        height: Height of its newest block; -1 when it tells none.
        head: Hash of that block; empty when it tells none.
        peers: Peers that it is connected to; -1 when it does not tell.
        cpu_millis: CPU time that this life of it has used.
        allocated: Bytes that this life of it has allocated.
        inside: Whether each node is ready that the program hosts by itself; empty when it hosts none.
    """

    name: str
    state: str
    ready: bool
    restarts: int
    threads: int
    reason: str
    log: Path
    height: int = -1
    head: str = ""
    peers: int = -1
    cpu_millis: int = 0
    allocated: int = 0
    inside: Mapping[str, bool] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class JvmHost:
    """The host behind a socket.

    Attributes:
        path: The socket.
    """

    path: Path = SOCKET

    def status(self) -> list[HostedStatus]:
        """All nodes, by name."""
        return [
            HostedStatus(node["name"], node["state"], node["ready"], node["restarts"], node["threads"],
                         node["reason"], Path(node["log"]), node["height"], node["head"], node["peers"],
                         node["cpu_millis"], node["allocated_bytes"], node["inside"])
            for node in self.ask("status")["nodes"]
        ]  # fmt: skip

    def figures(self, *, settled: bool = False) -> dict[str, int]:
        """Bytes and counts of the JVM as a whole; settled: after a garbage collection."""
        figures: dict[str, int] = self.ask("measure" if settled else "status")["jvm"]
        return figures

    def act(self, verb: str, name: str) -> str:
        """Start, stop, restart, add or remove one node; returns the host's message.

        Raises:
            UsageError: The host refuses: no such node, a node that is stuck.
            HostError: The host does not answer.
        """
        return str(self.ask(f"{verb} {name}")["message"])

    def ask(self, line: str) -> dict[str, Any]:
        """Send one command.

        Raises:
            UsageError: The host refuses it.
            HostError: The host does not answer.
        """
        try:
            with socket.socket(socket.AF_UNIX) as client:
                client.settimeout(TIMEOUT)
                client.connect(str(self.path))
                client.sendall(f"{line}\n".encode())
                answer: dict[str, Any] = json.loads(client.makefile("rb").readline() or b"null")
        except (OSError, ValueError) as error:
            raise HostError(
                f"the JVM host behind {self.path} does not answer: {error}", hint="systemctl status goldnode-jvm"
            ) from error
        if not isinstance(answer, dict):
            raise HostError(f"the JVM host behind {self.path} hung up", hint="journalctl -u goldnode-jvm")
        if not answer["ok"]:
            raise UsageError(str(answer["message"]), hint="goldnode status")
        return answer
