"""Getting to the tip, and back from upgrades: ``catch-up`` and ``rollback``."""

from __future__ import annotations

from argparse import Namespace

from goldnode.errors import HostError, SafetyError
from goldnode.node import catch_up as tip
from goldnode.node import preflight
from goldnode.node.catch_up import CatchUpState, Phase
from goldnode.node.commands.nodes import one
from goldnode.node.layout import Layout
from goldnode.node.system.system import for_root
from goldnode.node.versions import upgrades


def catch_up(layout: Layout, arguments: Namespace) -> None:
    """Let a node that gave up try again, or replay the chain; a node with state is left alone.

    Raises:
        HostError: It is catching up already, or has state.
    """
    node = one(layout, arguments.name)
    record = tip.read(node)
    if record.phase in (Phase.STATE_SYNC, Phase.SNAPSHOT, Phase.INSTALLING):
        raise HostError(f"{node.name} is on its way to the tip", hint="goldnode status")
    if record.phase is Phase.DONE or tip.has_databases(node):
        raise HostError(f"{node.name} has state already: it continues by itself", hint="goldnode status")
    tip.write(node, CatchUpState(Phase.REPLAY if arguments.replay else Phase.NONE))
    print(f"{node.name} {'replays the chain' if arguments.replay else 'tries again'}: goldnode status")


def rollback(layout: Layout, arguments: Namespace) -> None:
    """Go back to the state and version from before the last upgrade; from then on the node skips that upgrade.

    Raises:
        SafetyError: The newer version signed something, or the node runs.
        HostError: There is nothing to go back to.
    """
    node = one(layout, arguments.name)
    if not node.hold.exists() or for_root(layout.root).units(node.unit)[node.unit].active:
        raise SafetyError(f"{node.name} may run", hint=f"goldnode stop --hold {node.name}")
    ladder = preflight.read(node).ladder
    if ladder is None:
        raise HostError(f"the chain of {node.name} knows no upgrades")
    version = upgrades.roll_back(node, ladder)
    system = for_root(layout.root)
    for path in (node.home / "data").rglob("*"):
        system.own(path, node.user, node.user)
    print(f"{node.name} is as it was before the upgrade, and runs {version}: goldnode start {node.name}")
