"""Bake and release in miniature: the disk of tests/image/miniature.py, with a daemon and a manifest."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from unittest.mock import patch

from goldnode.bake.manifest import beside
from goldnode.files import sha256_file
from goldnode.image.check import open_image
from goldnode.image.digest import tree_digest
from goldnode.image.packages import installed
from goldnode.publish.release import ReleaseOptions
from goldnode.run import run
from tests.image import miniature
from tests.unit.publish.test_gobinary import TEXT, program

DAEMON = "usr/lib/goldnode/bin/daemon"


def bake_miniature(folder: Path, changes: dict[str, str | bytes]) -> Path:
    """Make a qcow2 and its manifest.

    Args:
        folder: Empty; receives both.
        changes: Files that differ from the usual ones.
    """
    role = "name: {}\nports:\n  - {{port: p2p, protocol: tcp, to: world}}\n"
    roles = {path: role.format(path.split("/")[-2]) for path in miniature.FILES if path.endswith("/role.yaml")}
    files = {**miniature.FILES, **roles, DAEMON: program(TEXT), **changes}
    with patch.object(miniature, "FILES", files):
        work = folder / "work"
        work.mkdir()
        raw = miniature.make(work)
    image = folder / "localnet-1-amd64.qcow2"
    run(["qemu-img", "convert", "-O", "qcow2", "-c", "-o", "compression_type=zstd", raw, image])
    with open_image(raw) as opened:
        tree = tree_digest(opened.root, opened.esp)
        packages = [
            {"name": each.name, "version": each.version, "arch": each.architecture}
            for each in installed(opened.root).values()
        ]
    document: dict[str, Any] = {
        "version": 1, "key": "0" * 64, "network": "localnet", "chain_id": "localnet-1", "arch": "amd64",
        "source": {"commit": "c" * 40, "dirty": False},
        "base": {"key": "b", "suite": "trixie", "disk_sha256": "d" * 64},
        "packages": packages,
        "daemon": {"origin": "source", "name": "daemon", "version": "1", "module": "example.org/daemon@v1.0.0",
                   "sum": "h1:m", "toolchain": "go1.25.5", "started": True},
        "genesis": None, "deferred": [], "tools": {"packer": "1.6.6"},
        "accelerator": {"name": "tcg", "reason": "no KVM"}, "seconds": {"boot": 1.0},
        "image": {"file": image.name, "format": "qcow2", "size": image.stat().st_size, "sha256": sha256_file(image),
                  "raw_size": raw.stat().st_size, "raw_sha256": sha256_file(raw), "tree_sha256": tree},
    }  # fmt: skip
    beside(image).write_text(json.dumps(document))
    return image


def order(image: Path, key: Path, out: Path) -> ReleaseOptions:
    """An order to release an image as 1.0.0."""
    return ReleaseOptions(image, beside(image), "1.0.0", key, "urn:host:test", [], out)
