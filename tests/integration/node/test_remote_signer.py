"""A validator whose key is on another machine: CometBFT's own signer, over a tunnel of its own."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from goldnode.bake.programs import gomodule
from goldnode.bake.programs.toolchain import go
from goldnode.config import network
from goldnode.fleet.plan import NETWORK
from goldnode.node.keys import signing_state
from goldnode.node.keys.cometbft_keys import Key
from goldnode.node.plan import wireguard
from goldnode.node.system.machine import architecture
from goldnode.progress import SILENT
from tests.integration.node.fleet import fleet
from tests.integration.node.programs import programs
from tests.integration.node.scenarios import write_genesis
from tests.support.node_lab import seed
from tests.support.waiting import until

pytestmark = pytest.mark.root
KEY = Key(seed("hidden"))
#: The signer's machine.
ADDRESS = f"{NETWORK}.9"
#: What a person types there.  CometBFT's signer gives up a second after nobody answered, so it is started again.
SIGN = """set -e
mkdir -p /var/run/wireguard
mount -t tmpfs none /var/run/wireguard
wg-quick up {folder}/goldnode.conf
while true; do
  timeout 30 {program} -addr {laddr} -chain-id localnet-1 -priv-key {folder}/key.json -priv-state {folder}/state.json ||
    sleep 1
done
"""


def signer_program() -> Path:
    """CometBFT's `priv_val_server`, of the very release that localnet runs."""
    daemon = network.load("localnet").daemon
    assert daemon.source
    source = replace(daemon.source, package="./cmd/priv_val_server")
    named = replace(daemon, name="priv_val_server")
    return gomodule.build(named, source, architecture(), go=go(SILENT), progress=SILENT).binary


def test_a_validator_signs_by_a_key_that_it_never_had(tmp_path: Path) -> None:
    """It waits for its signer and says so; what it wrote for the signer's machine is all that this one needs."""
    tools, program = programs(tmp_path / "programs"), signer_program()
    secret = wireguard.clamp(seed("signer"))
    remote: dict[str, Any] = {
        "consensus_key": "remote-signer",
        "signer_key": wireguard.public(secret),
        "signer_from": [ADDRESS],
    }
    with fleet(tmp_path, tools) as made:
        write_genesis(made, {KEY: 10})
        validator, sentry = made.add("val-1", "validator", **remote), made.add("s-1", "sentry")
        for host in (sentry, validator):
            host.boot()
        assert until(lambda: bool(sentry.node()), 30)
        made.outside([sentry])
        assert until(lambda: "remote signer" in validator.node().get("reason", ""), 90), validator.console.read_text()
        assert KEY.address not in made.signers()

        told = validator.tree.layout.at("/etc/goldnode/signers/val-1.conf").read_text()
        filled = told.replace(f"THE-SECRET-HALF-OF {remote['signer_key']}", secret)
        tmp_path.joinpath("goldnode.conf").write_text(
            filled.replace("ADDRESS-OF-THE-MACHINE-OF-val-1", validator.address)
        )
        tmp_path.joinpath("key.json").write_text(json.dumps(KEY.validator_document()))
        tmp_path.joinpath("state.json").write_text(json.dumps(signing_state.to_document(signing_state.UNUSED)))
        laddr = next(word for word in told.split() if word.startswith("tcp://"))
        script = SIGN.format(folder=tmp_path, program=program, laddr=laddr)
        space = f"{made.prefix}-signer"
        made.plug(space, ADDRESS)
        argv = ["env", f"WG_QUICK_USERSPACE_IMPLEMENTATION={tools / 'wireguard'}", "bash", "-c", script]
        with (tmp_path / "signer.log").open("ab") as log:
            made.stack.enter_context(made.inside(space, argv, stdout=log, stderr=log))

        assert until(lambda: KEY.address in made.signers(), 120), (tmp_path / "signer.log").read_text()[-3000:]
        assert until(lambda: validator.node()["state"] == "signing", 30)
        assert not validator.tree.layout.node("val-1").consensus_key.exists()
