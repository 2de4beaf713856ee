"""The daemon's own default configuration, made by its ``init`` in a temporary home.

The node starts from these files and sets keys in them.  ``init`` of some daemons fetches a genesis
or peers (osmosisd), and all of them make keys; so it runs without any network, only ``*.toml`` is
kept, and the keys die with the home.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import tomlkit
from tomlkit.exceptions import TOMLKitError

from goldnode.config.daemon import Family
from goldnode.config.network import Network
from goldnode.run import CommandError, run

#: Files of a home that a node may start from.
FILES = ("config.toml", "app.toml", "client.toml")
#: Replaces the machine's name, which differs between builders; every node sets its own.
MONIKER = "node"
TIMEOUT = 120.0


def default_configs(binary: Path, network: Network, env: Mapping[str, str]) -> dict[str, bytes]:
    """Run ``init`` and keep its configuration files.

    Args:
        binary: The daemon, for this machine's architecture.
        network: Its network.
        env: Additional environment for the daemon, such as LD_LIBRARY_PATH.

    Returns:
        File name → content; empty when ``init`` fails or cannot be kept off the network, and
        then the node makes the files at its first boot.
    """
    cage = isolation()
    if cage is None and not network.private:
        return {}
    with tempfile.TemporaryDirectory(prefix="goldnode-init-") as folder:
        home = Path(folder) / "home"
        argv: list[str | Path] = [*(cage or ()), binary, *init_args(network, home)]
        try:
            run(argv, cwd=Path(folder), env={**env, "HOME": folder}, timeout=TIMEOUT)
        except CommandError:
            return {}
        made = {name: home / "config" / name for name in FILES}
        return {name: _neutral(path.read_text(encoding="utf-8")) for name, path in made.items() if path.is_file()}


def init_args(network: Network, home: Path) -> list[str]:
    """The arguments that make a daemon of this family initialise a home."""
    if network.daemon.family is Family.COMETBFT:
        return ["init", "--home", str(home)]
    return ["init", MONIKER, "--chain-id", network.chain_id, "--home", str(home)]


@cache
def isolation() -> tuple[str, ...] | None:
    """The words that run a program without a network on this machine; None if that is not possible."""
    ways = [("unshare", "--net", "--"), ("unshare", "--map-root-user", "--net", "--")]
    for way in ways if os.geteuid() == 0 else ways[1:]:
        if shutil.which(way[0]) and run([*way, "true"], check=False).returncode == 0:
            return way
    return None


def _neutral(text: str) -> bytes:
    """The same file without the builder's host name."""
    try:
        document = tomlkit.parse(text)
    except TOMLKitError:
        return text.encode()
    if "moniker" in document:
        document["moniker"] = MONIKER
    return tomlkit.dumps(document).encode()
