"""``goldnode agent``: run by goldnode-agent.service."""

from __future__ import annotations

from argparse import Namespace

from goldnode.node import configure as story
from goldnode.node import node_yaml
from goldnode.node.agent.agent import Agent
from goldnode.node.jvm.jvm_host import SOCKET, JvmHost
from goldnode.node.layout import Layout
from goldnode.node.plan.inputs import read_image
from goldnode.node.stopping import stop_signal
from goldnode.node.system.system import for_root


def agent(layout: Layout, _: Namespace) -> None:
    """Keep this machine's nodes in the state that their roles ask for, until told to stop."""
    system, image = for_root(layout.root), read_image(layout)
    # Changes nothing right after goldnode-configure; but on an image that fetches its daemon, the daemon's
    # default configuration, and with it the node's, has only just arrived.
    found, _changes = story.configure(layout, node_yaml.in_force(layout, image), image, system)
    Agent(layout, found, system, host=JvmHost(layout.at(str(SOCKET)))).run(stop_signal())
