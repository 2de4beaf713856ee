"""What a node says about itself, and the rule for each field.

Everything here ends up in other nodes' configuration files, firewalls and terminals, so each
field has a narrow form, and a value outside it refuses the whole record
(docs/rendezvous-protocol.md, section 5).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from goldnode.forms import NODE_ID, PORT_MAX
from goldnode.protocol import limits
from goldnode.protocol.address import is_dialable
from goldnode.protocol.wire import HASH_TEXT, refuse

_MONIKER = re.compile(r"[ -~]{1,70}")
_CHAIN_ID = re.compile(r"[A-Za-z0-9._-]{1,50}")
_GENESIS = re.compile(r"([0-9a-f]{64})?")
_BOOT = re.compile(r"[0-9a-f]{32}")
_MESH_TYPE = re.compile(r"wireguard|vpncloud")
_MESH_KEY = re.compile(r"[A-Za-z0-9+/=]{1,64}")
#: An Ed25519 public key and a signature, in the base64 of ``wire``.
_PROOF = {"key": re.compile(r"[A-Za-z0-9+/_-]{43}=?"), "proof": re.compile(r"[A-Za-z0-9+/_-]{86}(==)?")}


@dataclass(frozen=True, slots=True)
class Mesh:
    """How to reach a node's mesh: `wireguard` or `vpncloud`, its public key, its UDP port."""

    type: str
    key: str
    port: int


@dataclass(frozen=True, slots=True)
class Consensus:
    """What a validator says about its consensus key.

    Attributes:
        address: 40 hex digits.
        height: The last height it signed.
        key: The public key, base64; empty from a node that proves nothing.
        proof: That the node holds it (``protocol.key_proof``), base64; empty likewise.
    """

    address: str
    height: int
    key: str = ""
    proof: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """What a node says about itself.

    Attributes:
        moniker: Name for people, printable ASCII.
        chain_id: The chain it runs.
        genesis: Hex SHA-256 of its genesis file; empty while it has none.
        instance: Hex SHA-256 of what identifies the machine.
        boot: Hex of 16 random bytes, new with each boot.
        mesh: Its end of the mesh; None without one.
        p2p_port: 0 for none.
        addresses: IP addresses others may dial; none for a validator.
        consensus: From a validator that has signed.
        loaded: From a sentry: validators it runs with as private and unconditional peers.
        orders: Which life of the node takes orders, 32 hex digits; empty if it takes none.
    """

    moniker: str
    chain_id: str
    genesis: str
    instance: str
    boot: str
    mesh: Mesh | None = None
    p2p_port: int = 0
    addresses: tuple[str, ...] = ()
    consensus: Consensus | None = None
    loaded: tuple[str, ...] = ()
    orders: str = ""


def read_facts(document: Mapping[str, Any]) -> Facts:
    """Check each field of a node's facts.

    Raises:
        ExchangeError: `malformed`, naming the field.
    """
    return Facts(
        moniker=text_of(document, "moniker", _MONIKER),
        chain_id=text_of(document, "chain_id", _CHAIN_ID),
        genesis=text_of(document, "genesis", _GENESIS),
        instance=text_of(document, "instance", HASH_TEXT),
        boot=text_of(document, "boot", _BOOT),
        mesh=_mesh(document),
        p2p_port=number_of(document, "p2p_port", 0, PORT_MAX),
        addresses=_list(document, "addresses", limits.ADDRESSES, is_dialable),
        consensus=_consensus(document),
        loaded=_list(document, "loaded", limits.LOADED, lambda text: bool(NODE_ID.fullmatch(text))),
        orders=text_of(document, "orders", _BOOT) if "orders" in document else "",
    )


def write_facts(facts: Facts) -> dict[str, Any]:
    """The facts as the JSON fields of an announcement."""
    mesh, consensus = facts.mesh, facts.consensus
    return {
        "moniker": facts.moniker,
        "chain_id": facts.chain_id,
        "genesis": facts.genesis,
        "mesh": mesh and {"type": mesh.type, "key": mesh.key, "port": mesh.port},
        "p2p_port": facts.p2p_port,
        "addresses": list(facts.addresses),
        "boot": facts.boot,
        "instance": facts.instance,
        "consensus": consensus and _write_consensus(consensus),
        "loaded": list(facts.loaded),
        **({"orders": facts.orders} if facts.orders else {}),
    }


def text_of(document: Mapping[str, Any], name: str, pattern: re.Pattern[str]) -> str:
    """A string of the given form; raises `malformed` otherwise."""
    value = document.get(name)
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise refuse(f"{name} is missing or malformed")
    return value


def number_of(document: Mapping[str, Any], name: str, least: int = 0, most: int = limits.SEQ_MAX) -> int:
    """An integer within bounds; raises `malformed` otherwise."""
    value = document.get(name)
    if type(value) is not int or not least <= value <= most:
        raise refuse(f"{name} is missing or not a number from {least} to {most}")
    return value


def part_of(document: Mapping[str, Any], name: str, keys: set[str]) -> Mapping[str, Any]:
    """An object with at least these keys; raises `malformed` otherwise."""
    value = document.get(name)
    if not isinstance(value, dict) or not keys <= set(value):
        raise refuse(f"{name} is missing or not an object with {', '.join(sorted(keys))}")
    return value


def _list(document: Mapping[str, Any], name: str, most: int, fits: Callable[[str], bool]) -> tuple[str, ...]:
    value = document.get(name)
    if not isinstance(value, list) or len(value) > most:
        raise refuse(f"{name} is missing or not a list of at most {most}")
    if not all(isinstance(item, str) and fits(item) for item in value):
        raise refuse(f"{name} holds an invalid entry")
    return tuple(value)


def _mesh(document: Mapping[str, Any]) -> Mesh | None:
    if document.get("mesh", 0) is None:
        return None
    mesh = part_of(document, "mesh", {"type", "key", "port"})
    kind, key = text_of(mesh, "type", _MESH_TYPE), text_of(mesh, "key", _MESH_KEY)
    return Mesh(kind, key, number_of(mesh, "port", 1, PORT_MAX))


def _consensus(document: Mapping[str, Any]) -> Consensus | None:
    if document.get("consensus", 0) is None:
        return None
    consensus = part_of(document, "consensus", {"address", "height"})
    proof = {name: text_of(consensus, name, form) for name, form in _PROOF.items() if name in consensus}
    return Consensus(text_of(consensus, "address", NODE_ID), number_of(consensus, "height"), **proof)


def _write_consensus(consensus: Consensus) -> dict[str, Any]:
    proof = {"key": consensus.key, "proof": consensus.proof} if consensus.proof else {}
    return {"address": consensus.address, "height": consensus.height, **proof}
