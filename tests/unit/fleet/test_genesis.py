"""The first block of a private chain."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from goldnode.fleet.genesis import Validator, plain
from goldnode.node.keys.cometbft_keys import Key

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


def test_a_genesis_names_its_validators_by_public_key_only() -> None:
    """Address, public key and power are there; the secret half is not."""
    key = Key(bytes(32))
    text = plain("localnet-1", [Validator("hidden", key, 10)], NOW)
    entry = json.loads(text)["validators"][0]

    assert (key.address, "10", "hidden") == (entry["address"], entry["power"], entry["name"])
    assert key.validator_document()["pub_key"] == entry["pub_key"]
    assert key.validator_document()["priv_key"]["value"].encode() not in text


def test_a_genesis_is_the_same_for_the_same_values() -> None:
    """Chain, time and validators decide every byte."""
    validators = [Validator("a", Key(bytes(32)), 1)]

    assert plain("x-1", validators, NOW) == plain("x-1", validators, NOW)
    assert {"chain_id": "x-1", "genesis_time": "2026-11-20T12:00:00Z"}.items() <= json.loads(
        plain("x-1", validators, NOW)
    ).items()
