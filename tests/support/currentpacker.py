"""Current Packer beside Debian's 1.6.6, to prove that the templates serve both.

Its licence forbids nothing that is done here, but it is not free software, so it is never shipped:
it is built from its Go module, pinned by its sum, and kept in the cache.  Its plugins are the
bake's own business (``goldnode/bake/plugins.py``).
"""

from __future__ import annotations

from pathlib import Path

from goldnode import files, paths
from goldnode.bake.plugins import Plugin, build
from goldnode.progress import Progress

VERSION = "1.16.0"
SUM = "h1:+e9/aNeyZuEGm9fGre3wfg2BNnj1AQj5HzboO4iEYuY="
#: Packer is built as its plugins are.
PACKER = Plugin((), "", "github.com/hashicorp/packer", VERSION, SUM, "go1.26.8")


def folder(progress: Progress) -> Path:
    """A folder for the front of PATH, whose ``packer`` is current and has no plugin.

    Raises:
        ArtifactError: The module cannot be obtained, or is not what its sum says.
        BakeError: It does not compile.
    """
    binary = build(PACKER, progress)
    home = paths.cache() / "packer" / VERSION
    script = f'#!/bin/sh\nexec "{binary}" "$@"\n'
    files.write_atomic(home / "packer", script, 0o755)
    return home
