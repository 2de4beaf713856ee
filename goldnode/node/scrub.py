"""Removes the secrets that user-data left behind, once they are used.

An invite is a bearer secret, and user-data stays on the disk in half a dozen places.  In node.yaml
the invite is replaced by a word; cloud-init's copies of user-data are removed when cloud-init is
done with them.  Each boot checks again, because cloud-init fetches user-data again.
"""

from __future__ import annotations

import re
from pathlib import Path

from goldnode.files import write_atomic
from goldnode.node.cluster import JOINED
from goldnode.node.layout import Layout

_INVITE = re.compile(r"gn1_(?!joined\b)[a-z2-7]+")
#: Exists once cloud-init has finished on this boot; until then, it still reads its own files.
FINISHED = "/run/cloud-init/result.json"
#: cloud-init's copies of user-data, below /var/lib/cloud/instances/ID and /run/cloud-init.
_KEPT = (
    "user-data.txt", "user-data.txt.i", "user-data-raw.txt", "cloud-config.txt", "combined-cloud-config.json",
    "vendor-data.txt", "vendor-data.txt.i", "vendor-data-raw.txt", "vendor-cloud-config.txt", "obj.pkl",
    "instance-data-sensitive.json", "instance-data.json",
)  # fmt: skip


def without_invites(text: str) -> str:
    """A node.yaml with every invite replaced; the rest, including comments, stays as written."""
    return _INVITE.sub(JOINED, text)


def scrub_node_yaml(layout: Layout) -> bool:
    """Remove the invites from node.yaml; returns whether there were any."""
    text = layout.node_yaml.read_text()
    clean = without_invites(text)
    if clean != text:
        write_atomic(layout.node_yaml, clean, 0o600)
    return clean != text


def scrub_cloud_init(layout: Layout) -> list[Path]:
    """Remove cloud-init's copies of user-data, once it is done; returns what was removed."""
    if not layout.at(FINISHED).exists():
        return []
    folders = [*layout.at("/var/lib/cloud/instances").glob("*"), layout.at("/run/cloud-init")]
    removed = []
    for path in [folder / name for folder in folders for name in _KEPT]:
        if path.is_file():
            path.unlink()
            removed.append(path)
    return removed
