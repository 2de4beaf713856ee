"""``goldnode run NAME``: run by a node's unit."""

from __future__ import annotations

from argparse import Namespace

from goldnode.node import preflight
from goldnode.node.layout import Layout


def run(layout: Layout, arguments: Namespace) -> None:
    """Become a node's daemon, after the last checks."""
    preflight.become(layout.node(arguments.name))
