"""A validator's life by commands alone: created, jailed, warned of before and told after, unjailed, edited, paid."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from goldnode.fleet.genesis import BOND, DENOMINATION
from goldnode.fleet.history import RPC_PORT
from goldnode.fleet.plan import NETWORK, timing
from goldnode.run import run
from tests.integration.node.fleet import RENDEZVOUS, WORLD, Fleet, Host, fleet
from tests.integration.node.programs import programs
from tests.integration.node.scenarios import write_genesis
from tests.integration.node.test_orders import types
from tests.support.monitors import Monitors, monitors
from tests.support.order_lab import operators_folder
from tests.support.waiting import until

pytestmark = [pytest.mark.root, pytest.mark.long, pytest.mark.timeout(1800)]
SERVER = f"http://{WORLD[0].address}:{RPC_PORT}"

#: Seconds in jail: long enough for the alert, and for its node to be at the tip again, to come first.
JAIL = 240


def _strict(document: dict[str, Any]) -> None:
    """A chain that jails after 75 blocks, and for four minutes instead of ten."""
    document["app_state"]["slashing"]["params"] |= {
        "signed_blocks_window": "150",
        "min_signed_per_window": "0.5",
        "downtime_jail_duration": f"{JAIL}s",
    }


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Fleet, Host, Monitors]]:
    """A node that is a validator's by role, and on the chain none yet; its sentry; what watches both."""
    tools = programs(tmp_path_factory.mktemp("programs"), name="localwasm")
    more: dict[str, Any] = {"metrics": [f"{NETWORK}.0/24"], "config": {"config.toml": timing(1)}}
    with fleet(tmp_path_factory.mktemp("fleet"), tools, name="localwasm") as made:
        write_genesis(made, {}, quick=True, change=_strict)
        validator, sentry = made.add("val-1", "validator", **more), made.add("s-1", "sentry", **more)
        for host in (sentry, validator):
            host.boot()
        assert until(lambda: bool(sentry.node()), 60)
        made.outside([sentry])
        fine = "not in the validator set"
        assert until(lambda: validator.node().get("state") == fine, 180), validator.console.read_text()
        operators_folder(made.folder / "clusters", RENDEZVOUS)
        _fund(made)
        with monitors(made, [validator, sentry]) as seen:
            yield made, validator, seen


def _fund(made: Fleet) -> None:
    """Give the operator's account, alice, what a validator of the world has left."""
    keyring = made.folder / "voters"
    at = ["--keyring-backend", "test", "--keyring-dir", keyring]
    made_key = _chain(made, ["keys", "add", "alice", *at, "--output", "json"])
    address = json.loads(made_key)["address"]
    words = ["tx", "bank", "send", WORLD[0].name, address, f"{8 * BOND}{DENOMINATION}", *at, "--chain-id"]
    words += [made.program.network.chain_id, "--node", SERVER, "--yes", "--output", "json"]
    assert 0 == json.loads(_chain(made, words))["code"]
    balance = ["query", "bank", "balances", address, "--node", SERVER, "--output", "json"]
    assert until(lambda: json.loads(_chain(made, balance))["balances"], 60, 1)


def _chain(made: Fleet, words: list[Any]) -> str:
    """Ask the chain's own program, in the world."""
    argv = ["ip", "netns", "exec", made.world, made.program.binary, *words]
    done = run(argv, env=made.program.environment(made.folder), timeout=60)
    return done.stdout or done.stderr


def by(made: Fleet) -> str:
    """The end of each command: alice signs, and a server of the world takes it."""
    keyring = Path(made.folder, "voters")
    return f"--account alice --keyring {keyring} --backend test --rpc {SERVER} --cluster lab"


def test_a_validators_life_by_commands(running: tuple[Fleet, Host, Monitors]) -> None:
    """Nobody logs in: created, it signs; held, it is warned of and jailed; started and unjailed, it signs again."""
    made, validator, seen = running
    code, said = types(made, f"validator create val-1 --amount {5 * BOND}{DENOMINATION} --moniker Alice {by(made)}")
    assert (0, True) == (code, "val-1 is a validator" in said), said
    assert until(lambda: validator.node().get("state") == "signing", 60), validator.node()
    code, said = types(made, f"validator create val-1 --amount {BOND}{DENOMINATION} --moniker Bob {by(made)}")
    assert (8, True) == (code, "is in the validator set already" in said), said

    assert 0 == types(made, "node val-1 hold --cluster lab")[0]
    warned = seen.wait("ValidatorNotSigning", 120)
    jailed = warned + seen.wait("ValidatorJailed", 240)
    assert {"ValidatorNotSigning", "ValidatorNearJail", "ValidatorJailed"} == seen.told()
    print(f"held: ValidatorNotSigning told after {warned:.0f} s, ValidatorJailed after {jailed:.0f} s")
    code, said = types(made, f"validator unjail val-1 {by(made)}")
    assert (8, True) == (code, "would sign nothing" in said), said
    assert 0 == types(made, "node val-1 start --cluster lab --within 300")[0], validator.console.read_text()
    code, said = types(made, f"validator unjail val-1 {by(made)}")
    assert (4, True) == (code, "val-1 is jailed until" in said), said
    assert until(lambda: "val-1 is unjailed" in types(made, f"validator unjail val-1 {by(made)}")[1], 300, every=10)

    assert until(lambda: validator.node().get("state") == "signing", 60), validator.node()
    print(f"unjailed: ValidatorJailed resolved after {seen.wait('ValidatorJailed', 300, 'resolved'):.0f} s")
    code, said = types(made, f"validator edit --details House --commission-rate 0.06 {by(made)}")
    assert (4, True) == (code, "24h" in said), said  # the chain's own rule: a commission changes once a day
    code, said = types(made, f"validator edit --details House {by(made)}")
    assert 0 == code, said
    assert "House" in _chain(made, ["query", "staking", "validators", "--node", SERVER, "--output", "json"])
    code, said = types(made, f"validator withdraw {by(made)}")
    assert (0, True) == (code, "rewards and commission are withdrawn" in said), said


def test_without_a_keyring_the_transaction_is_written_for_another_signer(running: tuple[Fleet, Host, Monitors]) -> None:
    """The same transaction, unsigned, with fee and account; nothing is sent."""
    made, validator, _ = running
    known = {"signing", "not in the validator set"}
    assert until(lambda: validator.node().get("state") in known, 120), validator.node()
    at = ["--keyring-backend", "test", "--keyring-dir", made.folder / "voters"]
    address = _chain(made, ["keys", "show", "alice", "--address", *at]).strip()
    out = made.folder / "tx.json"

    code, said = types(made, f"validator unjail val-1 --account {address} --cluster lab --out {out}")

    assert 0 == code, said
    document = json.loads(out.read_text())
    assert ["/cosmos.slashing.v1beta1.MsgUnjail"] == [each["@type"] for each in document["body"]["messages"]]
    assert [] == document["signatures"]
