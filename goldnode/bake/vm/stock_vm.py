"""The machine of a stock bake: a plain Debian disk, which cloud-init opens to Packer as in a cloud."""

from __future__ import annotations

import json
from pathlib import Path

from goldnode import files
from goldnode.bake import vmbake
from goldnode.bake.base import Base
from goldnode.bake.platform import Platform
from goldnode.bake.vm import access
from goldnode.config.network import Network
from goldnode.progress import Progress
from goldnode.vm.accel import Acceleration


def run_packer(
    base: Base, payload: Path, build_dir: Path, acceleration: Acceleration, progress: Progress, *, network: Network
) -> vmbake.Sealed:
    """Boot a plain Debian disk, let cloud-init grant access to the bake, install, seal, power off, compress.

    What every cloud source does, under QEMU: it tests that path without an account, and it is what the
    golden bake is compared with.  The guest reaches the Debian mirror through the host.

    Raises:
        BakeError: It failed; the logs are kept under ``out/failed/``.
    """
    entry = access.grant(build_dir)
    variables = {
        **vmbake.common(base, payload, build_dir, acceleration),
        "ssh_private_key_file": str(entry.private_key),
        "seed": [str(file) for file in seed(build_dir / "seed", entry.public_key)],
    }
    vmbake.build(Platform.STOCK.source, variables, build_dir, progress, network=network)
    return vmbake.Sealed(build_dir / "packer" / "disk.qcow2", entry.public_key, compressed=True)


def seed(folder: Path, public_key: str) -> tuple[Path, ...]:
    """Write the NoCloud seed, which authorizes the bake's key and does nothing else."""
    document = {"disable_root": False, "users": [{"name": "root", "ssh_authorized_keys": [public_key]}]}
    user_data, meta_data = folder / "user-data", folder / "meta-data"
    files.write_atomic(user_data, f"#cloud-config\n{json.dumps(document)}\n")
    files.write_atomic(meta_data, "instance-id: goldnode-stock-bake\n")
    return user_data, meta_data
