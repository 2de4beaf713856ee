"""What a release refuses: anything deferred, anything without a pin, anything that is in no commit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from goldnode.errors import ImageError


def reasons(manifest: Mapping[str, Any]) -> list[str]:
    """Why an image may not be released, each by name; empty when it may."""
    faults = [f"{each['name']} is deferred to the first boot ({each['url']})" for each in manifest["deferred"]]
    source = manifest["source"]
    if source["commit"] is None:
        faults.append("the image was not baked from a git checkout")
    elif source["dirty"]:
        faults.append(f"the checkout had changes that are not in commit {source['commit'][:12]}")
    daemon = manifest["daemon"]
    # A JVM network's pins are the SHA-256 of every jar, in a file of the commit.
    if daemon["origin"] != "jars" and not daemon.get("sum"):
        faults.append(f"the daemon {daemon['name']} {daemon['version']} has no pin")
    genesis = manifest["genesis"]
    if genesis is not None and not genesis.get("sha256"):
        faults.append("the genesis has no pin")
    return faults


def require_releasable(manifest: Mapping[str, Any]) -> None:
    """Stop a release that could not be made again.

    Raises:
        ImageError: Names everything that stands in the way.
    """
    if faults := reasons(manifest):
        lines = "\n".join(f"  {fault}" for fault in faults)
        raise ImageError(
            f"the image of {manifest['network']} cannot be released:\n{lines}",
            hint=f"git status && ./invoke bake --network {manifest['network']} --strict --force",
        )
