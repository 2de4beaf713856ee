"""``goldnode agent``: run by goldnode-agent.service."""

from __future__ import annotations

from argparse import Namespace

from goldnode.node import configure as story
from goldnode.node import node_yaml
from goldnode.node.agent.agent import Agent
from goldnode.node.jvm.jvm_host import SOCKET, JvmHost
from goldnode.node.layout import Layout
from goldnode.node.phases import wait_for
from goldnode.node.plan.inputs import read_image
from goldnode.node.stopping import stop_signal
from goldnode.node.system.system import for_root


def agent(layout: Layout, arguments: Namespace) -> None:
    """Keep this machine's nodes in the state that their roles ask for, until told to stop."""
    wait_for(arguments.after)
    system, image = for_root(layout.root), read_image(layout)
    found = story.take_over(layout, node_yaml.in_force(layout, image), image, system)
    Agent(layout, found, system, host=JvmHost(layout.at(str(SOCKET)))).run(stop_signal())
