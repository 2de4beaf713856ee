"""Puts another node.yaml in force on a running machine, whole or not at all: by ``goldnode apply``, or by an order.

Every node in it is checked first.  The one in force is replaced last, so whatever fails on the way, even a power
cut, leaves the machine with the node.yaml that it had.
"""

from __future__ import annotations

import os
from collections.abc import Callable

from goldnode.config import node_config
from goldnode.errors import GoldnodeError, HostError, InputError, SafetyError
from goldnode.node import configure as story
from goldnode.node import node_yaml
from goldnode.node.configure import ConfiguredMachine
from goldnode.node.layout import Layout
from goldnode.node.plan import blocks, fit
from goldnode.node.plan.inputs import ImageFacts
from goldnode.node.system.apply import Changes
from goldnode.node.system.system import System


def prove(layout: Layout, text: str, image: ImageFacts, system: System) -> ConfiguredMachine:
    """Settle every node of a node.yaml without changing anything that runs.

    Raises:
        GoldnodeError: It does not fit this image, or one of its nodes may not run.
    """
    config = node_config.parse(text)
    fit.check(config, image, layout)
    given, refused = blocks.known(layout), {path.stem for path in (layout.runtime / "nodes").glob("*.failure")}
    found = story.prepare(layout, config, image, os.urandom, system.addresses())
    for name, error in found.failures.items():
        if name not in refused or name not in given:
            kind = SafetyError if isinstance(error, SafetyError) else InputError
            raise kind(f"{name}: {error.message}; nothing was changed", hint=error.hint) from error
    return found


def replace(
    layout: Layout,
    text: str,
    found: ConfiguredMachine,
    system: System,
    before: Callable[[], None] = lambda: None,
) -> Changes:
    """Put a checked node.yaml in force.

    Args:
        layout: The machine's paths.
        text: The node.yaml.
        found: The result of ``prove``.
        system: The running machine.
        before: What else must happen once everything is checked and before anything changes.

    Raises:
        HostError: It could not be applied; the previous one is in force.
    """
    try:
        before()
        changes = story.put(layout, found, system)
    except (GoldnodeError, OSError) as error:
        if layout.applied.exists():
            story.configure(layout, node_yaml.in_force(layout, found.image), found.image, system)
        raise HostError(f"node.yaml was not applied: {error}; the previous one is in force", hint="goldnode status"
                        ) from error  # fmt: skip
    node_yaml.replace(layout, text)
    return changes
