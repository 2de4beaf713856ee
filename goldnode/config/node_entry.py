"""One node of node.yaml: what stands with it, whether the machine has one or thirty.

The entries of ``nodes:`` inherit what they do not say from the document; a plain role is an entry
that the document itself makes.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from goldnode.config import jvm_options
from goldnode.config.catch_up import TRUST_PERIOD, CatchUp, RpcServer, Snapshot, SnapshotFormat, StateSync
from goldnode.config.choices import ConsensusKey
from goldnode.config.document import Reader
from goldnode.config.network_rules import STATE_SYNC_SERVERS, host_of
from goldnode.forms import NODE_ID, SHA256, is_peer, is_url

#: Longest a node's name may be: its user is ``gn-NAME``, and a Linux user name has 32 characters.
NAME = re.compile(r"[a-z](?:[a-z0-9-]{0,22}[a-z0-9])?")
NAME_MEANING = "a name of 1 to 24 lower-case letters, digits and inner dashes"
INVITE = re.compile(r"gn1_[a-z2-7]+")
MESH_KEY = re.compile(r"[A-Za-z0-9+/]{43}=")
#: Where a signing lease may be kept; ``goldnode.node.keys.stores.store.parse_address`` takes it apart.
LEASE = re.compile(r"(?:etcd|s3)://[A-Za-z0-9._-][A-Za-z0-9._~:/?&=%,\[\]-]{1,300}|file:///[A-Za-z0-9._/-]{1,200}")
LEASE_MEANING = (
    "etcd://HOST:2379[,HOST:2379]/PREFIX, etcd://NODE-ID,NODE-ID,NODE-ID/PREFIX, s3://BUCKET/PREFIX or file:///PATH"
)
#: How many sentries keep their cluster's leases: any one of them may be lost.
LEASE_SERVERS = 3
#: Files of a daemon's home in which ``config:`` may set keys.
CONFIG_FILES = ("config.toml", "app.toml", "client.toml")
#: Roles that run no node of a network, and so need neither an invite nor a cluster.
SERVICE_ROLES = frozenset({"rendezvous"})
#: Roles of nodes that share one JVM: a JVM network has no sentries, so there is nobody to meet.
HOSTED_ROLES = frozenset({"hosted"})
#: What only a node of a JVM can have.
JVM_KEYS = ("arguments", "properties", "log", "ports_from")
#: How much a node of a JVM logs, in words that java.util.logging and logback both know.
LOG_LEVELS = ("error", "warn", "info", "debug", "trace")
WORD = re.compile(r"[^\x00-\x1f\x7f]{1,2000}")
#: Most machines of one remote signer.
SIGNERS = 9
#: What only a node of a cluster can have.
CLUSTER_KEYS = ("join", "min_sentries", "addresses", "peers", "config", "catch_up", "serve_lease")


@dataclass(frozen=True, slots=True)
class NodeEntry:
    """One node of a machine.

    Attributes:
        name: Unique on the machine; names the user, the unit instance, the home.
        role: A role that has a folder in ``roles/``.
        join: The invite, or empty once the node has joined (a scrubbed node.yaml).
        consensus_key: Where the consensus key comes from, for roles that have one.
        signer_keys: Mesh public keys of the remote signer, of each of its machines; none without a remote signer.
        signer_from: Addresses or networks that those machines raise their tunnels from.
        min_sentries: How many sentries must hold a validator before it starts.
        addresses: Public addresses a sentry announces; empty means what the machine has.
        peers: Further peers, `id@ip:port`.
        config: Keys set last, per file of the daemon's home, dotted: `{"config.toml": {"mempool.size": 9000}}`.
        metrics: Addresses or networks that may read this node's metrics.
        lease: Where its signing lease is kept; empty without one.
        takeover: Whether it takes the lease of a machine that has gone silent by itself.
        serve_lease: Node IDs of the three sentries, this one among them, that keep the cluster's leases; else empty.
        catch_up: How it reaches the tip, instead of what the network file says; None for that.
        arguments: Of a node in a JVM: words after those of the network file.
        properties: Of a node in a JVM: system properties that only it sees.
        log: Of a node in a JVM: how much it logs, one of ``LOG_LEVELS``; empty for the program's own choice.
        ports_from: Of a node in a JVM: addresses or networks that may reach its ports; nobody else may.
    """

    name: str
    role: str
    join: str = ""
    consensus_key: ConsensusKey = ConsensusKey.GENERATE
    signer_keys: tuple[str, ...] = ()
    signer_from: tuple[str, ...] = ()
    min_sentries: int = 1
    addresses: tuple[str, ...] = ()
    peers: tuple[str, ...] = ()
    config: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    metrics: tuple[str, ...] = ()
    lease: str = ""
    takeover: bool = False
    serve_lease: tuple[str, ...] = ()
    catch_up: CatchUp | None = None
    arguments: tuple[str, ...] = ()
    properties: Mapping[str, str] = field(default_factory=dict)
    log: str = ""
    ports_from: tuple[str, ...] = ()


def fences(lease: str) -> bool:
    """Whether a signing lease keeps a second machine with the key from signing; one in a file does not."""
    return bool(lease) and not lease.startswith("file:")


@dataclass(frozen=True, slots=True)
class Shared:
    """What an entry of ``nodes:`` takes from the document when it does not say it itself."""

    min_sentries: int = 1
    addresses: tuple[str, ...] = ()
    peers: tuple[str, ...] = ()
    metrics: tuple[str, ...] = ()
    config: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    lease: str = ""
    takeover: str = "manual"
    catch_up: CatchUp | None = None

    @classmethod
    def read(cls, reader: Reader, base: Shared) -> Shared:
        """What stands here, and else what ``base`` has."""
        peers = reader.texts("peers", partial(is_peer, numeric=True), "peers, as ID@203.0.113.5:26656, no names")
        return cls(
            min_sentries=reader.number("min_sentries", 0, 16, base.min_sentries),
            addresses=addresses(reader, "addresses", network=False) or base.addresses,
            peers=peers or base.peers,
            metrics=addresses(reader, "metrics", network=True) or base.metrics,
            config=_config(reader.section("config")) or base.config,
            lease=reader.text("lease", LEASE, LEASE_MEANING, base.lease),
            takeover=reader.choice("takeover", ["manual", "automatic"], base.takeover),
            catch_up=_catch_up(reader.section("catch_up")) or base.catch_up,
        )


def read(reader: Reader, role: str, shared: Shared) -> NodeEntry:
    """One node; every fault goes to the reader."""
    name = reader.text("name", NAME, NAME_MEANING, role if role in SERVICE_ROLES else None)
    consensus_key = ConsensusKey(reader.choice("consensus_key", [kind.value for kind in ConsensusKey], "generate"))
    signer_keys = reader.texts("signer_keys", MESH_KEY, "WireGuard public keys, 44 characters each", most=SIGNERS)
    signer_from = addresses(reader, "signer_from", network=True)
    remote = consensus_key is ConsensusKey.REMOTE_SIGNER
    for key, fix in (
        ("signer_keys", "the mesh public key of each signer"),
        ("signer_from", "the addresses they dial from"),
    ):
        if remote and reader.take(key) in (None, []):
            reader.fault(key, "missing", fix=f"write {fix}")
        if key in reader and not remote:
            reader.fault(key, "only consensus_key: remote-signer has a signer", fix="remove it")
    if "consensus_key" in reader and role != "validator" and not (role == "sentry" and remote):
        reader.fault("consensus_key", f"does not apply to a {role}", fix="remove it")
    if "catch_up" in reader and role == "validator":
        reader.fault("catch_up", "does not apply to a validator: it asks its own sentries only", fix="remove it")
    for key in [key for key in CLUSTER_KEYS if role in HOSTED_ROLES and key in reader]:
        reader.fault(key, f"does not apply to a {role} node: it is in no cluster", fix="remove it")
    for key in [key for key in JVM_KEYS if role not in HOSTED_ROLES and key in reader]:
        reader.fault(key, f"does not apply to a {role}: only a node of a JVM has it", fix="remove it")
    return NodeEntry(
        name=name,
        role=role,
        join=reader.text("join", INVITE, "an invite: gn1_ and lower-case letters and digits", "", secret=True),
        consensus_key=consensus_key,
        signer_keys=signer_keys,
        signer_from=signer_from,
        min_sentries=shared.min_sentries,
        addresses=shared.addresses,
        peers=shared.peers,
        config=shared.config,
        metrics=shared.metrics,
        lease=shared.lease if role == "validator" and not remote else "",
        takeover=shared.takeover == "automatic",
        serve_lease=_serve_lease(reader, role),
        catch_up=None if role == "validator" else shared.catch_up,
        arguments=reader.words("arguments", WORD, "words of the program's command line"),
        properties=_properties(reader.section("properties")),
        log=reader.choice("log", LOG_LEVELS) if "log" in reader else "",
        ports_from=addresses(reader, "ports_from", network=True),
    )


def _serve_lease(reader: Reader, role: str) -> tuple[str, ...]:
    """The sentries that keep the cluster's leases, sorted."""
    named = reader.texts("serve_lease", NODE_ID, "node IDs, 40 hex digits each", most=LEASE_SERVERS)
    if "serve_lease" in reader and role != "sentry":
        reader.fault("serve_lease", f"does not apply to a {role}: sentries keep leases", fix="remove it")
    elif "serve_lease" in reader and len(set(named)) != LEASE_SERVERS:
        reader.fault("serve_lease", "must name three sentries", fix="write the same three node IDs on each of them")
    return tuple(sorted(named))


def _properties(reader: Reader) -> Mapping[str, str]:
    """System properties of one node; those that the JDK reads for all nodes are refused."""
    found = {}
    for key, value in reader.items():
        if not jvm_options.PROPERTY.fullmatch(key) or not isinstance(value, str):
            reader.fault(key, "must be a property's name and its text", fix='write name: "value"')
        elif refused := jvm_options.own_refusal(key):
            reader.fault(key, refused[0], fix=refused[1])
        else:
            found[key] = value
    return found


def addresses(reader: Reader, key: str, *, network: bool) -> tuple[str, ...]:
    """A list of IP addresses, or of networks; what is none of them is a fault with its own line."""
    meaning = "addresses or networks, as 10.0.0.0/8" if network else "IP addresses, as 203.0.113.5"
    values = reader.texts(key, re.compile(r"[0-9a-fA-F:./]{2,49}"), meaning, most=16)
    for index, value in enumerate(values):
        try:
            if network:
                ipaddress.ip_network(value)
            else:
                ipaddress.ip_address(value)
        except ValueError as error:
            reader.fault(key, str(error), index=index)
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


def _catch_up(reader: Reader) -> CatchUp | None:
    """How this node reaches the tip; the same words as in a network file."""
    sync, snapshot = reader.section("state_sync"), reader.section("snapshot")
    found = CatchUp(
        state_sync=_state_sync(sync) if "state_sync" in reader else None,
        snapshot=_snapshot(snapshot) if "snapshot" in reader else None,
    )
    reader.close()
    return found if found != CatchUp() else None


def _state_sync(reader: Reader) -> StateSync:
    urls = reader.texts("servers", is_url, "RPC servers, as https://rpc.example.org", most=16)
    if len({host_of(url) for url in urls}) < STATE_SYNC_SERVERS:
        reader.fault("servers", "must be at least two, on different hosts: one alone cannot be trusted")
    period = reader.text("trust_period", re.compile(r"[1-9][0-9]{0,4}h"), "hours, as 168h", TRUST_PERIOD)
    reader.close()
    return StateSync(tuple(RpcServer(url.rstrip("/")) for url in urls), period)


def _snapshot(reader: Reader) -> Snapshot:
    url = reader.text("url", is_url, "where the snapshot is, as https://snapshots.example.org/latest.tar.zst")
    sha256 = reader.text("sha256", SHA256, "the archive's sha256: 64 lower-case hex digits")
    known = SnapshotFormat.of(url)
    packed = reader.choice("format", [each.value for each in SnapshotFormat], known.value if known else None)
    reader.close()
    return Snapshot(url, sha256, None, SnapshotFormat(packed))
