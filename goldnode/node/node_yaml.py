"""Which node.yaml counts on this machine: the one that was applied first, until somebody applies another.

User-data that changes later (a cloud console lets anybody edit it) must not turn a validator into
something else at its next reboot.
"""

from __future__ import annotations

from goldnode.config import node_config
from goldnode.config.node_config import NodeConfig
from goldnode.files import write_atomic
from goldnode.node import scrub
from goldnode.node.layout import Layout
from goldnode.node.plan import fit
from goldnode.node.plan.inputs import Image
from goldnode.node.system import machine


def in_force(layout: Layout, image: Image) -> NodeConfig:
    """The node.yaml that counts: the one applied first; user-data that changed since is ignored with a warning.

    Raises:
        InputError: It is wrong.
    """
    config = node_config.parse(text_in_force(layout), "/etc/goldnode/node.yaml")
    fit.check(config, image, layout)
    return config


def text_in_force(layout: Layout) -> str:
    """The text of the node.yaml that counts."""
    text = layout.node_yaml.read_text()
    stamp = _stamp(machine.read(layout).binding)
    applied = layout.applied.read_text() if layout.applied.exists() else ""
    if not applied.startswith(stamp):
        return text
    if applied != stamp + scrub.without_invites(text):
        print("goldnode: node.yaml has changed since this machine was configured; the change is ignored")
        print("goldnode: try: goldnode apply /etc/goldnode/node.yaml")
    return applied


def is_remembered(layout: Layout) -> bool:
    """Whether a node.yaml is in force here already."""
    return layout.applied.exists() and layout.applied.read_text().startswith(_stamp(machine.read(layout).binding))


def remember(layout: Layout) -> None:
    """From now on the present node.yaml is in force on this machine, whatever user-data says."""
    stamp = _stamp(machine.read(layout).binding)
    write_atomic(layout.applied, stamp + scrub.without_invites(layout.node_yaml.read_text()), 0o600)
    machine.remember(layout)


def _stamp(binding: str) -> str:
    """The first line of the copy that counts; a disk that was copied to another machine does not bind that one."""
    return f"# in force on machine {binding}\n"
