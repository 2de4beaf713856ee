"""What a release refuses: anything deferred, unpinned or uncommitted."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from goldnode.bake.freshness import OLDEST_RELEASED, packages_of
from goldnode.errors import ImageError


def reasons(manifest: Mapping[str, Any]) -> list[str]:
    """Why an image may not be released, each by name; empty if it may."""
    faults = [f"{each['name']} is deferred to the first boot ({each['url']})" for each in manifest["deferred"]]
    faults += _unknown_source(manifest["source"])
    daemon = manifest["daemon"]
    # A JVM network's pins are the SHA-256 of every jar, in a committed file.
    if daemon["origin"] != "jars" and not daemon.get("sum"):
        faults.append(f"the daemon {daemon['name']} {daemon['version']} has no pin")
    genesis = manifest["genesis"]
    if genesis is not None and not genesis.get("sha256"):
        faults.append("the genesis has no pin")
    return faults


def require_releasable(manifest: Mapping[str, Any]) -> None:
    """Stop a release that could not be reproduced.

    Raises:
        ImageError: The message names every reason.
    """
    _refuse(manifest["network"], reasons(manifest))


def require_committed(network: str, source: Mapping[str, Any]) -> None:
    """Stop a release before its bake if the bake would include uncommitted changes.

    Args:
        network: The network's name.
        source: The source that a manifest made now would name.

    Raises:
        ImageError: It would include some.
    """
    _refuse(network, _unknown_source(source))


def require_fresh(manifest: Mapping[str, Any], now: datetime) -> None:
    """Stop a release whose Debian packages are not recent: later security fixes would be missing.

    Raises:
        ImageError: They are more than a day old, or their age is unknown.
    """
    of = packages_of(manifest["base"])
    if of is None:
        _refuse(manifest["network"], ["the age of its Debian packages is unknown"])
    elif now - of > OLDEST_RELEASED:
        _refuse(manifest["network"], [f"its Debian packages are of {of:%Y-%m-%d}, more than a day old"])


def _unknown_source(source: Mapping[str, Any]) -> list[str]:
    if source["commit"] is None:
        return ["this is not a git checkout"]
    return [f"the checkout has changes that are not in commit {source['commit'][:12]}"] if source["dirty"] else []


def _refuse(network: str, faults: list[str]) -> None:
    if faults:
        lines = "\n".join(f"  {fault}" for fault in faults)
        raise ImageError(
            f"the image of {network} cannot be released:\n{lines}",
            hint="git status",
        )
