"""Daemons for future upgrades, on the image before their height comes.

A validator that looks for its next binary when the chain has stopped is late.  So whatever the ladder
names above the image's own version, and somebody has pinned, is obtained as the daemon itself is:
verified, started where it can be, and put beside it with its hash.  What nobody pinned is said.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from goldnode.bake.programs.payload import LIB, NextVersion, PayloadFile, Provenance
from goldnode.config.daemon import Daemon
from goldnode.config.network import Network, Upgrade
from goldnode.files import write_atomic
from goldnode.paths import cache

PROGRAM, PLAIN = 0o755, 0o644


@dataclass(frozen=True, slots=True)
class Obtained:
    """A next daemon as it was obtained.

    Attributes:
        binary: The program.
        libraries: Shared libraries it needs.
        provenance: Where it came from; its ``sha256`` is the program's.
    """

    binary: Path
    libraries: tuple[Path, ...]
    provenance: Provenance


def ahead(network: Network) -> tuple[Upgrade, ...]:
    """The steps above the image's own version, lowest first."""
    current = [at for at, step in enumerate(network.upgrades) if step.version == network.daemon.version]
    steps = network.upgrades[current[-1] + 1 :] if current else network.upgrades
    return tuple(step for step in steps if step.version != network.daemon.version)


def daemon_of(network: Network, step: Upgrade) -> Daemon:
    """The daemon from a step on: same name and arguments, another source."""
    return replace(
        network.daemon, version=step.version, release=step.release, source=step.source, libraries=step.libraries
    )


def pinned(step: Upgrade, arch: str) -> bool:
    """Whether the step's binary is pinned."""
    release = step.release.get(arch)
    return bool((release and release.sha256) or (step.source and step.source.sum))


def obtain(
    network: Network, arch: str, have: Callable[[Daemon], Obtained]
) -> tuple[list[PayloadFile], list[NextVersion], list[str]]:
    """Get the daemon of every pinned step.

    Args:
        network: Whose ladder.
        arch: amd64 or arm64.
        have: Obtains and verifies one daemon.

    Returns:
        Files of the image, what they are, and one sentence for each step that is not pinned.
    """
    files: list[PayloadFile] = []
    found: list[NextVersion] = []
    missing: list[str] = []
    for step in ahead(network):
        label = f"{step.name} at height {step.height:,}"
        if not pinned(step, arch):
            missing.append(f"{label}: nobody pinned {network.daemon.name} {step.version}")
            continue
        got = have(daemon_of(network, step))
        files += _files(got, network.daemon.name, step.version)
        found.append(NextVersion(step.name, step.height, got.provenance))
    return files, found, missing


def _files(got: Obtained, name: str, version: str) -> list[PayloadFile]:
    place = f"{LIB}/daemons/{name}/{version}"
    # The node compares the program with this before it runs it at the height.
    proof = cache() / "verified" / f"{got.provenance.sha256}.json"
    write_atomic(proof, json.dumps({"sha256": got.provenance.sha256}) + "\n")
    return [
        PayloadFile(f"{place}/bin/{name}", got.binary, PROGRAM),
        PayloadFile(f"{place}/verified.json", proof, PLAIN),
        *(PayloadFile(f"{place}/lib/{path.name}", path, PLAIN) for path in got.libraries),
    ]
