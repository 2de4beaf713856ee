"""What the bake deferred to the first boot: read here, fetched by ``goldnode.node.versions.fetching``."""

from __future__ import annotations

import json

from goldnode.fetch.artifact import Deferred
from goldnode.node.layout import Layout


def wanted(layout: Layout) -> list[Deferred]:
    """Everything that this image defers; empty if the bake had it all."""
    path = layout.library / "deferred.json"
    return [Deferred.from_document(entry) for entry in json.loads(path.read_text())] if path.exists() else []


def missing(layout: Layout) -> list[Deferred]:
    """What is still to be fetched."""
    return [each for each in wanted(layout) if not layout.at(each.path).exists()]
