"""Adds a node to a running machine, or removes one: ``add`` and ``remove``."""

from __future__ import annotations

from argparse import Namespace

import yaml

from goldnode.config import node_config
from goldnode.errors import InputError, UsageError
from goldnode.node import node_yaml
from goldnode.node.commands import boot
from goldnode.node.commands.naming import choose
from goldnode.node.keys import keys
from goldnode.node.layout import Layout
from goldnode.node.plan import lineup
from goldnode.node.plan.inputs import read_image


def add(layout: Layout, arguments: Namespace) -> int:
    """Add a node to this machine; its siblings do not notice.

    Raises:
        InputError: FILE is not an entry of ``nodes:``.
    """
    text = boot.text_of(arguments.file)
    try:
        entry = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise InputError(f"{arguments.file} is not valid YAML: {error}") from error
    if not isinstance(entry, dict) or "name" not in entry:
        raise InputError(
            f"{arguments.file} is not a node: it must have the keys of an entry of nodes:",
            hint=f"write name, role and join into {arguments.file}",
        )
    wanted = lineup.added(node_yaml.text_in_force(layout), entry)
    return boot.put(layout, wanted, node_config.parse(wanted, f"node.yaml with {arguments.file}"))


def remove(layout: Layout, arguments: Namespace) -> int:
    """Remove a node from this machine; its keys and data stay where they are.

    Raises:
        UsageError: It is the only node.
    """
    text = node_yaml.text_in_force(layout)
    known = [entry.name for entry in node_config.parse(text).nodes]
    name = choose(known, arguments.name)
    if len(known) == 1:
        raise UsageError(f"{name} is the only node of this machine", hint=f"goldnode stop --hold {name}")
    image, node = read_image(layout), layout.node(name)
    hosted = image.network.daemon.jvm is not None
    rest = lineup.without(text, name)
    result = boot.put(layout, rest, node_config.parse(rest), leaving=(name,))
    kept = layout.state / "jvm" / name if hosted else node.base
    secret = ", its consensus key among them" if not hosted and keys.read_record(node) else ""
    print(f"{name} is removed.  Its files stay in {kept}{secret}; goldnode add FILE with that name takes them up again")
    return result
