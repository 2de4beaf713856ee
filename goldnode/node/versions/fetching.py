"""Fetches at first boot what the bake deferred: pinned, verified, resumed, then put in place.

The daemon starts only when everything is there; its own answer to `version` is compared with the
network file before its first start.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from goldnode.config.daemon import Daemon, Family
from goldnode.config.network import Network
from goldnode.errors import ArtifactError
from goldnode.fetch.retry import RetryBudget
from goldnode.fetch.store import ArtifactStore
from goldnode.fetch.unpack import unpack
from goldnode.files import write_atomic
from goldnode.node.layout import Layout
from goldnode.node.versions.deferred import missing
from goldnode.progress import Progress
from goldnode.run import run

#: Seconds without a byte that one run of the fetch unit may wait; systemd starts it again.
TIMEOUT = 300.0
#: Seconds that a daemon's ``init`` may take; osmosisd waits 30 for a genesis it does not need.
INIT = 180.0


def fetch(layout: Layout, store: ArtifactStore, progress: Progress) -> list[Path]:
    """Fetch what is missing; an interrupted download resumes where it stopped.

    Raises:
        ArtifactError: Something could not be obtained, or does not match its pin.
    """
    placed = []
    for each in missing(layout):
        archive = store.fetch(each.artifact, RetryBudget(left=TIMEOUT), progress)
        unpack(archive, each.artifact, layout.at(each.path), each.mode)
        archive.unlink()
        placed.append(layout.at(each.path))
    return placed


def make_defaults(program: Path, network: Network, folder: Path) -> None:
    """Let the daemon write its default configuration, if the bake had no daemon to do so.

    ``init`` also makes keys, and some daemons fetch a genesis in it: so it runs in a temporary home, of
    which only the configuration is kept.
    """
    if folder.exists():
        return
    with tempfile.TemporaryDirectory() as home:
        verb = (
            ["init"] if network.daemon.family is Family.COMETBFT else ["init", "node", "--chain-id", network.chain_id]
        )
        run([program, *verb, "--home", home], env={"HOME": home}, timeout=INIT)
        for path in sorted(Path(home, "config").glob("*.toml")):
            write_atomic(folder / path.name, path.read_text())


def check_daemon(program: Path, daemon: Daemon) -> None:
    """Compare the program's version with the network file.

    Raises:
        ArtifactError: It prints something else, or does not run.
    """
    # Some daemons write configuration into the caller's home directory as soon as they start.
    with tempfile.TemporaryDirectory() as home:
        answer = run([program, *daemon.version_args], env={"HOME": home}, timeout=60, check=False)
    said = (answer.stdout + answer.stderr).split()
    if answer.returncode or daemon.version not in [word.lstrip("v") for word in said]:
        raise ArtifactError(
            f"{program} says it is {' '.join(said)[:80] or 'nothing'}, and the network file says {daemon.version}",
            hint="goldnode logs, and compare the network file's pin with what the project published",
        )
