"""The network's daemon as a client of its chain: it writes, signs and sends its own transactions, confined.

Each chain's transactions are written by that chain's own program, the very version that is baked, so that no field is
ours to get wrong.  It sees a keyring only if one is named, and the network only if something is to be sent.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from goldnode.bake import confine
from goldnode.bake.programs.obtain import obtain
from goldnode.config.daemon import Family
from goldnode.config.network import Network
from goldnode.errors import HostError, UsageError
from goldnode.progress import Progress
from goldnode.run import CommandError, run

#: What resolving a server's name and checking its certificate needs.
_NETWORK = ("/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf", "/etc/ssl")
#: Seconds for one command; seconds in which a transaction must be in a block, and between two looks.
TIMEOUT, IN_A_BLOCK, LOOK = 120.0, 90.0, 2.0
#: What the SDK's slashing answers of a validator that it does not know.
NEVER_SIGNED = "SigningInfo not found"


@dataclass(frozen=True, slots=True)
class Keyring:
    """Where the operator's key is.

    Attributes:
        folder: The daemon's home, or whatever its `--keyring-dir` says.
        backend: `test`, `file` or `os`.
        passphrase: Opens it; empty for none.
    """

    folder: Path
    backend: str
    passphrase: str = ""


@dataclass(frozen=True, slots=True)
class IncludedTransaction:
    """A transaction in a block."""

    hash: str
    height: int


@dataclass(frozen=True, slots=True)
class ChainClient:
    """A chain's program at work for one command.

    Attributes:
        chain_id: Which chain.
        binary: The program.
        libraries: What it needs in its environment to be loaded; None for nothing.
        keyring: Where the key is; None to sign nothing.
        rpc: A server of the chain; empty to send nothing.
    """

    chain_id: str
    binary: Path
    libraries: Path | None
    keyring: Keyring | None = None
    rpc: str = ""

    def unsigned(self, words: Sequence[str], document: str, fee: Sequence[str]) -> dict[str, Any]:
        """The transaction, for whoever signs it elsewhere.

        Args:
            words: The command behind `tx`; `{file}` stands for the document.
            document: What the command reads from a file; empty for none.
            fee: `--gas …`, `--gas-prices …`.
        """
        said = self._do(["tx", *words, *fee, "--chain-id", self.chain_id, "--generate-only"], document)
        made: dict[str, Any] = json.loads(said)
        return made

    def send(
        self, words: Sequence[str], document: str, fee: Sequence[str], note: Callable[[str], None] = lambda _: None
    ) -> IncludedTransaction:
        """Sign, send, and wait until it is in a block.

        Raises:
            HostError: The chain refuses it, or it is in no block in time.
        """
        more = ["--chain-id", self.chain_id, "--node", self.rpc, "--yes", "--broadcast-mode", "sync", "-o", "json"]
        answer = json.loads(self._do(["tx", *words, *fee, *more], document))
        if answer.get("code"):
            raise HostError(f"the chain refuses it: {answer.get('raw_log')}", hint="read the sentence, and try again")
        name, end = str(answer["txhash"]), time.monotonic() + IN_A_BLOCK
        while time.monotonic() < end:
            note(f"waiting for a block with {name[:12]}")
            time.sleep(LOOK)
            try:
                found = json.loads(self._do(["query", "tx", name, "--node", self.rpc, "-o", "json"]))
            except CommandError:
                continue  # not in a block yet
            if found.get("code"):
                raise HostError(f"it is in block {found['height']} and failed: {found.get('raw_log')}")
            return IncludedTransaction(name, int(found["height"]))
        raise HostError(
            f"{name} is in no block after {IN_A_BLOCK:.0f} s", hint="ask an explorer before you send another"
        )

    def address(self, name: str) -> str:
        """The address of a key of the keyring."""
        return self._do(["keys", "show", name, "--address"]).strip()

    def operator_of(self, address: str) -> str:
        """The operator's address, as validators have it, of an account's."""
        for line in self._do(["debug", "addr", address]).splitlines():
            if line.startswith("Bech32 Val:"):
                return line.partition(":")[2].strip()
        raise HostError(f"{self.binary.name} does not tell the operator's address of {address}")

    def signing_info(self, consensus_key: Mapping[str, str]) -> dict[str, Any]:
        """What the chain's slashing says of a validator; empty if it never signed.

        Args:
            consensus_key: The public half, as the program reads it.

        Raises:
            CommandError: The server does not answer, or the program does not know the question.
        """
        words = ["query", "slashing", "signing-info", json.dumps(consensus_key), "--node", self.rpc, "-o", "json"]
        try:
            found: dict[str, Any] = json.loads(self._do(words))
        except CommandError as error:
            if NEVER_SIGNED in error.stderr:
                return {}
            raise
        # Cosmos SDK 0.50 and later name it; older ones print its fields alone.
        inside: dict[str, Any] = found.get("val_signing_info", found)
        return inside

    def takes_a_file(self) -> bool:
        """Whether create-validator reads a file (Cosmos SDK 0.50 and later), instead of flags."""
        return "validator.json" in self._do(["tx", "staking", "create-validator", "--help"])

    def _do(self, words: Sequence[str], document: str = "") -> str:
        with tempfile.TemporaryDirectory(prefix="goldnode-client-") as name:
            file = Path(name) / "document.json"
            file.write_text(document)
            argv = [*confine.prefix(self.binary, self.libraries, file), *self._reach()]
            argv += [str(self.binary), *(str(file) if word == "{file}" else word for word in words)]
            secret = self.keyring.passphrase if self.keyring else ""
            if self.keyring and words[0] in ("tx", "keys") and "--help" not in words:
                argv += ["--keyring-dir", str(self.keyring.folder), "--keyring-backend", self.keyring.backend]
            env = {"HOME": tempfile.gettempdir()} | ({"LD_LIBRARY_PATH": str(self.libraries)} if self.libraries else {})
            stdin = f"{secret}\n{secret}\n" if secret else None
            done = run(argv, env=env, stdin=stdin, timeout=TIMEOUT)
            return done.stdout or done.stderr

    def _reach(self) -> list[str]:
        """What it may reach besides: the network where it is to ask a server, the keyring where it is to sign."""
        words: list[str] = []
        if self.rpc:
            words.append("--share-net")
            for path in _NETWORK:
                words += ["--ro-bind-try", path, path]
        if self.keyring:
            words += ["--bind", str(self.keyring.folder), str(self.keyring.folder)]
        return words


def client(
    network: Network, chain_id: str, arch: str, progress: Progress, keyring: Keyring | None = None, rpc: str = ""
) -> ChainClient:
    """Have the network's program here.

    Raises:
        UsageError: It is no chain with validators of its own.
        ArtifactError: The program cannot be obtained.
    """
    if network.daemon.family is not Family.COSMOS_SDK:
        raise UsageError(f"{network.name} has no staking", hint="./invoke networks")
    payload = obtain(network, arch, artifacts_dir=None, strict=True, progress=progress)
    files = {Path(entry.path_on_image): entry.source for entry in payload.files}
    libraries = [source.parent for path, source in files.items() if path.parent.name == "lib"]
    binary = next(source for path, source in files.items() if path.name == network.daemon.name)
    return ChainClient(chain_id, binary, libraries[0] if libraries else None, keyring, rpc)
