"""A sentry that keeps signing leases, without etcd: what is on its disk."""

from __future__ import annotations

import yaml

from goldnode.files import write_json
from goldnode.node import node_yaml
from goldnode.node.keys.stores import lease_server
from goldnode.node.plan.inputs import NodeFacts
from tests.support.node_lab import Tree


def keep_leases(tree: Tree, sentry: NodeFacts) -> None:
    """Have a sentry among a machine's nodes be one of three that have kept leases for some time already."""
    tree.write("/usr/bin/etcd", "")
    named, node = [sentry.node_id, "b" * 40, "c" * 40], sentry.layout
    document = yaml.safe_load(tree.layout.node_yaml.read_text())
    for each in document["nodes"]:
        if each["name"] == node.name:
            each["serve_lease"] = named
    node_yaml.replace(tree.layout, yaml.safe_dump(document))
    (node.store / lease_server.DATA).mkdir(parents=True)
    write_json(node.store_record, {"members": sorted(named), "formed": True})
