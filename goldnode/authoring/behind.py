"""How far an image is behind Debian: which of its packages Debian has in a newer version, and why that matters.

The packages come from the SBOM of a release, or from the manifest of an image, which lists the same;
what Debian has comes from its own index (``goldnode/bake/debian_today.py``).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from goldnode.bake.debian_today import Offer
from goldnode.bake.freshness import packages_of
from goldnode.errors import ImageError

#: How the package URL of a Debian package begins.
_DEB = "pkg:deb/debian/"


@dataclass(frozen=True, slots=True)
class Stock:
    """What an image holds.

    Attributes:
        name: The image's, or the release's.
        network: What it was baked for.
        daemon: The version of its daemon.
        arch: Debian's name of its architecture.
        packages: Versions by name.
        of: The instant of Debian that the packages are of; None where nobody kept it.
        runs: The machines of the fleet here that run it.
    """

    name: str
    network: str
    daemon: str
    arch: str
    packages: Mapping[str, str]
    of: datetime | None
    runs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LatePackage:
    """A package of which Debian has a newer version.

    Attributes:
        name: The package.
        has: The image's version.
        today: Debian's newest.
        security: One of the newer versions is a security update.
    """

    name: str
    has: str
    today: str
    security: bool

    def __str__(self) -> str:
        return f"{self.name} {self.has} -> {self.today}" + (" (security)" if self.security else "")


def of_image(manifest: Path, runs: Sequence[str] = ()) -> Stock:
    """What an image's manifest lists.

    Raises:
        ImageError: It is no manifest.
    """
    document = _json(manifest)
    try:
        packages = {each["name"]: each["version"] for each in document["packages"]}
        return _stock(_name(manifest), document, packages, runs)
    except (KeyError, TypeError) as broken:
        raise ImageError(f"{manifest} is not a manifest of an image", hint="./invoke bake --force") from broken


def of_release(manifest: Path, sbom: Path) -> Stock:
    """What a release's SBOM lists; its date and daemon are in its manifest.

    Raises:
        ImageError: One of the two is missing or is none.
    """
    document, bill = _json(manifest), _json(sbom)
    try:
        listed = [each["purl"] for each in bill["components"] if each.get("purl", "").startswith(_DEB)]
        pairs = [purl.removeprefix(_DEB).partition("?")[0].rpartition("@") for purl in listed]
        return _stock(_name(manifest), document, {unquote(name): unquote(version) for name, _, version in pairs}, ())
    except (KeyError, TypeError) as broken:
        raise ImageError(f"{sbom} is not the SBOM of an image", hint=f"./invoke verify {sbom.parent}") from broken


def late(
    stock: Stock, offers: Mapping[str, Sequence[Offer]], is_newer: Callable[[str, str], bool]
) -> tuple[LatePackage, ...]:
    """The packages of an image that Debian has newer, security updates first.

    Args:
        stock: What the image holds.
        offers: What Debian has, by name.
        is_newer: Debian's comparison of two versions.
    """
    found = []
    for name, has in stock.packages.items():
        newer = [offer for offer in offers.get(name, ()) if is_newer(offer.version, has)]
        if newer:
            best = newer[0]
            for offer in newer[1:]:
                best = offer if is_newer(offer.version, best.version) else best
            found.append(LatePackage(name, has, best.version, any(offer.security for offer in newer)))
    return tuple(sorted(found, key=lambda each: (not each.security, each.name)))


def advice(stock: Stock, behind: Sequence[LatePackage], best: tuple[Stock, Sequence[LatePackage]]) -> str:
    """What to do about an image, as commands; empty when nothing.

    Args:
        stock: The image.
        behind: Its packages that Debian has newer.
        best: The newest image of the network, and its packages that Debian has newer; it may be the same.
    """
    again = ["./invoke fleet down, ./invoke fleet up"] if stock.runs else []
    newer, rest = best
    if newer.name != stock.name and not rest and (behind or newer.daemon != stock.daemon):
        # What nobody runs, and something newer stands beside, needs nothing.
        return "; ".join([f"{newer.name} is newer and here", *again]) if stock.runs else ""
    if not behind:
        return ""
    fixes = sum(each.security for each in behind)
    why = f"{fixes} security update{'' if fixes == 1 else 's'} among them" if fixes else "no security update"
    what = f"{len(behind)} package{'' if len(behind) == 1 else 's'} behind Debian, {why}"
    return f"{what}: {', '.join([f'./invoke bake --network {stock.network} --base-days 0', *again])}"


def _name(manifest: Path) -> str:
    return manifest.name.removesuffix(".manifest.json")


def _stock(name: str, document: Mapping[str, Any], packages: Mapping[str, str], runs: Sequence[str]) -> Stock:
    base, daemon = document["base"], document["daemon"]
    return Stock(
        name, document["network"], daemon["version"], document["arch"], packages, packages_of(base), tuple(runs)
    )


def _json(path: Path) -> dict[str, Any]:
    try:
        document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ImageError(f"{path} is missing", hint="./invoke bake") from error
    except ValueError as error:
        raise ImageError(f"{path} is not JSON: {error}", hint="./invoke bake --force") from error
    return document
