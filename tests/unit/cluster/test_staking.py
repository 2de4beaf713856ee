"""What a validator's operator asks of the chain: refused here where the chain or a jail would answer."""

from __future__ import annotations

import json
from typing import Any

import pytest

from goldnode.cluster import staking
from goldnode.cluster.staking import Commission, Profile
from goldnode.errors import SafetyError, UsageError

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
