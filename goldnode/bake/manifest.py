"""The manifest of every image: what is in it, where it came from, with which hash, and how it was made.

One JSON document per image, described by ``packer/manifest.schema.json``; ``verify`` and ``diff``
read it, and so does the next bake, to see that nothing has changed.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from goldnode import paths
from goldnode.bake.programs.payload import Payload
from goldnode.config.network import WIREGUARD, Network
from goldnode.errors import ImageError
from goldnode.run import CommandError, run
from goldnode.vm.accel import Acceleration

VERSION = 1
SCHEMA = paths.REPOSITORY / "packer" / "manifest.schema.json"


@dataclass(frozen=True, slots=True)
class Names:
    """The paths of an image and its manifest.

    Attributes:
        image: The qcow2; its name tells of a further mesh, and of deferred files.
        manifest: The JSON document beside it.
    """

    image: Path
    manifest: Path


def names(network: Network, arch: str, *, deferred: bool, stock: bool = False) -> Names:
    """The final names of a bake's results; a stock bake's are kept apart, for comparison."""
    further = "".join(f".{mesh}" for mesh in network.meshes if mesh != WIREGUARD)
    stem = f"{network.name}-{network.daemon.version}-{arch}{further}" + (".deferred" if deferred else "")
    folder = paths.out() / "stock" if stock else paths.out()
    return Names(folder / f"{stem}.qcow2", folder / f"{stem}.manifest.json")


def beside(image: Path) -> Path:
    """The path of an image's manifest, finished or not."""
    return image.with_name(image.name.removesuffix(".qcow2") + ".manifest.json")


def read(path: Path) -> dict[str, Any]:
    """Read a manifest.

    Raises:
        ImageError: It is missing, or is not a manifest.
    """
    try:
        document: dict[str, Any] = json.loads(path.read_text())
    except FileNotFoundError as error:
        raise ImageError(f"{path} is missing", hint="./invoke bake") from error
    except json.JSONDecodeError as error:
        raise ImageError(f"{path}:{error.lineno}: not JSON: {error.msg}", hint="./invoke bake --force") from error
    if document.get("version") != VERSION:
        raise ImageError(f"{path}: manifest version {document.get('version')!r}, known is {VERSION}")
    return document


def compose(
    network: Network,
    arch: str,
    payload: Payload,
    *,
    key: str,
    base: dict[str, Any],
    packages: list[list[str]],
    accelerator: Acceleration,
    seconds: dict[str, float],
    image: dict[str, Any],
) -> dict[str, Any]:
    """Compose the manifest; the schema explains each field."""
    genesis = network.genesis
    return {
        "version": VERSION,
        "key": key,
        "network": network.name,
        "chain_id": network.chain_id,
        "arch": arch,
        "source": source(),
        "base": base,
        "packages": [{"name": name, "version": version, "arch": of} for name, version, of in packages],
        "daemon": payload.daemon.document(),
        "programs": [program.document() for program in payload.programs],
        "next_versions": [following.document() for following in payload.next_versions],
        "unpinned_steps": list(payload.unpinned_steps),
        "genesis": dict(network.document["genesis"]) if genesis else None,
        "deferred": [item.document() for item in payload.deferred],
        "tools": tools(),
        "accelerator": {"name": str(accelerator.accelerator), "reason": accelerator.reason},
        "seconds": {name: round(value, 1) for name, value in seconds.items()},
        "image": image,
    }


def source() -> dict[str, Any]:
    """The commit of this checkout, and whether it has uncommitted changes."""
    # Git distrusts a checkout owned by another user, as under sudo; we already run its code.
    git = ["git", "-C", str(paths.REPOSITORY), "-c", f"safe.directory={paths.REPOSITORY}"]
    try:
        commit = run([*git, "rev-parse", "HEAD"]).stdout.strip()
        dirty = bool(run([*git, "status", "--porcelain"]).stdout.strip())
    except CommandError:
        return {"commit": None, "dirty": True}
    return {"commit": commit, "dirty": dirty}


def tools() -> dict[str, str]:
    """Versions of the programs a bake depends on."""
    commands = {
        "packer": ["packer", "version"],
        "qemu": ["qemu-system-x86_64", "--version"],
        "mmdebstrap": ["mmdebstrap", "--version"],
        "genimage": ["genimage", "--version"],
        "grub": ["grub-mkimage", "--version"],
    }
    return {name: run(argv).stdout.splitlines()[0].strip() for name, argv in commands.items()}
