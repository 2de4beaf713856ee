"""A disk, compressed: what a bake ships, and the base that it starts from."""

from __future__ import annotations

from pathlib import Path

from goldnode.run import run

#: Reading 4 KiB of a compressed disk unpacks a whole cluster: this size costs a boot less than a second of processor
#: time more than 64 KiB would, and makes the image 4 % smaller (ADR 340).
CLUSTER = "256k"


def compress(plain: Path, target: Path) -> None:
    """Write a disk as compressed qcow2: zstd, in parallel and out of order, so its bytes differ from run to run.

    It takes 1.5 s where zlib takes 14.
    """
    options = f"compression_type=zstd,cluster_size={CLUSTER}"
    run(["qemu-img", "convert", "-O", "qcow2", "-c", "-o", options, "-m", "16", "-W", plain, target])
