"""``rebind``: a person confirms that this is the configured machine, under another instance ID."""

from __future__ import annotations

import sys
from argparse import Namespace

from goldnode.errors import UsageError
from goldnode.node.commands import boot
from goldnode.node.layout import Layout
from goldnode.node.system import machine

QUESTION = "Is this the only machine with this disk, and no copy of one that may run? Type yes: "


def rebind(layout: Layout, arguments: Namespace) -> int:
    """Accept this boot's instance ID as the same machine's, and configure it.

    Raises:
        SafetyError: It is another machine: more than the instance ID differs.
        UsageError: Nobody confirmed it.
    """
    said = machine.changes(layout)
    if not said:
        print("goldnode: this is the machine that was configured; there is nothing to rebind")
        return 0
    print(f"goldnode: {said}")
    if not arguments.yes and (not sys.stdin.isatty() or input(QUESTION).strip() != "yes"):
        raise UsageError("nothing was changed: nobody confirmed that this is the only machine with this disk",
                         hint="goldnode rebind --yes, when the other one is off for good or never was")  # fmt: skip
    print(f"goldnode: {machine.accept(layout)} is this machine's instance ID from now on")
    return boot.configure_now(layout)
