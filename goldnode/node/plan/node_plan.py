"""One node's part of the plan: the daemon's files and its command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from goldnode.config.choices import ConsensusKey
from goldnode.config.daemon import Family
from goldnode.config.node_entry import NodeEntry
from goldnode.config.role import Role
from goldnode.errors import InputError
from goldnode.node.plan import daemon_config, peers, retention
from goldnode.node.plan.inputs import ImageFacts, NodeFacts
from goldnode.node.plan.peers import PeerLists

_PEER_KEYS = frozenset(PeerLists().settings())


def config_files(node: NodeFacts, image: ImageFacts) -> dict[Path, str]:
    """The daemon's config files, by path.

    Later layers win: the daemon's defaults, the network's, the role's defaults, node.yaml's; what a role
    decides cannot be changed in node.yaml, because a validator with peer exchange is not a hidden one.

    Raises:
        InputError: node.yaml sets a key that the role decides.
    """
    common = image.roles["common"]
    decided = daemon_config.merge(common.settings, node.role.settings)
    proposed = daemon_config.merge(common.defaults, node.role.defaults)
    check_overrides(node.entry, node.role, image)
    kept = retention.settings(node.role, image.network.block_time, image.network.daemon.family)
    network = [image.network.config.get(name, {}) for name in ("common", node.role.name)]
    values = _values(node, image)
    roles, proposals = daemon_config.fill(decided, values), daemon_config.fill(proposed, values)
    peer_lists = {"config.toml": peer_settings(node, image).settings()}
    fixed: dict[str, dict[str, Any]] = {
        "config.toml": {"genesis_file": "config/genesis.json", "node_key_file": "config/node_key.json"}
    }
    fixed["config.toml"] |= node.trust.settings() if node.trust else {"statesync.enable": False}
    waits = _double_sign_check(node, image)
    layers = (kept, *network, proposals, waits, node.entry.config, roles, peer_lists, fixed, _key_files(node))
    settings = daemon_config.merge(*layers)
    return {
        node.layout.home / "config" / name: daemon_config.render(name, text, settings.get(name, {}))
        for name, text in image.defaults.items()
    }


def peer_settings(node: NodeFacts, image: ImageFacts) -> PeerLists:
    """The settings for the peers that the node dials, hides and keeps."""
    return peers.lists(
        node.role.peers,
        node.members,
        fingerprint=node.fingerprint,
        network_peers=image.network.persistent_peers,
        network_seeds=image.network.seeds,
        own_peers=node.entry.peers,
    )


def arguments(node: NodeFacts, image: ImageFacts) -> list[str]:
    """The daemon's command line."""
    daemon = image.network.daemon
    verb = "node" if daemon.family is Family.COMETBFT else "start"
    return [str(image.daemon), verb, "--home", str(node.layout.home), *daemon.start_args]


def _values(node: NodeFacts, image: ImageFacts) -> dict[str, Any]:
    ports, entry = node.ports, node.entry
    address = node.addresses[0] if node.addresses else ""
    host = f"[{address}]" if ":" in address else address
    remote = entry.consensus_key is ConsensusKey.REMOTE_SIGNER
    leased = f"unix://{node.layout.daemon_socket}" if node.leased else ""
    return {
        "name": entry.name,
        "p2p": ports.p2p,
        "rpc": ports.rpc,
        "prometheus": ports.prometheus,
        "grpc": ports.grpc,
        "api": ports.api,
        "mesh_address": node.mesh_address,
        "external_address": f"{host}:{ports.p2p}" if address else "",
        "signer_address": f"tcp://[{node.mesh_address}]:{ports.signer}" if remote else leased,
        "minimum_gas_prices": image.network.minimum_gas_prices or None,
        "chain_id": image.network.chain_id,
    }


def _double_sign_check(node: NodeFacts, image: ImageFacts) -> dict[str, dict[str, Any]]:
    if node.leased or (node.role.consensus_key and image.network.single_validator):
        # A single validator makes every block: while it waits, nobody advances the chain past the check.
        # With a lease the check would only cost a takeover its first blocks.
        return {"config.toml": {"consensus.double_sign_check_height": 0}}
    return {}


def _key_files(node: NodeFacts) -> dict[str, dict[str, Any]]:
    if not node.leased and node.entry.consensus_key is not ConsensusKey.REMOTE_SIGNER:
        return {}
    # Even with a signer, CometBFT makes a key file if there is none: it must not look like a validator's.
    unused = {f"priv_validator_{kind}_file": f"data/unused_validator_{kind}.json" for kind in ("key", "state")}
    return {"config.toml": unused}


def check_overrides(entry: NodeEntry, role: Role, image: ImageFacts) -> None:
    """Check that node.yaml sets nothing that the role decides.

    Raises:
        InputError: It does; the message names the key.
    """
    decided = daemon_config.merge(image.roles["common"].settings, role.settings)
    for file, settings in entry.config.items():
        fixed = {daemon_config.plain(key) for key in decided.get(file, {})}
        fixed |= _PEER_KEYS if file == "config.toml" else set()
        for key, _ in daemon_config.flatten(settings):
            if daemon_config.plain(key) in fixed:
                raise InputError(
                    f"node.yaml: {entry.name}: config.{file}.{key} is decided by the role {role.name}",
                    hint="remove it, and run: goldnode check /etc/goldnode/node.yaml",
                )
