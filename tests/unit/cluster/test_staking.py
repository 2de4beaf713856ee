"""What a validator's operator asks of the chain: refused here where the chain or a jail would answer."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from goldnode.cluster import staking
from goldnode.cluster.staking import Commission, Profile
from goldnode.errors import HostError, SafetyError, UsageError

STATUS: dict[str, Any] = {
    "name": "val-1",
    "role": "validator",
    "state": "not in the validator set",
    "key": {"public_key": "cHVi"},
}
USUAL = Commission("0.05", "0.2", "0.01")


@pytest.mark.parametrize("verb", ["create", "unjail"])
@pytest.mark.parametrize("state", ["syncing", "stalled", "starting", "stopped", "refused", "crash loop"])
def test_what_would_be_jailed_is_refused(verb: str, state: str) -> None:
    """A node that has not all blocks would sign nothing."""
    with pytest.raises(SafetyError, match=f"val-1 is {state}"):
        staking.check_node({**STATUS, "state": state}, verb)


def test_a_validator_is_made_once() -> None:
    """A node that signs is none to be created; it may be unjailed as far as the node is asked."""
    with pytest.raises(SafetyError, match="already"):
        staking.check_node({**STATUS, "state": "signing"}, "create")
    staking.check_node({**STATUS, "state": "signing"}, "unjail")
    with pytest.raises(UsageError, match="s-1 is a sentry"):
        staking.check_node({"name": "s-1", "role": "sentry", "state": "following"}, "create")
    with pytest.raises(UsageError, match="no consensus key"):
        staking.check_node({**STATUS, "key": None}, "create")


def test_who_is_in_jail_is_told_how_long() -> None:
    """To the second, in the chain's own time; one that is out, or was never in, passes."""
    info = {"jailed_until": "2026-11-30T03:15:00.123456789Z", "tombstoned": False}
    at = datetime(2026, 11, 30, 3, 14, tzinfo=UTC).timestamp()
    with pytest.raises(HostError, match="val-1 is jailed until 2026-11-30T03:15:00Z, for 60 s more"):
        staking.check_jail("val-1", info, at)
    staking.check_jail("val-1", info, at + 61)
    staking.check_jail("val-1", {"jailed_until": "1970-01-01T00:00:00Z"}, at)
    staking.check_jail("val-1", {}, at)


def test_who_signed_twice_is_told_that_it_is_for_ever() -> None:
    """Whatever its date says."""
    with pytest.raises(SafetyError, match="never lets this key sign again"):
        staking.check_jail("val-1", {"jailed_until": "9999-12-31T23:59:59Z", "tombstoned": True}, 0.0)


def test_both_forms_say_the_same() -> None:
    """A program that reads a file and one that takes flags are told key, amount, name and rates."""
    words, document = staking.create("cHVi", "5uosmo", Profile("Alice"), USUAL, by_file=True)
    flags, nothing = staking.create("cHVi", "5uosmo", Profile("Alice"), USUAL, by_file=False)

    said = json.loads(document)
    given = dict(zip(flags[2::2], flags[3::2], strict=True))
    assert ["staking", "create-validator", "{file}"] == words
    assert "" == nothing
    assert said["pubkey"] == json.loads(given.pop("--pubkey"))
    assert given == {f"--{key}": value for key, value in said.items() if isinstance(value, str) and value}


@pytest.mark.parametrize(
    ("amount", "moniker", "rate", "said"),
    [
        ("5", "A", "0.05", "--amount 5"),
        ("0uosmo", "A", "0.05", "--amount 0uosmo"),
        ("5uosmo", "", "0.05", "--moniker"),
        ("5uosmo", "A", "5%", "--commission-rate 5%"),
        ("5uosmo", "A", "1.5", "--commission-rate 1.5"),
    ],
)
def test_what_is_of_no_form_is_said(amount: str, moniker: str, rate: str, said: str) -> None:
    """The sentence names the option."""
    with pytest.raises(UsageError, match=said):
        staking.create("cHVi", amount, Profile(moniker), Commission(rate, "0.2", "0.01"), by_file=True)


def test_an_edit_names_what_it_changes() -> None:
    """Only what was given is changed; nothing given is a mistake."""
    assert ["staking", "edit-validator", "--details", "x", "--commission-rate", "0.06"] == staking.edit(
        Profile(details="x"), "0.06"
    )[0]
    with pytest.raises(UsageError, match="what is to be changed"):
        staking.edit(Profile(), "")
