"""A volume that brings consensus keys to a machine: each with its signing state and a record that says *never used*.

User-data must not carry a key, and a key must be in the genesis before its machine exists.  So the
fleet does what an operator does with a cloud volume: it writes key, state and record by the node's
own code, below the label that node.yaml names, and attaches it at the first boot.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from goldnode.node.keys import archive
from goldnode.node.keys.cometbft_keys import Key
from goldnode.node.layout import Layout
from goldnode.node.system.volume import LABEL
from goldnode.run import run

#: Sparse: the chain lives there too.
SIZE = "2G"


def make(target: Path, keys: Mapping[str, Key]) -> Path:
    """Write a volume.

    Args:
        target: The qcow2 file.
        keys: Key of each node, by name; none of them ever signed.
    """
    with tempfile.TemporaryDirectory(prefix="goldnode-volume-", dir=target.parent) as name:
        layout = Layout(Path(name))
        for node, key in keys.items():
            archive.bring_unused(layout.node(node), key)
        raw = Path(name) / "volume.raw"
        # Whoever we are here, the files are root's there.
        as_root = () if os.geteuid() == 0 else ("unshare", "--map-root-user")
        run([*as_root, "mke2fs", "-q", "-t", "ext4", "-L", LABEL, "-m", "0", "-d", layout.nodes, raw, SIZE])
        run(["qemu-img", "convert", "-O", "qcow2", raw, target])
    return target
