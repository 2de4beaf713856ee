"""Future versions, on a machine that is already running: announced in a network file, fetched by hash.

Each gets its own folder beside the image's daemon, whole or not at all, once its hash is verified and
it has printed its version.  Nothing that is running notices.
"""

from __future__ import annotations

import platform
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from goldnode.config.network import Upgrade
from goldnode.errors import ArtifactError, HostError, InputError
from goldnode.fetch.retry import RetryBudget
from goldnode.fetch.store import ArtifactStore
from goldnode.fetch.unpack import unpack
from goldnode.files import sha256_file, write_json
from goldnode.node.layout import Layout
from goldnode.node.plan import ladders
from goldnode.node.plan.inputs import ImageFacts, read_image
from goldnode.node.plan.upgrade import Binary, order, program
from goldnode.node.versions import fetching, upgrades
from goldnode.progress import Progress

#: Seconds without a byte that one run may spend on each version.
TIMEOUT = 120.0
#: The kernel's names for the architectures of releases.
MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}


def announce(layout: Layout, text: str, file: str) -> ImageFacts:
    """Put the ladder of a network file in force.

    Returns:
        The image with that ladder.

    Raises:
        InputError: It is not a network file, or is for another chain or daemon.
    """
    try:
        document: Any = yaml.safe_load(text)
        kept = ladders.accept(document, read_image(layout).network)
    except yaml.YAMLError as error:
        raise InputError(f"{file} is not valid YAML: {error}") from error
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"{file} is not a network file: {error}", hint="./invoke network check NAME") from error
    write_json(ladders.announced_file(layout), kept)
    return read_image(layout)


def missing(image: ImageFacts) -> list[Upgrade]:
    """The steps above the image's own version whose program is missing, or not what it should be."""
    daemon = image.network.daemon
    above = [rung for rung in image.network.upgrades if order(rung.version) > order(daemon.version)]
    return [rung for rung in above if upgrades.verify(image.library, daemon.name, rung.version) is not Binary.VERIFIED]


def fetch(image: ImageFacts, store: ArtifactStore, progress: Progress) -> Iterator[str]:
    """Fetch the missing future versions.

    Yields:
        A line for people about each version.

    Raises:
        ArtifactError: One cannot be fetched, or does not match its hash.
        HostError: One needs libraries that only a bake brings.
    """
    daemon, arch = image.network.daemon, MACHINES.get(platform.machine(), platform.machine())
    for rung in missing(image):
        artifact = rung.release.get(arch)
        named = f"{daemon.name} {rung.version}, for height {rung.height:,}"
        if artifact is None or not artifact.sha256:
            yield f"{named}: no release with a sha256 for {arch} is known; an image baked from the network file has it"
            continue
        if rung.libraries and rung.libraries != daemon.libraries:
            raise HostError(
                f"{named}, needs libraries that only a bake brings", hint="launch a new image, and handover"
            )
        archive = store.fetch(artifact, RetryBudget(left=TIMEOUT), progress)
        path = program(image.library, daemon.name, rung.version)
        draft = path.parent.parent.with_name(f".{rung.version}.part")
        shutil.rmtree(draft, ignore_errors=True)
        try:
            unpack(archive, artifact, draft / "bin" / daemon.name, 0o755)
            fetching.check_daemon(draft / "bin" / daemon.name, replace(daemon, version=rung.version))
            settle(draft, path)
        except ArtifactError:
            shutil.rmtree(draft, ignore_errors=True)
            raise
        archive.unlink()
        yield f"{named}: fetched and verified"


def settle(draft: Path, path: Path) -> None:
    """Give a verified version its final name.

    Args:
        draft: A folder with ``bin/`` and, where it has its own, ``lib/``.
        path: The final path of its program.
    """
    write_json(draft / "verified.json", {"sha256": sha256_file(draft / "bin" / path.name)})
    folder = path.parent.parent
    old = folder.with_name(f".{folder.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        folder.replace(old)
    draft.replace(folder)
    shutil.rmtree(old, ignore_errors=True)
