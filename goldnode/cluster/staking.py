"""What a validator's operator asks of the chain, as the words of the chain's own program; pure.

The operator's key is not the node's: it stays with the operator, and no order ever carries it.  From the node comes
only the consensus key's public half, in its signed answer to an order.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from goldnode.errors import HostError, SafetyError, UsageError

_AMOUNT = re.compile(r"[1-9][0-9]{0,29}[a-zA-Z][a-zA-Z0-9/:._-]{1,127}")
_RATE = re.compile(r"(?:0(?:\.[0-9]{1,18})?|1(?:\.0{1,18})?)")
#: States of a node that has all blocks of the chain.
_AT_TIP = ("signing", "not signing", "not in the validator set")


@dataclass(frozen=True, slots=True)
class Profile:
    """What a validator says of itself on the chain; empty leaves it as it is.

    Attributes:
        moniker: Its name.
        website: Where to read of it.
        identity: Its Keybase fingerprint.
        security_contact: Mail address for reports.
        details: A sentence.
    """

    moniker: str = ""
    website: str = ""
    identity: str = ""
    security_contact: str = ""
    details: str = ""


@dataclass(frozen=True, slots=True)
class Commission:
    """What delegators pay: the rate, its most, and its most change a day; parts of one, as `0.05`."""

    rate: str
    most: str
    change: str

    def check(self) -> None:
        """See that each is a part of one.

        Raises:
            UsageError: One is not.
        """
        for name, value in (("rate", self.rate), ("most", self.most), ("change", self.change)):
            if not _RATE.fullmatch(value):
                raise UsageError(f"--commission-{name} {value}: expected a part of one", hint="write 0.05 for 5 %")


def check_node(status: Mapping[str, Any], verb: str) -> None:
    """See that a node's validator would sign, once the chain lets it.

    Args:
        status: The node's answer to an order.
        verb: `create` or `unjail`.

    Raises:
        UsageError: The node is no validator, or has no key yet.
        SafetyError: It would be jailed, or is needed no more.
    """
    name, state = status.get("name"), str(status.get("state"))
    hint = f"./invoke node {name} status"
    if status.get("role") != "validator":
        raise UsageError(f"{name} is a {status.get('role')}, and no validator", hint="./invoke cluster status NAME")
    if not (status.get("key") or {}).get("public_key"):
        raise UsageError(f"{name} has no consensus key yet", hint=hint)
    if state not in _AT_TIP:
        raise SafetyError(f"{name} is {state}: it would sign nothing, and be jailed for it", hint=hint)
    if verb == "create" and state != "not in the validator set":
        raise SafetyError(f"{name} is in the validator set already", hint=hint)


def check_jail(name: str, info: Mapping[str, Any], now: float) -> None:
    """See that the chain would let a validator out, before a fee is paid for its no.

    Args:
        name: The validator's node.
        info: Its signing info, as the chain's program prints it.
        now: Seconds since 1970.

    Raises:
        SafetyError: It is tombstoned, and never let out.
        HostError: Its time is not over.
    """
    if info.get("tombstoned"):
        raise SafetyError(f"{name} has signed twice and is tombstoned: the chain never lets this key sign again",
                          hint="a validator with a new key: ./invoke validator create NAME")  # fmt: skip
    until = str(info.get("jailed_until") or "1970-01-01T00:00:00Z")
    left = datetime.fromisoformat(until).timestamp() - now
    if left > 0:
        raise HostError(f"{name} is jailed until {until[:19]}Z, for {left:.0f} s more; nothing was sent",
                        hint="the same command once that time is over")  # fmt: skip


def create(
    public_key: str, amount: str, profile: Profile, commission: Commission, *, by_file: bool
) -> tuple[list[str], str]:
    """Words and document of create-validator.

    Args:
        public_key: The consensus key's public half, base64.
        amount: What is bonded, as `1000000uosmo`.
        profile: What it says of itself; a moniker at least.
        commission: What delegators pay.
        by_file: The program reads a file; older ones take flags.

    Raises:
        UsageError: The amount, the moniker or a rate is not of its form.
    """
    if not _AMOUNT.fullmatch(amount):
        raise UsageError(f"--amount {amount}: expected a whole number and a denomination", hint="--amount 1000000uosmo")
    if not profile.moniker:
        raise UsageError("--moniker is missing", hint="--moniker 'Our validator'")
    commission.check()
    public = consensus_key(public_key)
    rates = {"commission-rate": commission.rate, "commission-max-rate": commission.most,
             "commission-max-change-rate": commission.change, "min-self-delegation": "1"}  # fmt: skip
    words = ["staking", "create-validator"]
    if by_file:
        document = {"pubkey": public, "amount": amount, "moniker": profile.moniker, "identity": profile.identity,
                    "website": profile.website, "security": profile.security_contact, "details": profile.details,
                    **rates}  # fmt: skip
        return [*words, "{file}"], json.dumps(document)
    flags = {"pubkey": json.dumps(public), "amount": amount, **_flags(profile, "moniker"), **rates}
    return [*words, *(word for key, value in flags.items() if value for word in (f"--{key}", value))], ""


def edit(profile: Profile, rate: str) -> tuple[list[str], str]:
    """Words of edit-validator.

    Raises:
        UsageError: Nothing is to be changed, or the rate is not of its form.
    """
    flags = {key: value for key, value in _flags(profile, "new-moniker").items() if value}
    if rate:
        Commission(rate, rate, rate).check()
        flags["commission-rate"] = rate
    if not flags:
        raise UsageError("what is to be changed?", hint="./invoke validator edit --help")
    return ["staking", "edit-validator", *(word for pair in flags.items() for word in (f"--{pair[0]}", pair[1]))], ""


def unjail() -> tuple[list[str], str]:
    """Words of unjail."""
    return ["slashing", "unjail"], ""


def withdraw(operator: str) -> tuple[list[str], str]:
    """Words that fetch a validator's rewards and commission.

    Args:
        operator: The operator's address, as validators have it.
    """
    return ["distribution", "withdraw-rewards", operator, "--commission"], ""


def consensus_key(public_key: str) -> dict[str, str]:
    """A consensus key's public half, base64, in the form that chains' programs read."""
    return {"@type": "/cosmos.crypto.ed25519.PubKey", "key": public_key}


def _flags(profile: Profile, moniker: str) -> dict[str, str]:
    return {moniker: profile.moniker, "website": profile.website, "identity": profile.identity,
            "security-contact": profile.security_contact, "details": profile.details}  # fmt: skip
