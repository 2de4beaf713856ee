"""The network's daemon as it runs on this machine: for genesis commands, and for the external validators."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from goldnode.bake.programs.obtain import obtain
from goldnode.config.network import Network
from goldnode.errors import UsageError
from goldnode.node.system.machine import architecture
from goldnode.progress import Progress


@dataclass(frozen=True, slots=True)
class Program:
    """A daemon and what it needs.

    Attributes:
        network: Its network.
        binary: The program.
        env: Its environment.
        defaults: Its own configuration files, by name.
    """

    network: Network
    binary: Path
    env: Mapping[str, str]
    defaults: Mapping[str, str]

    def environment(self, home: Path) -> dict[str, str]:
        """Its environment, with a home directory.

        Whatever ``--home`` says, each command of an SDK daemon reads ``client.toml`` in the caller's home directory or
        writes one there.

        Args:
            home: The directory to use instead.
        """
        return {**self.env, "HOME": str(home.resolve())}


def program(network: Network, progress: Progress) -> Program:
    """Get the daemon of a private network for this machine.

    Raises:
        UsageError: The network has a genesis already, so no fleet can start its chain.
        ArtifactError: It cannot be obtained.
    """
    if not network.private:
        raise UsageError(
            f"{network.name} is a real chain; a fleet starts a new chain",
            hint="./invoke fleet up --network localnet",
        )
    payload = obtain(network, architecture(), artifacts_dir=None, strict=True, progress=progress)
    files = {Path(entry.path_on_image): entry.source for entry in payload.files}
    libraries = [source for path, source in files.items() if path.parent.name == "lib"]
    return Program(
        network,
        binary=next(source for path, source in files.items() if path.name == network.daemon.name),
        env={"LD_LIBRARY_PATH": str(libraries[0].parent)} if libraries else {},
        defaults={path.name: source.read_text() for path, source in files.items() if path.parent.name == "defaults"},
    )
