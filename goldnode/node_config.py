"""node.yaml: what a person writes to make a machine of our image a node.

Five lines are enough; everything else has a default:

    version: 1
    role: validator
    name: val-1
    join: gn1_…
    rendezvous: [http://203.0.113.10:8700]

Every machine runs a *list* of nodes.  A plain role is a list of length one, made from the
document itself; ``role: multi-node`` takes the list from ``nodes:``, whose entries inherit what
they do not say.  Nothing behind this module can tell the two apart.

The published schema is ``cloud-init/node.schema.json``; ``parse`` is what decides.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from goldnode.document import Reader

VERSION = 1
#: Longest a node's name may be: its user is ``gn-NAME``, and a Linux user name has 32 characters.
NAME = re.compile(r"[a-z](?:[a-z0-9-]{0,22}[a-z0-9])?")
NAME_MEANING = "a name of 1 to 24 lower-case letters, digits and inner dashes"
ROLE = re.compile(r"[a-z][a-z0-9-]{0,31}")
INVITE = re.compile(r"gn1_[a-z2-7]+")
ENDPOINT = re.compile(r"https?://(?:\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]+)(?::[0-9]{1,5})?(?:/[A-Za-z0-9._~/-]*)?")
DEVICE = re.compile(r"root|/dev/[A-Za-z0-9._/-]+|(?:LABEL|UUID)=[A-Za-z0-9._-]{1,64}")
SHA256 = re.compile(r"[0-9a-f]{64}")
SSH_KEY = re.compile(r"(?:ssh|sk-ssh|ecdsa|sk-ecdsa)-[a-z0-9@.-]+ [A-Za-z0-9+/=]+(?: [^\r\n]*)?")
MESH_KEY = re.compile(r"[A-Za-z0-9+/]{43}=")
PEER = re.compile(r"[0-9a-f]{40}@(?:\[[0-9a-f:.]+\]|[0-9.]+):[0-9]{1,5}")
#: Files of a daemon's home in which ``config:`` may set keys.
CONFIG_FILES = ("config.toml", "app.toml", "client.toml")
#: Most nodes one machine carries: the port blocks of ``goldnode.node.ports`` stay below 32768.
MAX_NODES = 30


class MeshKind(StrEnum):
    """What carries the private network between a validator and its sentries."""

    WIREGUARD = "wireguard"
    VPNCLOUD = "vpncloud"


class ConsensusKey(StrEnum):
    """Where a validator's consensus key comes from."""

    GENERATE = "generate"
    EXISTING = "existing"
    REMOTE_SIGNER = "remote-signer"


@dataclass(frozen=True, slots=True)
class NodeEntry:
    """One node of a machine.

    Attributes:
        name: Unique on the machine; names the user, the unit instance, the home.
        role: A role that has a folder in ``roles/``.
        join: The invite, or empty once the node has joined (a scrubbed node.yaml).
        consensus_key: Where the consensus key comes from, for roles that have one.
        signer_key: The remote signer's mesh public key; empty without a remote signer.
        signer_from: Addresses or networks that the signer's machine raises its tunnel from.
        min_sentries: How many sentries must hold a validator before it starts.
        addresses: Public addresses a sentry announces; empty means what the machine has.
        peers: Further peers, `id@ip:port`.
        config: Keys set last, per file of the daemon's home, dotted: `{"config.toml": {"mempool.size": 9000}}`.
        metrics: Addresses or networks that may read this node's metrics.
    """

    name: str
    role: str
    join: str = ""
    consensus_key: ConsensusKey = ConsensusKey.GENERATE
    signer_key: str = ""
    signer_from: tuple[str, ...] = ()
    min_sentries: int = 1
    addresses: tuple[str, ...] = ()
    peers: tuple[str, ...] = ()
    config: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    metrics: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class NodeConfig:
    """A machine: what its nodes share, and its nodes.

    Attributes:
        role: The role as written; `multi-node` when the nodes come from ``nodes:``.
        rendezvous: Endpoints, each an http or https URL.
        mesh: What carries the private network.
        data: `root`, or a device, `LABEL=…` or `UUID=…` that holds the nodes' homes.
        genesis_sha256: Digest of /etc/goldnode/genesis.json; empty when the image holds the genesis.
        deferred: Whether a validator may start from an image that fetches its daemon at boot.
        ssh_keys: Keys that may log in; without any, SSH stays closed.
        unattended_upgrades: Whether Debian's security upgrades run on this machine.
        serve_rendezvous: Whether the machine is also a rendezvous for others.
        nodes: At least one.
    """

    role: str
    nodes: tuple[NodeEntry, ...]
    rendezvous: tuple[str, ...] = ()
    mesh: MeshKind = MeshKind.WIREGUARD
    data: str = "root"
    genesis_sha256: str = ""
    deferred: bool = False
    ssh_keys: tuple[str, ...] = ()
    unattended_upgrades: bool = False
    serve_rendezvous: bool = False


MULTI_NODE = "multi-node"
#: Roles that run no node of a network, and so need neither an invite nor a cluster.
SERVICE_ROLES = frozenset({"rendezvous"})
#: Roles of nodes that share one JVM: a JVM network has no sentries, so there is nobody to meet.
HOSTED_ROLES = frozenset({"hosted"})
#: What only a node of a cluster can have.
CLUSTER_KEYS = ("join", "min_sentries", "addresses", "peers", "config")


def parse(text: str, file: str = "node.yaml") -> NodeConfig:
    """Read a node.yaml.

    Args:
        text: The document.
        file: Its name, for the faults.

    Raises:
        InputError: Anything is wrong; it carries every fault with line, path and value.
    """
    reader = Reader.parse(file, text)
    if reader.take("version") != VERSION:
        reader.fault("version", f"must be {VERSION}", fix=f"write version: {VERSION}")
    role = reader.text("role", ROLE, "a role, such as validator or sentry")
    mesh = MeshKind(reader.choice("mesh", [kind.value for kind in MeshKind], MeshKind.WIREGUARD))
    genesis = reader.section("genesis")
    genesis_sha256 = genesis.text("sha256", SHA256, "the genesis file's sha256, 64 hex digits", "")
    genesis.close()
    config = NodeConfig(
        role=role,
        nodes=_nodes(reader, role),
        rendezvous=reader.texts("rendezvous", ENDPOINT, "http or https URLs, as http://203.0.113.10:8700", most=8),
        mesh=mesh,
        data=reader.text("data", DEVICE, "root, /dev/NAME, LABEL=NAME or UUID=NAME", "root"),
        genesis_sha256=genesis_sha256,
        deferred=reader.choice("deferred", ["allow", "refuse"], "refuse") == "allow",
        ssh_keys=reader.texts("ssh_keys", SSH_KEY, "lines of an authorized_keys file without options", most=16),
        unattended_upgrades=reader.flag("unattended_upgrades", default=False),
        serve_rendezvous=reader.flag("serve_rendezvous", default=role == "rendezvous"),
    )
    alone = role in SERVICE_ROLES or all(entry.role in HOSTED_ROLES for entry in config.nodes)
    if not alone and "rendezvous" not in reader:
        reader.fault("rendezvous", "missing", fix="write rendezvous: [http://ADDRESS:8700]")
    if mesh is MeshKind.VPNCLOUD and any(entry.signer_key for entry in config.nodes):
        reader.fault("mesh", "vpncloud ties no address to a key: a sentry could pose as the remote signer",
                     fix="write mesh: wireguard")  # fmt: skip
    reader.finish(hint=f"goldnode check {file}")
    return config


def _nodes(reader: Reader, role: str) -> tuple[NodeEntry, ...]:
    shared = _Shared.read(reader, _Shared())
    if role != MULTI_NODE:
        if "nodes" in reader:
            reader.fault("nodes", "only role: multi-node has nodes", fix="write role: multi-node or remove nodes")
        return (_entry(reader, role, shared),)
    for key in ("name", "join", "consensus_key", "signer_key", "signer_from"):
        if key in reader:
            reader.fault(key, "stands with each node when the role is multi-node", fix=f"move it below nodes: as {key}")
    entries = []
    for each in reader.sections("nodes", most=MAX_NODES):
        own = each.text("role", ROLE, "a role, such as validator or sentry")
        if own == MULTI_NODE or own in SERVICE_ROLES:
            each.fault("role", "is a role of a whole machine, not of one node")
        entries.append(_entry(each, own, _Shared.read(each, shared)))
        each.close()
    if not entries:
        reader.fault("nodes", "missing", fix="write at least one node: - {name: val-1, role: validator, join: gn1_…}")
    names = [entry.name for entry in entries]
    for name in sorted({name for name in names if name and names.count(name) > 1}):
        reader.fault("nodes", f"the name {name} stands twice", fix="give each node a name of its own")
    return tuple(entries)


@dataclass(frozen=True, slots=True)
class _Shared:
    """What an entry of ``nodes:`` takes from the document when it does not say it itself."""

    min_sentries: int = 1
    addresses: tuple[str, ...] = ()
    peers: tuple[str, ...] = ()
    metrics: tuple[str, ...] = ()
    config: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @classmethod
    def read(cls, reader: Reader, base: _Shared) -> _Shared:
        peers = reader.texts("peers", PEER, "peers with a numeric address, as ID@203.0.113.5:26656")
        return cls(
            min_sentries=reader.number("min_sentries", 0, 16, base.min_sentries),
            addresses=_addresses(reader, "addresses", network=False) or base.addresses,
            peers=peers or base.peers,
            metrics=_addresses(reader, "metrics", network=True) or base.metrics,
            config=_config(reader.section("config")) or base.config,
        )


def _entry(reader: Reader, role: str, shared: _Shared) -> NodeEntry:
    name = reader.text("name", NAME, NAME_MEANING, role if role in SERVICE_ROLES else None)
    consensus_key = ConsensusKey(reader.choice("consensus_key", [kind.value for kind in ConsensusKey], "generate"))
    signer_key = reader.text("signer_key", MESH_KEY, "the signer's WireGuard public key, 44 characters", "")
    signer_from = _addresses(reader, "signer_from", network=True)
    remote = consensus_key is ConsensusKey.REMOTE_SIGNER
    for key, fix in (("signer_key", "the signer's mesh public key"), ("signer_from", "the addresses it dials from")):
        if remote and key not in reader:
            reader.fault(key, "missing", fix=f"write {fix}")
        if key in reader and not remote:
            reader.fault(key, "only consensus_key: remote-signer has a signer", fix="remove it")
    if "consensus_key" in reader and role != "validator":
        reader.fault("consensus_key", f"means nothing to a {role}", fix="remove it")
    for key in [key for key in CLUSTER_KEYS if role in HOSTED_ROLES and key in reader]:
        reader.fault(key, f"means nothing to a {role} node: it is in no cluster", fix="remove it")
    return NodeEntry(
        name=name,
        role=role,
        join=reader.text("join", INVITE, "an invite: gn1_ and lower-case letters and digits", "", secret=True),
        consensus_key=consensus_key,
        signer_key=signer_key,
        signer_from=signer_from,
        min_sentries=shared.min_sentries,
        addresses=shared.addresses,
        peers=shared.peers,
        config=shared.config,
        metrics=shared.metrics,
    )


def _addresses(reader: Reader, key: str, *, network: bool) -> tuple[str, ...]:
    meaning = "addresses or networks, as 10.0.0.0/8" if network else "IP addresses, as 203.0.113.5"
    values = reader.texts(key, re.compile(r"[0-9a-fA-F:./]{2,49}"), meaning, most=16)
    for value in values:
        try:
            if network:
                ipaddress.ip_network(value)
            else:
                ipaddress.ip_address(value)
        except ValueError as error:
            reader.fault(key, str(error))
    return values


def _config(reader: Reader) -> Mapping[str, Mapping[str, Any]]:
    files: dict[str, Mapping[str, Any]] = {}
    for name in CONFIG_FILES:
        if name not in reader:
            continue
        section = reader.section(name)
        files[name] = dict(section.items())
        for key, value in files[name].items():
            if not isinstance(value, str | int | float | bool | list):
                section.fault(key, "must be a text, a number or true or false", fix="write dotted keys: p2p.pex: true")
    reader.close()
    return files
