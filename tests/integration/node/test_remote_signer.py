"""Validators whose key is on other machines: CometBFT's own signer, tmkms, and three cosigners of Horcrux."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from goldnode.bake.programs import gomodule
from goldnode.bake.programs.toolchain import go
from goldnode.config import network
from goldnode.node.keys import other_signers, signing_state
from goldnode.node.keys.cometbft_keys import Key
from goldnode.node.system.machine import architecture
from goldnode.progress import SILENT
from goldnode.run import run
from tests.integration.node.fleet import WORLD, Fleet, fleet
from tests.integration.node.programs import programs
from tests.integration.node.scenarios import write_genesis
from tests.integration.node.signer_machine import SignerMachine
from tests.support.cargo_tools import TMKMS
from tests.support.go_tools import HORCRUX
from tests.support.node_lab import seed
from tests.support.waiting import until

pytestmark = pytest.mark.root
KEY = Key(seed("hidden"))
CHAIN = "localnet-1"
_TMKMS = """[[chain]]
id = "{chain}"
key_format = {{ type = "hex" }}
state_file = "{folder}/tmkms.json"

[[validator]]
addr = "{laddr}"
chain_id = "{chain}"
reconnect = true
secret_key = "{folder}/identity.key"
protocol_version = "v0.38"

[[providers.softsign]]
chain_ids = ["{chain}"]
key_type = "consensus"
key_format = "json"
path = "{folder}/key.json"
"""


def cometbft(folder: Path, laddr: str) -> list[Any]:
    """CometBFT's `priv_val_server`, of the very release that localnet runs.

    It gives up a second after nobody answered, and lives on: so its machine ends it, and starts it again.
    """
    daemon = network.load("localnet").daemon
    assert daemon.source
    source = replace(daemon.source, package="./cmd/priv_val_server")
    named = replace(daemon, name="priv_val_server")
    program = gomodule.build(named, source, architecture(), go=go(SILENT), progress=SILENT).binary
    (folder / "state.json").write_text(json.dumps(signing_state.to_document(signing_state.UNUSED)))
    return ["timeout", "10", program, "-addr", laddr, "-chain-id", CHAIN, "-priv-key", folder / "key.json",
            "-priv-state", folder / "state.json"]  # fmt: skip


def tmkms(folder: Path, laddr: str) -> list[Any]:
    """Iqlusion's signer, with the key in a file."""
    (folder / "identity.key").write_text(base64.b64encode(seed("tmkms")).decode())
    (folder / "tmkms.toml").write_text(_TMKMS.format(chain=CHAIN, folder=folder, laddr=laddr))
    return [TMKMS.path(), "start", "-c", folder / "tmkms.toml"]


@pytest.mark.parametrize("signer", [cometbft, pytest.param(tmkms, marks=[pytest.mark.long, pytest.mark.timeout(3000)])])
def test_a_validator_signs_by_a_key_that_it_never_had(signer: Any, tmp_path: Path) -> None:
    """It waits for its signer and says so; what it wrote for the signer's machine is all that this one needs."""
    tools = programs(tmp_path / "programs")
    with fleet(tmp_path, tools) as made:
        machine = SignerMachine(made, tmp_path / "signer", 9)
        write_genesis(made, {KEY: 10})
        validator = made.add("val-1", "validator", **_remote([machine]))
        sentry = made.add("s-1", "sentry")
        for host in (sentry, validator):
            host.boot()
        assert until(lambda: bool(sentry.node()), 60)
        made.outside([sentry])
        assert until(lambda: "remote signer" in validator.node().get("reason", ""), 90), validator.console.read_text()
        assert KEY.address not in made.signers()

        (laddr,) = machine.tunnel([validator], "{}.conf")
        _write_key(machine.folder)
        machine.start(tools, signer(machine.folder, laddr))

        assert until(lambda: KEY.address in made.signers(), 300), machine.log
        assert until(lambda: validator.node()["state"] == "signing", 30)
        assert not validator.tree.layout.node("val-1").consensus_key.exists()


@pytest.mark.long
@pytest.mark.timeout(3000)
def test_three_cosigners_sign_for_a_validator_and_for_a_sentry(tmp_path: Path) -> None:
    """Horcrux's cosigners dial both nodes; the key goes on signing without any one of the three, and without either."""
    tools, horcrux = programs(tmp_path / "programs"), HORCRUX.path()
    with fleet(tmp_path, tools) as made:
        cosigners = [SignerMachine(made, tmp_path / f"cosigner_{number}", 200 + number) for number in (1, 2, 3)]
        write_genesis(made, {KEY: 10})
        validator = made.add("val-1", "validator", **_remote(cosigners))
        plain, signed = made.add("s-1", "sentry"), made.add("s-2", "sentry", **_remote(cosigners))
        for host in (plain, signed, validator):
            host.boot()
        assert until(lambda: bool(plain.node() and signed.node()), 60)
        made.outside([plain, signed])
        dialled = (validator, signed)
        assert until(lambda: all("remote signer" in each.node().get("reason", "") for each in dialled), 120), (
            validator.node(), signed.node())  # fmt: skip
        assert KEY.address not in made.signers()

        _write_key(tmp_path)
        run([horcrux, "create-ecies-shards", "--shards", "3", "--out", tmp_path])
        run([horcrux, "create-ed25519-shards", "--chain-id", CHAIN, "--key-file", tmp_path / "key.json",
             "--threshold", "2", "--shards", "3", "--out", tmp_path])  # fmt: skip
        peers = [word for each in cosigners for word in ("--cosigner", f"tcp://{each.address}:2222")]
        for number, each in enumerate(cosigners, 1):
            laddrs = each.tunnel([validator, signed], f"{{}}-{number}.conf")
            nodes = [word for laddr in laddrs for word in ("--node", laddr)]
            run([horcrux, "--home", each.folder, "config", "init", *nodes, *peers, "--threshold", "2"])
            each.start(tools, [horcrux, "--home", each.folder, "start"])

        assert _signs_on(made), [each.log for each in cosigners]
        assert until(lambda: (validator.node()["state"], signed.node()["state"]) == ("signing", "following"), 90), (
            validator.node(), signed.node())  # fmt: skip
        connected = [each.log.count("Connected to Sentry") for each in cosigners]
        for one in cosigners[:1]:
            one.die()
        assert _signs_on(made), [each.log for each in cosigners]
        print(f"{connected} connections; signs on without a cosigner")

        validator.halt()
        assert _signs_on(made), [each.log for each in cosigners]
        validator.boot()
        assert until(lambda: validator.node().get("state") == "signing", 120), validator.node()
        signed.halt()
        assert _signs_on(made), [each.log for each in cosigners]

        logs = [(made.folder / f"{who.name}.log").read_text(errors="replace") for who in WORLD]
        states = [each.folder / "state" / f"{CHAIN}_priv_validator_state.json" for each in cosigners]
        height = max(other_signers.parse(state.read_text(), str(state)).height for state in states)
        print(f"signs on without the validator, and without the sentry; Horcrux has signed up to {height}")
        assert [] == [log for log in logs if "onflicting vote" in log]
        assert not validator.tree.layout.node("val-1").consensus_key.exists()


def _remote(machines: Sequence[SignerMachine]) -> dict[str, Any]:
    """What node.yaml says of them."""
    return {
        "consensus_key": "remote-signer",
        "signer_keys": [each.key for each in machines],
        "signer_from": [each.address for each in machines],
    }


def _write_key(folder: Path) -> None:
    path = folder / "key.json"
    path.write_text(json.dumps(KEY.validator_document()))
    path.chmod(0o600)


def _signs_on(made: Fleet, blocks: int = 5) -> bool:
    """Whether the key signs several blocks, from some block on that is made after now."""
    begun, rpc = made._rpc.height(), made._rpc

    def signed() -> bool:
        heights = range(begun + 2, rpc.height() + 1)
        return sum(KEY.address in rpc.signers(height) for height in heights) >= blocks

    return until(signed, 120, every=1)
