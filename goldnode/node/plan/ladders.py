"""The ladder in force: the one that the image was baked with, and the steps announced since.

``goldnode fetch --network FILE`` stores later steps in ``/var/lib/goldnode/upgrades.json``; if both
name a step, the later one counts.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from goldnode.config.network import Network, Upgrade
from goldnode.errors import InputError
from goldnode.node.layout import Layout


def announced_file(layout: Layout) -> Path:
    """The file of the steps announced after the bake."""
    return layout.state / "upgrades.json"


def joined(baked: Sequence[Upgrade], layout: Layout) -> tuple[Upgrade, ...]:
    """The ladder in force, lowest height first."""
    try:
        document = json.loads(announced_file(layout).read_text())
    except FileNotFoundError:
        return tuple(baked)
    except ValueError as error:
        raise InputError(
            f"{announced_file(layout)} cannot be read: {error}", hint="goldnode fetch --network FILE"
        ) from error
    later = Network.from_document(document).upgrades
    named = {step.name: step for step in baked} | {step.name: step for step in later}
    return tuple(sorted(named.values(), key=lambda step: step.height))


def accept(document: Mapping[str, Any], image: Network) -> dict[str, Any]:
    """Accept a network file's ladder for this image.

    Returns:
        The document to store: this image's own, with that ladder.

    Raises:
        InputError: It is for another chain or daemon.
    """
    other = Network.from_document({**document, "name": image.name})
    for what, theirs, ours in (
        ("chain_id", other.chain_id, image.chain_id),
        ("daemon.name", other.daemon.name, image.daemon.name),
    ):
        if theirs != ours:
            raise InputError(
                f"the network file has {what} {theirs}, and this machine runs {ours}", hint="goldnode status"
            )
    return {**image.document, "upgrades": list(document.get("upgrades", ()))}
