"""Where things are on the operator's machine: the checkout, the cache, the results.

One place, so that a test can point all of them elsewhere: ``GOLDNODE_CACHE`` moves the cache,
``GOLDNODE_OUT`` the results, ``GOLDNODE_CLUSTERS`` the clusters' keys.
"""

from __future__ import annotations

import os
from pathlib import Path

#: The checkout this code runs from.
REPOSITORY = Path(__file__).resolve().parent.parent


def cache() -> Path:
    """Everything that can be remade or fetched again: artifacts, bases, built tools."""
    default = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "goldnode"
    return Path(os.environ.get("GOLDNODE_CACHE") or default)


def out() -> Path:
    """Finished images with their manifests."""
    return Path(os.environ.get("GOLDNODE_OUT") or REPOSITORY / "out")


def clusters() -> Path:
    """The operator's clusters, each with its root key: precious, never in git."""
    return Path(os.environ.get("GOLDNODE_CLUSTERS") or REPOSITORY / "clusters")
