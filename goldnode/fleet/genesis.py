"""The genesis of a private chain: the validators it starts with, each given by its public key.

A CometBFT chain needs no more than a document.  A Cosmos SDK chain's validators are accounts that
bond tokens, so there the daemon's own genesis commands are used, in a temporary home.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from goldnode.config.daemon import Family
from goldnode.fleet.program import Program
from goldnode.node.keys.cometbft_keys import Key
from goldnode.run import run

#: Tokens bonded for one unit of voting power on an SDK chain (its power reduction).
BOND = 1_000_000
DENOMINATION = "stake"
#: Blocks over which an SDK chain counts missed ones: cutting a validator off for minutes must not jail it.
PATIENT_WINDOW = "10000"


@dataclass(frozen=True, slots=True)
class Validator:
    """A validator that the chain starts with.

    Attributes:
        name: For people.
        key: Its consensus key; only the public half goes into the genesis.
        power: Its voting power.
    """

    name: str
    key: Key
    power: int


Change = Callable[[dict[str, Any]], None]


def genesis(
    program: Program,
    validators: Sequence[Validator],
    now: datetime,
    change: Change | None = None,
    keyring: Path | None = None,
) -> bytes:
    """The genesis file of a new chain.

    Args:
        program: The network's daemon.
        validators: The validators that sign from the first block on.
        now: When the chain starts.
        change: Alters the document of an SDK chain.
        keyring: A home that gets the accounts' keys, so that they can vote; None if nobody will.
    """
    if program.network.daemon.family is Family.COMETBFT:
        return plain(program.network.chain_id, validators, now)
    return _of_accounts(program, validators, now, change, keyring)


def plain(chain_id: str, validators: Sequence[Validator], now: datetime) -> bytes:
    """A genesis for plain CometBFT, with the daemon's default consensus parameters."""
    entries = []
    for each in validators:
        public = each.key.validator_document()
        entries.append(
            {"address": each.key.address, "pub_key": public["pub_key"], "power": str(each.power), "name": each.name}
        )
    document = {
        "genesis_time": now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "chain_id": chain_id,
        "initial_height": "1",
        "validators": entries,
        "app_hash": "",
    }
    return _bytes(document)


def _of_accounts(
    program: Program, validators: Sequence[Validator], now: datetime, change: Change | None, keyring: Path | None
) -> bytes:
    """A genesis for a Cosmos SDK chain: one account and one self-bond per validator."""
    with tempfile.TemporaryDirectory(prefix="goldnode-genesis-") as name:
        home = Path(name)
        maker = _Maker(program, home)
        maker.do("init", "genesis", "--chain-id", program.network.chain_id, "--default-denom", DENOMINATION)
        (home / "config" / "gentx").mkdir()
        for each in validators:
            maker.add(each)
        maker.do("genesis", "collect-gentxs")
        path = home / "config" / "genesis.json"
        document = json.loads(path.read_text())
        document["genesis_time"] = now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        document["app_state"]["slashing"]["params"]["signed_blocks_window"] = PATIENT_WINDOW
        if change:
            change(document)
        path.write_bytes(_bytes(document))
        maker.do("genesis", "validate")
        if keyring:
            shutil.copytree(home / "keyring-test", keyring / "keyring-test")
        return path.read_bytes()


@dataclass(frozen=True, slots=True)
class _Maker:
    """Runs the daemon's genesis commands in a temporary home."""

    program: Program
    home: Path

    def do(self, *words: str) -> None:
        """Run one command."""
        run([self.program.binary, *words, "--home", self.home], env=self.program.environment(self.home), timeout=120)

    def add(self, each: Validator) -> None:
        """Give a validator an account, and bond its power."""
        test = ("--keyring-backend", "test")
        bond = each.power * BOND
        public = {"@type": "/cosmos.crypto.ed25519.PubKey", "key": each.key.validator_document()["pub_key"]["value"]}
        self.do("keys", "add", each.name, *test)
        self.do("genesis", "add-genesis-account", each.name, f"{2 * bond}{DENOMINATION}", *test)
        # The memo of such a transaction tells where its node is.  It is this home's for all of them: a hidden
        # validator's is nobody's business, and peers are not found that way here.
        self.do("genesis", "gentx", each.name, f"{bond}{DENOMINATION}", *test,
                "--chain-id", self.program.network.chain_id, "--moniker", each.name, "--ip", "127.0.0.1",
                "--pubkey", json.dumps(public),
                "--output-document", str(self.home / "config" / "gentx" / f"{each.name}.json"))  # fmt: skip


def _bytes(document: dict[str, Any]) -> bytes:
    return (json.dumps(document, indent=1) + "\n").encode()
