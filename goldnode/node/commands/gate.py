"""``goldnode run NAME``: what a node's unit starts."""

from __future__ import annotations

from argparse import Namespace

from goldnode.node import launch
from goldnode.node.layout import Layout


def run(layout: Layout, arguments: Namespace) -> None:
    """Become a node's daemon, after the last checks."""
    launch.become(layout.node(arguments.name))
