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

import re
from dataclasses import dataclass
from enum import StrEnum

from goldnode.config import node_entry
from goldnode.config.choices import MeshKind
from goldnode.config.document import Reader
from goldnode.config.jvm_options import HEAP, HEAP_MEANING, USUAL, Collector, JvmSettings, refusal
from goldnode.config.node_entry import HOSTED_ROLES, SERVICE_ROLES, NodeEntry
from goldnode.forms import ROLE, SHA256, is_endpoint, is_host, is_port

VERSION = 1
DEVICE = re.compile(r"root|/dev/[A-Za-z0-9._/-]+|(?:LABEL|UUID)=[A-Za-z0-9._-]{1,64}")
SSH_KEY = re.compile(r"(?:ssh|sk-ssh|ecdsa|sk-ecdsa)-[a-z0-9@.-]+ [A-Za-z0-9+/=]+(?: [^\r\n]*)?")
#: Whom a machine tells of its alerts (``goldnode.node.observe.notify``).
NOTIFY = re.compile(
    r"(?:ntfy\+)?https?://[A-Za-z0-9.-]+(?::[0-9]{1,5})?(?:/[!-~]{0,400})?"
    r"|pagerduty:[A-Za-z0-9]{16,64}"
    r"|smtps://(?:[!-~]{1,200}@)?[A-Za-z0-9.-]+(?::[0-9]{1,5})?/[^\s/@]{1,64}@[A-Za-z0-9.-]{1,200}"
)
NOTIFY_MEANING = (
    "https://HOST/PATH (webhook), ntfy+https://HOST/TOPIC, pagerduty:KEY or smtps://USER:SECRET@HOST/TO@ADDRESS"
)
#: Where a machine's journal may go.
LOG_RECEIVER = re.compile(r"syslog\+tls://([A-Za-z0-9.-]+|\[[0-9a-f:]+\])(?::([0-9]{1,5}))?")
#: The usual port of syslog over TLS (RFC 5425).
SYSLOG_TLS = 6514
PEM = re.compile(r"(?:-----BEGIN CERTIFICATE-----\s[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----\s*){1,16}")
#: Most nodes one machine carries: the port blocks of ``goldnode.node.plan.ports`` stay below 32768.
MAX_NODES = 30


class OutgoingRule(StrEnum):
    """What the machine's daemons may dial."""

    OPEN = "open"
    STRICT = "strict"


@dataclass(frozen=True, slots=True)
class LogReceiver:
    """Whom a machine sends its journal to.

    Attributes:
        host: A name or an address, without brackets; its certificate must be for that.
        port: TCP.
        ca: Certificates of whoever may have signed it, PEM; empty for those that Debian trusts.
    """

    host: str
    port: int = SYSLOG_TLS
    ca: str = ""


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
        ssh_from: Addresses or networks that they may log in from; empty means the world.
        outgoing: `strict` lets validators dial their mesh only.
        unattended_upgrades: Whether Debian's security upgrades run on this machine.
        serve_rendezvous: Whether the machine is also a rendezvous for others.
        jvm: How its JVM is started, where its nodes share one.
        notify: Whom the machine tells of its alerts; each a secret.
        logs: Whom the machine sends its journal to; None for nobody.
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
    ssh_from: tuple[str, ...] = ()
    outgoing: OutgoingRule = OutgoingRule.OPEN
    unattended_upgrades: bool = False
    serve_rendezvous: bool = False
    jvm: JvmSettings = USUAL
    notify: tuple[str, ...] = ()
    logs: LogReceiver | None = None


MULTI_NODE = "multi-node"


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
        rendezvous=reader.texts("rendezvous", is_endpoint, "http or https URLs, as http://203.0.113.10:8700", most=8),
        mesh=mesh,
        data=reader.text("data", DEVICE, "root, /dev/NAME, LABEL=NAME or UUID=NAME", "root"),
        genesis_sha256=genesis_sha256,
        deferred=reader.choice("deferred", ["allow", "refuse"], "refuse") == "allow",
        ssh_keys=reader.texts("ssh_keys", SSH_KEY, "lines of an authorized_keys file without options", most=16),
        ssh_from=node_entry.addresses(reader, "ssh_from", network=True),
        outgoing=OutgoingRule(reader.choice("outgoing", [kind.value for kind in OutgoingRule], OutgoingRule.OPEN)),
        unattended_upgrades=reader.flag("unattended_upgrades", default=False),
        serve_rendezvous=reader.flag("serve_rendezvous", default=role == "rendezvous"),
        jvm=_jvm(reader.section("jvm")),
        notify=reader.texts("notify", NOTIFY, NOTIFY_MEANING, most=8, secret=True),
        logs=_logs(reader.section("logs")) if "logs" in reader else None,
    )
    if "jvm" in reader and not any(entry.role in HOSTED_ROLES for entry in config.nodes):
        reader.fault("jvm", "has no meaning for nodes that are no part of a JVM", fix="remove it")
    alone = role in SERVICE_ROLES or all(entry.role in HOSTED_ROLES for entry in config.nodes)
    if not alone and "rendezvous" not in reader:
        reader.fault("rendezvous", "missing", fix="write rendezvous: [http://ADDRESS:8700]")
    if "ssh_from" in reader and "ssh_keys" not in reader:
        reader.fault("ssh_from", "nobody may log in: there are no ssh_keys", fix="write ssh_keys: or remove it")
    if mesh is MeshKind.VPNCLOUD and any(entry.signer_keys for entry in config.nodes):
        reader.fault("mesh", "vpncloud ties no address to a key: a sentry could pose as the remote signer",
                     fix="write mesh: wireguard")  # fmt: skip
    reader.finish(hint=f"goldnode check {file}")
    return config


def _logs(reader: Reader) -> LogReceiver | None:
    """Whom the journal goes to."""
    to = reader.text("to", LOG_RECEIVER, "syslog+tls://HOST or syslog+tls://HOST:PORT")
    ca = reader.text("ca", PEM, "certificates as PEM, from -----BEGIN CERTIFICATE----- on", "")
    reader.close()
    found = LOG_RECEIVER.fullmatch(to)
    if not found:
        return None
    host, port = found[1], found[2] or str(SYSLOG_TLS)
    if not is_host(host) or not is_port(port):
        reader.fault("to", "is no machine's name or address", fix="write to: syslog+tls://logs.example.org:6514")
        return None
    return LogReceiver(host.strip("[]"), int(port), ca)


def _jvm(reader: Reader) -> JvmSettings:
    """How the JVM of this machine is started."""
    options = reader.words("options", re.compile(r"-[^\x00-\x1f\x7f]{1,500}"), "options of the JVM, as -Xlog:gc")
    for index, option in enumerate(options):
        if why := refusal(option):
            reader.fault("options", why[0], fix=why[1], index=index)
    found = JvmSettings(
        heap=reader.text("heap", HEAP, HEAP_MEANING, USUAL.heap),
        collector=Collector(reader.choice("collector", [each.value for each in Collector], USUAL.collector)),
        options=options,
    )
    reader.close()
    return found


def _nodes(reader: Reader, role: str) -> tuple[NodeEntry, ...]:
    shared = node_entry.Shared.read(reader, node_entry.Shared())
    if role != MULTI_NODE:
        if "nodes" in reader:
            reader.fault("nodes", "only role: multi-node has nodes", fix="write role: multi-node or remove nodes")
        return (node_entry.read(reader, role, shared),)
    for key in ("name", "join", "consensus_key", "signer_keys", "signer_from"):
        if key in reader:
            reader.fault(key, "belongs to each node when the role is multi-node", fix=f"move it below nodes: as {key}")
    entries = []
    for each in reader.sections("nodes", most=MAX_NODES):
        own = each.text("role", ROLE, "a role, such as validator or sentry")
        if own == MULTI_NODE or own in SERVICE_ROLES:
            each.fault("role", "is a role of a whole machine, not of one node")
        entries.append(node_entry.read(each, own, node_entry.Shared.read(each, shared)))
        each.close()
    if not entries:
        reader.fault("nodes", "missing", fix="write at least one node: - {name: val-1, role: validator, join: gn1_…}")
    names = [entry.name for entry in entries]
    for name in sorted({name for name in names if name and names.count(name) > 1}):
        reader.fault("nodes", f"the name {name} appears twice", fix="give each node its own name")
    return tuple(entries)
