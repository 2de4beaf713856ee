"""Commands for a machine's nodes: ``status``, ``logs``, ``peers``, ``start``, ``stop``, ``restart``."""

from __future__ import annotations

import json
import os
import time
from argparse import Namespace
from datetime import UTC, datetime
from typing import Any

from goldnode.errors import HostError
from goldnode.node import switch
from goldnode.node.agent import console
from goldnode.node.agent.rpc import LoopbackRpc
from goldnode.node.commands import boot, hosted
from goldnode.node.commands.naming import choose
from goldnode.node.layout import Layout, NodeLayout
from goldnode.node.plan import blocks
from goldnode.node.plan.ports import Ports
from goldnode.node.system.system import for_root

#: Seconds after which a status file is out of date.
STALE = 30.0


def status(layout: Layout, arguments: Namespace) -> int:
    """Show every node's state; exit code 1 if one of them is not as it should be."""
    document = _status(layout)
    if arguments.json:
        print(json.dumps(document, indent=2))
    else:
        print(console.table(document["nodes"]))
        for line in (*console.announced(document["nodes"]), *console.leases(document["nodes"])):
            print(line)
        for alarm in document["alarms"]:
            print(f"alarm: {alarm}")
        for warning in document.get("warnings", ()):
            print(f"warning: {warning}")
        today = datetime.fromtimestamp(document["time"], UTC).date()
        for line in console.debian(document.get("debian", {}), today):
            print(line)
    return 0 if all(node["healthy"] for node in document["nodes"]) and not document["alarms"] else 1


def logs(layout: Layout, arguments: Namespace) -> None:
    """Show a node's log; becomes journalctl."""
    hosted.shows_log(layout, arguments)
    node = one(layout, arguments.name)
    follow = ["-f"] if arguments.follow else ["-n", "100"]
    os.execvp(  # noqa: S606 - becomes the program
        "journalctl", ["journalctl", "-u", node.unit, "-o", "cat", *follow]
    )


def peers(layout: Layout, arguments: Namespace) -> None:
    """Show a node's peers, and the members of its cluster that it is not connected to."""
    node = one(layout, arguments.name)
    reported = {each["name"]: each for each in _status(layout)["nodes"]}
    entry = reported[choose(sorted(reported), node.name)]
    present = LoopbackRpc(_port(layout, node)).peers()
    for peer in sorted(present):
        print(f"connected  {peer}")
    for peer in entry["missing"]:
        print(f"missing    {peer}")


def start(layout: Layout, arguments: Namespace) -> None:
    """Lift a hold, and let the agent start the node as soon as its role allows."""
    if hosted.acts(layout, "start", arguments):
        return
    node = one(layout, arguments.name)
    switch.release(node)
    if os.path.lexists(node.failure):
        # It was refused, so the agent does not know it: whoever says start has repaired it.
        boot.configure_again(layout)
        return
    print(f"{node.name} starts as soon as its role allows: goldnode status")


def stop(layout: Layout, arguments: Namespace) -> None:
    """Stop a node until `goldnode start`; with --hold, across reboots too."""
    if hosted.acts(layout, "stop", arguments):
        return
    node = one(layout, arguments.name)
    switch.hold(node, for_root(layout.root), "stopped by a person", over_reboots=arguments.hold)
    until = "" if arguments.hold else "the next boot or "
    print(f"{node.name} is stopped until {until}`goldnode start {node.name}`")


def restart(layout: Layout, arguments: Namespace) -> None:
    """Restart one node; its siblings do not notice."""
    if hosted.acts(layout, "restart", arguments):
        return
    node = one(layout, arguments.name)
    if node.hold.exists() or node.paused.exists():
        raise HostError(f"{node.name} is stopped", hint=f"goldnode start {node.name}")
    for_root(layout.root).restart(node.unit)


def one(layout: Layout, name: str | None) -> NodeLayout:
    """The node that a command means: the named one, or the only one if none is named.

    Raises:
        UsageError: There is no such node; or none is named, and there is not exactly one.
    """
    # A refused node has no launch file, and needs commands most.
    known = sorted({path.stem for kind in ("json", "failure") for path in (layout.runtime / "nodes").glob(f"*.{kind}")})
    return layout.node(choose(known, name))


def _status(layout: Layout) -> dict[str, Any]:
    try:
        document: dict[str, Any] = json.loads(layout.status.read_text())
    except FileNotFoundError as error:
        raise HostError("this machine keeps no nodes", hint="journalctl -u goldnode-configure") from error
    if time.time() - document["time"] > STALE:
        raise HostError("the agent has not reported for a while", hint="systemctl status goldnode-agent")
    return document


def _port(layout: Layout, node: NodeLayout) -> int:
    return Ports.of(blocks.known(layout)[node.name]).rpc
