"""A golden image made in a cloud: from its Debian 13, with the same payload and scripts, into the cloud's own image.

Only a receipt lands in ``out/``: what was made, where, and from what.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from goldnode import files, paths
from goldnode.bake import content, golden, manifest, vmbake
from goldnode.bake.build_dir import temporary_build_dir
from goldnode.bake.platform import CREDENTIALS
from goldnode.bake.programs.obtain import obtain
from goldnode.config.network import Network
from goldnode.errors import BakeError
from goldnode.progress import Progress

#: Google allows the shortest names, and only lower-case letters, digits and dashes.
NAME_LENGTH, NAME_REFUSES = 63, re.compile(r"[^a-z0-9]+")


@dataclass(frozen=True, slots=True)
class Receipt:
    """An image in a cloud.

    Attributes:
        path: The receipt in ``out/``.
        document: What it says.
    """

    path: Path
    document: dict[str, Any]


def bake(options: golden.BakeOptions, settings: Mapping[str, Any], progress: Progress) -> Receipt:
    """Make the image in the cloud of ``options.platform``.

    Args:
        options: What to bake, and where.
        settings: The operator's variables of that platform (``platform.settings``).
        progress: Receives progress.

    Raises:
        ArtifactError: An input cannot be obtained, or is not what its pin says.
        BakeError: Packer or the cloud failed; the logs are kept under ``out/failed/``.
    """
    timer = golden.StepTimer(progress)
    network, platform = options.network, options.platform
    payload = obtain(network, options.arch, artifacts_dir=options.artifacts, strict=options.strict, progress=timer)
    entries = content.entries(network, payload, options.arch)
    with temporary_build_dir() as build_dir:
        with timer.step("payload"):
            key = golden.key_of(platform, options.arch, content.write(entries, build_dir / "payload.tar"))
        name = image_name(network, key)
        variables = {"payload": str(build_dir / "payload.tar"), "arch": options.arch, "image_name": name, **settings}
        made = vmbake.build(platform.source, variables, build_dir, timer, network=network, env=credentials(options))
    if not made:
        raise BakeError(f"Packer succeeded, but {platform} named no image", hint=f"look for {name} in the console")
    document = {
        "version": 1,
        "platform": str(platform),
        "image": {"name": name, "ids": list(made)},
        "key": key,
        "network": network.name,
        "chain_id": network.chain_id,
        "arch": options.arch,
        "source": manifest.source(),
        "daemon": payload.daemon.document(),
        "deferred": [item.document() for item in payload.deferred],
        "seconds": {step: round(seconds, 1) for step, seconds in timer.seconds.items()},
    }
    path = paths.out() / f"{name}.{platform}.json"
    files.write_json(path, document)
    return Receipt(path, document)


def image_name(network: Network, key: str) -> str:
    """The image's name in the cloud; the same inputs give the same name, so a cloud can refuse to make it twice."""
    stem = NAME_REFUSES.sub("-", f"goldnode-{network.name}-{network.daemon.version}".lower())
    return f"{stem[: NAME_LENGTH - 9]}-{key[:8]}"


def credentials(options: golden.BakeOptions) -> dict[str, str]:
    """The part of the caller's environment that gives Packer access to that cloud."""
    return {name: value for name, value in os.environ.items() if name.startswith(CREDENTIALS[options.platform])}
