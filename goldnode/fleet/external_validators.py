"""The external validators: three validators of the same chain, as processes, each with its own address.

They know nothing about the fleet.  Sentries dial them as they would dial any network's peers, and
what a sentry must not reveal is searched for in *their* address books and lists of peers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from goldnode.config.daemon import Family
from goldnode.files import write_atomic, write_json
from goldnode.fleet.plan import EXTERNAL_P2P, NETWORK, PACE, timing
from goldnode.fleet.program import Program
from goldnode.node.keys import signing_state
from goldnode.node.keys.cometbft_keys import Key
from goldnode.node.plan import daemon_config

#: The socket of an external validator, in its home: no port, so only the folder's owner may ask.
RPC = "rpc.sock"


@dataclass(frozen=True, slots=True)
class ExternalValidator:
    """A validator outside the fleet.

    Attributes:
        number: Its number, from 1.
        node_key: Its identity to its peers.
        key: Its consensus key.
    """

    number: int
    node_key: Key
    key: Key

    @property
    def name(self) -> str:
        """Its name."""
        return f"external-{self.number}"

    @property
    def address(self) -> str:
        """Its address on the fleet's network."""
        return f"{NETWORK}.{self.number}"

    @property
    def peer(self) -> str:
        """Its peer address, `id@ip:port`."""
        return f"{self.node_key.node_id}@{self.address}:{EXTERNAL_P2P}"


def prepare(
    home: Path,
    who: ExternalValidator,
    all_of_them: Sequence[ExternalValidator],
    program: Program,
    genesis: bytes,
    pace: int = PACE,
    more: daemon_config.Settings | None = None,
) -> None:
    """Fill the home of an external validator.

    Args:
        home: Its home.
        who: Which one.
        all_of_them: All external validators.
        program: The network's daemon.
        genesis: The chain's genesis file.
        pace: Seconds between two blocks.
        more: Additional settings.
    """
    config, data = home / "config", home / "data"
    write_atomic(config / "genesis.json", genesis)
    write_json(config / "node_key.json", who.node_key.node_document(), 0o600)
    write_json(config / "priv_validator_key.json", who.key.validator_document(), 0o600)
    write_json(data / "priv_validator_state.json", signing_state.to_document(signing_state.UNUSED), 0o600)
    others = [each.peer for each in all_of_them if each.number != who.number]
    usual = settings(who, others, program, pace)
    merged = daemon_config.merge(program.network.config.get("common", {}), usual, more or {})
    for name, text in program.defaults.items():
        write_atomic(config / name, daemon_config.render(name, text, merged.get(name, {})))


def settings(who: ExternalValidator, others: Sequence[str], program: Program, pace: int) -> dict[str, dict[str, Any]]:
    """The settings that differ from the defaults."""
    return {
        "config.toml": {
            "moniker": who.name,
            "p2p.laddr": f"tcp://{who.address}:{EXTERNAL_P2P}",
            "p2p.external_address": f"{who.address}:{EXTERNAL_P2P}",
            "p2p.persistent_peers": ",".join(others),
            "p2p.pex": True,
            "p2p.addr_book_strict": False,
            "p2p.allow_duplicate_ip": True,
            "rpc.laddr": f"unix://{RPC}",
            "rpc.pprof_laddr": "",
            "instrumentation.prometheus": False,
            **timing(pace),
            # Side by side on one machine they would agree within milliseconds, and who hears of a block and of its
            # commit at once does not vote on it: a validator one hop further, behind a sentry, would seldom sign.
            # Real validators are that far from each other.
            "consensus.peer_gossip_sleep_duration": f"{250 * pace}ms",
        },
        "app.toml": {
            "minimum-gas-prices": program.network.minimum_gas_prices,
            "api.enable": False,
            "grpc.enable": False,
            "grpc-web.enable": False,
        },
    }


def arguments(program: Program) -> list[str]:
    """Its command line, in its home."""
    daemon = program.network.daemon
    verb = "node" if daemon.family is Family.COMETBFT else "start"
    return [str(program.binary), verb, "--home", ".", *daemon.start_args]
