"""Tasks about a validator on its chain: its node tells the public key by order, its account signs here or elsewhere."""

from __future__ import annotations

import getpass
import json as encoding
import re
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from invoke.collection import Collection
from invoke.context import Context
from invoke.tasks import task

from goldnode.bake.programs import chain_client
from goldnode.cluster import staking
from goldnode.config import network as networks
from goldnode.errors import UsageError
from goldnode.node.system import machine
from goldnode.protocol import order as protocol
from goldnode.tasks import host
from goldnode.tasks.console import existing, progress
from goldnode.tasks.host import Need
from goldnode.tasks.node import COMMON, ask, operator_of
from goldnode.tasks.terminal import output

#: What every one of them can be given.
SIGNING = {
    "account": "the operator's account: its address, or with --keyring a key's name",
    "keyring": "folder of a keyring to sign with, and send; without it the transaction is printed",
    "backend": "how that keyring is kept: file, os or test",
    "rpc": "a server of the chain to send to, as https://rpc.example.org:443",
    "gas": "what the transaction may use at most",
    "gas_prices": "what is paid for it, as 0.025uosmo (default: the network file's)",
    "out": "write the unsigned transaction to this file",
}
PROFILE = {
    "moniker": "the validator's name on the chain",
    "website": "where to read of it",
    "identity": "its Keybase fingerprint, for a picture",
    "security_contact": "a mail address for reports",
    "details": "a sentence about it",
}
_ADDRESS = re.compile(r"[a-z][a-z0-9]{1,30}1[02-9ac-hj-np-z]{38,58}")


@dataclass(frozen=True, slots=True)
class _Given:
    """What was said of the transaction: who signs, where to, for how much."""

    account: str
    client: chain_client.ChainClient
    fee: tuple[str, ...]
    out: str
    json: bool


@task(positional=["name"], help={**COMMON, **SIGNING, **PROFILE, "amount": "what is bonded, as 1000000uosmo",
      "commission_rate": "what delegators pay, as 0.05", "commission_most": "the most it may ever be",
      "commission_change": "the most that it may change in a day"})  # fmt: skip
def create(
    _: Context,
    name: str,
    account: str,
    amount: str,
    moniker: str,
    website: str = "",
    identity: str = "",
    security_contact: str = "",
    details: str = "",
    commission_rate: str = "0.05",
    commission_most: str = "0.20",
    commission_change: str = "0.01",
    cluster: str = "",
    operator: str = "",
    keyring: str = "",
    backend: str = "file",
    rpc: str = "",
    gas: int = 400_000,
    gas_prices: str = "",
    out: str = "",
    *,
    json: bool = False,
) -> None:
    """Make a node a validator of the chain: its public key comes by order, your account's key signs.

    Without --keyring the exact transaction is printed, for an offline signer or a hardware wallet.  The node must be at
    the tip: one that still syncs would be jailed.
    """
    given = _given(cluster, operator, account, keyring, backend, rpc, gas, gas_prices, out, as_json=json)
    status = ask(name, protocol.Verb.STATUS, {}, cluster, operator).result or {}
    staking.check_node(status, "create")
    profile = staking.Profile(moniker, website, identity, security_contact, details)
    commission = staking.Commission(commission_rate, commission_most, commission_change)
    public = str(status["key"]["public_key"])
    words, document = staking.create(public, amount, profile, commission, by_file=given.client.takes_a_file())
    _finish(given, words, document, f"{name} is a validator of {given.client.chain_id}")


@task(positional=["name"], help={**COMMON, **SIGNING})
def unjail(
    _: Context,
    name: str,
    account: str,
    cluster: str = "",
    operator: str = "",
    keyring: str = "",
    backend: str = "file",
    rpc: str = "",
    gas: int = 400_000,
    gas_prices: str = "",
    out: str = "",
    *,
    json: bool = False,
) -> None:
    """Let a jailed validator sign again; its node must be at the tip, or it is jailed once more.

    With --rpc, the chain is asked first whether the validator's time in jail is over.
    """
    given = _given(cluster, operator, account, keyring, backend, rpc, gas, gas_prices, out, as_json=json)
    status = ask(name, protocol.Verb.STATUS, {}, cluster, operator).result or {}
    staking.check_node(status, "unjail")
    if rpc:
        key = staking.consensus_key(str(status["key"]["public_key"]))
        staking.check_jail(name, given.client.signing_info(key), time.time())
    _finish(given, *staking.unjail(), f"{name} is unjailed")


@task(positional=[], help={**{key: text for key, text in COMMON.items() if key != "name"}, **SIGNING})
def withdraw(
    _: Context,
    account: str,
    cluster: str = "",
    operator: str = "",
    keyring: str = "",
    backend: str = "file",
    rpc: str = "",
    gas: int = 400_000,
    gas_prices: str = "",
    out: str = "",
    *,
    json: bool = False,
) -> None:
    """Withdraw a validator's rewards and commission to its operator's account."""
    given = _given(cluster, operator, account, keyring, backend, rpc, gas, gas_prices, out, as_json=json)
    address = account if _ADDRESS.fullmatch(account) else given.client.address(account)
    _finish(given, *staking.withdraw(given.client.operator_of(address)), "rewards and commission are withdrawn")


@task(positional=[], help={**{key: text for key, text in COMMON.items() if key != "name"}, **SIGNING, **PROFILE,
      "commission_rate": "what delegators pay from now on, as 0.05"})  # fmt: skip
def edit(
    _: Context,
    account: str,
    moniker: str = "",
    website: str = "",
    identity: str = "",
    security_contact: str = "",
    details: str = "",
    commission_rate: str = "",
    cluster: str = "",
    operator: str = "",
    keyring: str = "",
    backend: str = "file",
    rpc: str = "",
    gas: int = 400_000,
    gas_prices: str = "",
    out: str = "",
    *,
    json: bool = False,
) -> None:
    """Change a validator's description or its commission."""
    words, document = staking.edit(
        staking.Profile(moniker, website, identity, security_contact, details), commission_rate
    )
    given = _given(cluster, operator, account, keyring, backend, rpc, gas, gas_prices, out, as_json=json)
    _finish(given, words, document, "the validator's description is changed")


def _given(
    cluster: str, operator: str, account: str, keyring: str, backend: str, rpc: str, gas: int, gas_prices: str,
    out: str, *, as_json: bool
) -> _Given:  # fmt: skip
    """Have the chain's program, and everything that is wrong with the options said before anything is asked."""
    if backend not in ("file", "os", "test"):
        raise UsageError(f"--backend {backend}: expected file, os or test", hint="./invoke validator create --help")
    if keyring and not rpc:
        raise UsageError(
            "--keyring signs and sends, and nobody says where to", hint="--rpc https://rpc.example.org:443"
        )
    if not keyring and not _ADDRESS.fullmatch(account):
        raise UsageError(f"--account {account}: expected an address", hint="a key's name needs --keyring FOLDER")
    host.require([Need.BAKE])
    settings = operator_of(cluster, operator).settings
    network = networks.load(settings.network)
    found = None
    if keyring:
        folder = existing(keyring, "keyring", "the daemon's home on the computer that has the key", or_folder=True)
        secret = getpass.getpass("passphrase of the keyring: ") if backend == "file" and sys.stdin.isatty() else ""
        found = chain_client.Keyring(
            Path(folder).resolve(), backend, secret or ("" if backend != "file" else sys.stdin.readline().strip())
        )
    with progress() as shown:
        chain = chain_client.client(
            network, settings.chain_id or network.chain_id, machine.architecture(), shown, found, rpc
        )
    prices = gas_prices or network.minimum_gas_prices
    fee = ("--gas", str(gas), *(("--gas-prices", prices) if prices else ()), "--from", account)
    return _Given(account, chain, fee, out, as_json)


def _finish(given: _Given, words: list[str], document: str, done: str) -> None:
    """Print the transaction, or sign and send it."""
    if given.client.keyring is None:
        made = encoding.dumps(given.client.unsigned(words, document, given.fee), indent=2)
        if given.out:
            Path(given.out).write_text(made + "\n")
            output.tell(f"the unsigned transaction is in {given.out}: sign it, then broadcast it")
        else:
            output.say(made)
        return
    with progress() as shown, shown.step("send") as step:
        sent = given.client.send(words, document, given.fee, step.note)
    if given.json:
        output.say_json({"version": 1, "hash": sent.hash, "height": sent.height})
    else:
        output.say(f"{done}: block {sent.height}, transaction {sent.hash}")


ns = Collection("validator", create, unjail, withdraw, edit)
