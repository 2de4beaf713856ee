"""The machine of a remote signer: a namespace, the tunnel that goldnode wrote down for it, and the signer's program."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from goldnode.fleet.plan import NETWORK
from goldnode.node.plan.meshes import wireguard
from goldnode.run import run
from tests.integration.node.fleet import Fleet, Host
from tests.support.node_lab import seed
from tests.support.waiting import kill

#: What a person types there.  A signer that gives up is started again.
_SIGN = """set -e
mkdir -p /var/run/wireguard
mount -t tmpfs none /var/run/wireguard
wg-quick up "$FOLDER/goldnode.conf"
while true; do "$@" || sleep 1; done
"""


@dataclass
class SignerMachine:
    """One machine of a remote signer.

    Attributes:
        fleet: Whose network it is on.
        folder: Its files.
        number: Its address on the fleet's network ends in it.
    """

    fleet: Fleet
    folder: Path
    number: int
    process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        """Where it raises its tunnel from."""
        return f"{NETWORK}.{self.number}"

    @property
    def space(self) -> str:
        """Its namespace."""
        return f"{self.fleet.prefix}-signer-{self.number}"

    @property
    def key(self) -> str:
        """The public key of its tunnel, for `signer_keys`."""
        return wireguard.public(self._secret)

    @property
    def log(self) -> str:
        """The end of what its signer said."""
        return (self.folder / "signer.log").read_text(errors="replace")[-3000:]

    @property
    def _secret(self) -> str:
        return wireguard.clamp(seed(f"signer {self.number}"))

    def tunnel(self, hosts: Sequence[Host], file: str) -> list[str]:
        """Fill in what those machines wrote for this one, and nothing else; where its signer is to dial.

        Args:
            hosts: The machines whose nodes it signs for, all of one cluster.
            file: The name of the file that each wrote, with `{}` for the node's name.
        """
        self.folder.mkdir(exist_ok=True)
        files = [host.tree.layout.at(f"/etc/goldnode/signers/{file.format(host.name)}") for host in hosts]
        texts = [each.read_text() for each in files]
        filled = [
            text.replace(f"THE-SECRET-HALF-OF {self.key}", self._secret).replace(
                f"ADDRESS-OF-THE-MACHINE-OF-{host.name}", host.address
            )
            for host, text in zip(hosts, texts, strict=True)
        ]
        peers = [text.partition("\n[Peer]\n")[2] for text in filled[1:]]
        (self.folder / "goldnode.conf").write_text("\n[Peer]\n".join([filled[0], *peers]))
        return [next(word for word in text.split() if word.startswith("tcp://")) for text in texts]

    def start(self, tools: Path, words: Sequence[Any]) -> None:
        """Raise the tunnel, and run a signer for as long as the fleet lives."""
        self.fleet.plug(self.space, self.address)
        argv = ["env", f"WG_QUICK_USERSPACE_IMPLEMENTATION={tools / 'wireguard'}", f"FOLDER={self.folder}",
                "bash", "-c", _SIGN, "bash", *words]  # fmt: skip
        with (self.folder / "signer.log").open("ab") as log:
            self.process = self.fleet.stack.enter_context(self.fleet.inside(self.space, argv, stdout=log, stderr=log))

    def die(self) -> None:
        """Lose power."""
        kill(run(["ip", "netns", "pids", self.space]).stdout.split())
