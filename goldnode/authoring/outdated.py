"""How far each network is behind: the file, what the registry recommends, the newest tag, what was baked.

Four places know a version, and none of them is always right; side by side they say what to do.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from goldnode.authoring.ladder import order, plain_version
from goldnode.authoring.registry_json import load, mapping, printable, text
from goldnode.authoring.registry_sweep import chains
from goldnode.config.network import Network
from goldnode.errors import GoldnodeError, InputError

#: Repositories queried at once.
AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class Recommended:
    """What a registry says of a chain: the version it recommends, and the repository; empty when it does not say."""

    version: str
    git: str


@dataclass(frozen=True, slots=True)
class VersionRow:
    """One network's versions.

    Attributes:
        network: Its name.
        file: The version its file pins.
        recommended: What the registry recommends; empty when it was not asked, or does not know the chain.
        tagged: The newest release tag of its repository; empty when nobody could be asked.
        baked: Versions of the local images, newest last.
        advice: What to do, as a command where there is one; empty when nothing.
        reason: Why the repository could not be asked; empty when it was.
    """

    network: str
    file: str
    recommended: str
    tagged: str
    baked: tuple[str, ...]
    advice: str
    reason: str = ""


def rows(
    networks: Sequence[Network],
    registry: Mapping[str, Recommended],
    baked: Mapping[str, Sequence[str]],
    tags: Callable[[str], list[str]],
) -> list[VersionRow]:
    """Compare every network; repositories are queried in parallel.

    Args:
        networks: What to compare.
        registry: By chain id.
        baked: Versions of images, by network.
        tags: Lists a repository's tags.
    """
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(lambda network: _row(network, registry, baked, tags), networks))


def recommendations(registry: Path) -> dict[str, Recommended]:
    """What a clone of chain-registry recommends, by chain id; unreadable files are skipped.

    Raises:
        InputError: The folder holds no chain.
    """
    found = {}
    for folder in chains(registry):
        try:
            chain = load(folder / "chain.json")
        except InputError:
            continue
        codebase = mapping(chain, "codebase")
        version = plain_version(text(codebase.get("recommended_version")) or text(codebase.get("tag")))
        git = text(codebase.get("git_repo")).removesuffix("/")
        if version:
            found[text(chain.get("chain_id"))] = Recommended(version, git if git.startswith("https://") else "")
    if not found:
        raise InputError(f"{registry} does not hold a chain: no NAME/chain.json", hint="git clone the chain-registry")
    return found


def images(out: Path) -> dict[str, list[str]]:
    """Daemon versions of finished images, by network, oldest first."""
    found: dict[str, list[str]] = {}
    for path in sorted(out.glob("*.manifest.json")):
        try:
            manifest = json.loads(path.read_text(encoding="utf-8"))
            versions = found.setdefault(str(manifest["network"]), [])
            versions.append(str(manifest["daemon"]["version"]))
        except (OSError, ValueError, KeyError, TypeError):
            continue
        versions.sort(key=order)
    return found


def newest(tags: Sequence[str]) -> str:
    """The highest release among tags; pre-releases do not count."""
    versions = [version for version in map(plain_version, tags) if version and order(version)[1]]
    return max(versions, key=order, default="")


def _row(
    network: Network,
    registry: Mapping[str, Recommended],
    baked: Mapping[str, Sequence[str]],
    tags: Callable[[str], list[str]],
) -> VersionRow:
    known = registry.get(network.chain_id, Recommended("", ""))
    tagged, reason = _tagged(network, known, tags)
    versions = tuple(baked.get(network.name, ()))
    advice = _advice(network, known.version, tagged, versions)
    return VersionRow(network.name, network.daemon.version, known.version, tagged, versions, advice, reason)


def _tagged(network: Network, known: Recommended, tags: Callable[[str], list[str]]) -> tuple[str, str]:
    source = network.daemon.source
    git = (source.git if source else "") or known.git or _repository(network)
    if not git:
        return "", "no repository is known"
    try:
        return newest(tags(git)), ""
    except GoldnodeError as error:
        return "", printable(error.message, 120)


def _repository(network: Network) -> str:
    """The repository that a release on a forge belongs to."""
    for release in network.daemon.release.values():
        place, found, _ = release.url.partition("/releases/download/")
        if found:
            return place
    source = network.daemon.source
    module = source.module.split("/") if source else []
    return f"https://{'/'.join(module[:3])}" if module[:1] == ["github.com"] else ""


def _advice(network: Network, recommended: str, tagged: str, baked: Sequence[str]) -> str:
    file = network.daemon.version
    if recommended and order(recommended) > order(file):
        return f"./invoke network import {network.name} --from REGISTRY --update"
    if tagged and order(tagged) > order(file):
        return f"the newest tag is {tagged}: ask the chain's validators what runs, then edit {network.name}.yaml"
    if baked and order(baked[-1]) < order(file):
        return f"./invoke bake --network {network.name}"
    return ""
