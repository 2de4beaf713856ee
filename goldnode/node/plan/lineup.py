"""Adds a node to a node.yaml, or removes one: the text that ``goldnode add`` and ``remove`` put in force; pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

from goldnode.config.node_config import MULTI_NODE

#: Keys that belong to each node when there are several.
OWN = ("name", "role", "join", "consensus_key", "signer_keys", "signer_from")


def added(text: str, entry: Mapping[str, Any]) -> str:
    """The text with one more node; a plain role becomes the first entry of ``nodes:``.

    Args:
        text: A valid node.yaml.
        entry: The node, as an entry of ``nodes:``.
    """
    document: dict[str, Any] = yaml.safe_load(text)
    if document["role"] != MULTI_NODE:
        first = {key: document.pop(key) for key in OWN if key in document}
        document = {"version": document.pop("version"), "role": MULTI_NODE, **document, "nodes": [first]}
    document["nodes"].append(dict(entry))
    return yaml.safe_dump(document, sort_keys=False)


def without(text: str, name: str) -> str:
    """The text of a node.yaml with several nodes, without one of them."""
    document: dict[str, Any] = yaml.safe_load(text)
    document["nodes"] = [entry for entry in document["nodes"] if entry["name"] != name]
    return yaml.safe_dump(document, sort_keys=False)
