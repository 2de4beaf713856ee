"""What must hold in a network file beyond its shape; pure, document in, findings out.

A rule looks only at values whose type is right: a wrong type is the schema's finding.
"""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from goldnode import forms
from goldnode.config import jvm_options
from goldnode.config.catch_up import SnapshotFormat
from goldnode.config.source import Where
from goldnode.fetch.artifact import Format

#: Where, why it is wrong, and what to write instead.
Finding = tuple[Where, str, str]

#: The form of every URL in a network file, as `network.schema.json` has it.
URL = re.compile(r"https?://[A-Za-z0-9._-]+(:[0-9]{1,5})?(/[^\s\"'<>\\]*)?")
#: Names by which clouds offer a machine its own secrets.
METADATA = frozenset({"metadata", "metadata.google.internal", "instance-data", "instance-data.ec2.internal"})
#: Set to 1 by who serves artifacts on this very machine; names and addresses of it are refused otherwise.
LOOPBACK_ALLOWED = "GOLDNODE_LOOPBACK"
JAR = re.compile(r"[0-9a-f]{64}  [\w.-]+:[\w.-]+:[\w.-]+(:[\w.-]+)?")
#: Offsets that every node uses inside its block of 100 ports.
TAKEN = {17: "api", 56: "p2p", 57: "rpc", 59: "remote signer", 60: "prometheus", 90: "grpc"}
#: Pages of a forge about a file, a tag or a folder.
FORGE_PAGE = re.compile(r"//(github\.com|gitlab\.com|codeberg\.org)/[^/]+/[^/]+(/-)?/(blob|tree|releases/tag)/")
#: State sync trusts what two independent servers agree on.
STATE_SYNC_SERVERS = 2


def findings(document: Mapping[str, Any], file: Path) -> Iterator[Finding]:
    """Everything wrong that a JSON Schema cannot say.

    Args:
        document: The file's data, of any shape.
        file: Where it stands: its name is the network's, jar lists stand beside it.
    """
    name = document.get("name")
    if isinstance(name, str) and name != file.stem:
        yield ("name",), "differs from the file's name", f"write {file.stem}, or leave it out"
    yield from _peers(document, "seeds")
    yield from _peers(document, "persistent_peers")
    yield from _urls(document)
    yield from _gas_prices(document.get("minimum_gas_prices"))
    yield from _artifacts(document)
    yield from _daemon(_mapping(document.get("daemon")), file)
    yield from _upgrades(document)
    yield from _ports(_mapping(document.get("ports")))
    yield from _catch_up(_mapping(document.get("catch_up")))
    yield from _meshes(document)


def peer_fault(text: str, *, importing: bool = False) -> tuple[str, str] | None:
    """Why a daemon would choke on a peer, and what to write; None when it is fine.

    One malformed entry in config.toml keeps CometBFT from starting at all.

    Args:
        text: ``id@host:port``.
        importing: It comes from a registry, where an address that is not public is a mistake.
    """
    if text != text.strip():
        return "has a space before or after it", f"write {text.strip()}"
    if text.count("@") != 1:
        return "is not id@host:port", "write 40 hex digits, one @, a host, a colon and a port"
    node_id, address = text.split("@")
    if forms.NODE_ID.fullmatch(node_id.lower()) and node_id != node_id.lower():
        return "has an id in upper case, which CometBFT never finds equal", f"write {node_id.lower()}@{address}"
    if not forms.NODE_ID.fullmatch(node_id):
        return "has an id that is not 40 hex digits", "ask the operator for the output of show-node-id"
    host, _, port = address.rpartition(":")
    if not forms.is_port(port):
        return "has no port from 1 to 65535", f"write {node_id}@{host or address}:26656"
    if not forms.is_host(host):
        return "has no valid host", "write a name, an IPv4 address, or [an IPv6 address]"
    if importing and not _is_public(host.strip("[]")):
        return "has an address that is not public", "ask the operator for the public one"
    return None


def url_fault(url: str, *, importing: bool = False) -> str:
    """Why nothing should be fetched from a URL of the right form; empty when it is fine.

    Whoever wrote the URL could otherwise make the operator's machine ask itself, or the cloud's
    metadata service, for something (OWASP: server-side request forgery).

    Args:
        url: http or https.
        importing: It comes from a registry, where an address of a private network is a mistake.
    """
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").rstrip("."), parts.port
    except ValueError:
        return "is not a URL"
    if port == 0:
        return "has port 0"
    if host in METADATA:
        return "names a cloud's metadata service"
    address = _address(host)
    if address is None:
        looks_numeric = re.fullmatch(r"[0-9]+|0[xX][0-9a-fA-F]*", host.rpartition(".")[2])
        if looks_numeric or not re.fullmatch(r"(?=.{1,253}\Z)[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*", host):
            return "has no valid host"
        local = host == "localhost" or host.endswith((".localhost", ".local", ".internal"))
        return "names this machine or a private network" if local and not _loopback_allowed() else ""
    if address.is_link_local or address.is_multicast or address.is_unspecified or address.is_reserved:
        return "names an address that no public server has"
    if address.is_loopback:
        return "" if _loopback_allowed() else "names this very machine"
    return "names an address of a private network" if importing and not address.is_global else ""


def _loopback_allowed() -> bool:
    return os.environ.get(LOOPBACK_ALLOWED) == "1"


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _is_public(host: str) -> bool:
    """Whether others can reach a peer there; a name is taken on trust, unless it says that it is local."""
    address = _address(host)
    if address is not None:
        return address.is_global and not address.is_multicast
    return "." in host and not host.lower().endswith((".localhost", ".local", ".internal"))


def host_of(url: str) -> str:
    """The host a URL names, in lower case; empty when it names none."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def _peers(document: Mapping[str, Any], field: str) -> Iterator[Finding]:
    seen: dict[str, int] = {}
    for index, peer in _texts(document.get(field)):
        wrong = peer_fault(peer)
        if wrong:
            yield (field, index), *wrong
        elif peer in seen:
            yield (field, index), f"stands already as entry {seen[peer]}", "remove one"
        seen.setdefault(peer, index)


def _urls(value: Any, where: Where = ()) -> Iterator[Finding]:
    """Every URL of the file that nothing should be fetched from."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _urls(inner, (*where, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _urls(inner, (*where, index))
    elif isinstance(value, str) and where[-1] != "description" and URL.fullmatch(value):
        wrong = url_fault(value)
        if wrong:
            yield where, wrong, f"name a public server; for one on this machine set {LOOPBACK_ALLOWED}=1"


def _gas_prices(prices: Any) -> Iterator[Finding]:
    if not isinstance(prices, str) or "," not in prices:
        return
    zero = [bool(re.match(r"0+(\.0+)?[a-zA-Z]", price)) for price in prices.split(",")]
    if any(zero) and not all(zero):
        yield ("minimum_gas_prices",), "holds a price of 0, at which every transaction is free", "remove it"


def _artifacts(document: Mapping[str, Any]) -> Iterator[Finding]:
    daemon = _mapping(document.get("daemon"))
    places: list[tuple[Where, Any]] = [(("genesis",), document.get("genesis"))]
    places += [(("daemon", "release", arch), entry) for arch, entry in _mapping(daemon.get("release")).items()]
    for index, upgrade in enumerate(_sequence(document.get("upgrades"))):
        release = _mapping(_mapping(upgrade).get("release"))
        places += [(("upgrades", index, "release", arch), entry) for arch, entry in release.items()]
    for where, entry in places:
        yield from _artifact(where, _mapping(entry))


def _artifact(where: Where, entry: Mapping[str, Any]) -> Iterator[Finding]:
    url, form, member = entry.get("url"), entry.get("format"), entry.get("member")
    if not isinstance(url, str) or not URL.fullmatch(url):
        return
    if "checksum=" in url:
        yield (*where, "url"), "contains a checksum that would be ignored", "move it to sha256"
    if FORGE_PAGE.search(url):
        yield (
            (*where, "url"),
            "is a web page, not a file",
            "write the address of the file itself, with /raw/ for /blob/",
        )
    wrapped = form if form in Format.__members__.values() else Format.of(url)
    if wrapped in (Format.ZIP, Format.TAR_GZ) and not member:
        yield (*where, "member"), f"is missing: {wrapped} holds several files", "add the file's name inside the archive"
    if wrapped is Format.RPC and where != ("genesis",):
        yield (*where, "format"), "is for a genesis only", "remove it"
    if wrapped in (Format.RAW, Format.GZ, Format.RPC) and member:
        yield (*where, "member"), f"has no meaning for {wrapped}", "remove it, or set format"
    if entry.get("locked") and not entry.get("sha256"):
        yield (*where, "locked"), "stands without the sha256 that was locked", "./invoke network lock NAME"


def _daemon(daemon: Mapping[str, Any], file: Path) -> Iterator[Finding]:
    if daemon.get("kind", "go") == "go" and not daemon.get("release") and not daemon.get("source"):
        yield ("daemon",), "has neither release nor source: there is no way to get it", "add one of them"
    source = _mapping(daemon.get("source"))
    if source and daemon.get("libraries") and source.get("cgo") is not True:
        yield ("daemon", "source", "cgo"), "must be true: libraries are linked only with cgo", "write cgo: true"
    ways = (("module", "version"), ("git", "commit"))
    if source.get("sum") and not any(all(source.get(key) for key in way) for way in ways):
        fix = "write module and version, or git and commit"
        yield ("daemon", "source"), "names no sources: it has neither a module nor a commit", fix
    jvm = _mapping(daemon.get("jvm"))
    if isinstance(jars := jvm.get("jars"), str):
        yield from _jars(file.parent / jars)
    if isinstance(program := jvm.get("program"), str) and not (file.parent / program).is_file():
        yield ("daemon", "jvm", "program"), "is not a file next to this one", "write the program, or leave the line out"
    for index, option in enumerate(_sequence(jvm.get("options"))):
        if isinstance(option, str) and (why := jvm_options.refusal(option)):
            yield ("daemon", "jvm", "options", index), *why


def _jars(path: Path) -> Iterator[Finding]:
    where: Where = ("daemon", "jvm", "jars")
    if not path.is_file():
        yield where, "is not a file next to this one", "write one line per jar: SHA256  group:artifact:version"
        return
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if line and not line.startswith("#") and not JAR.fullmatch(line):
            yield where, f"has a bad line {number}: {line[:60]}", "write SHA256  group:artifact:version"


def _upgrades(document: Mapping[str, Any]) -> Iterator[Finding]:
    ladder = [
        (index, step["height"], step.get("name"))
        for index, step in enumerate(map(_mapping, _sequence(document.get("upgrades"))))
        if isinstance(step.get("height"), int)
    ]
    for (_, lower, _), (index, height, _) in pairwise(ladder):
        if height <= lower:
            yield ("upgrades", index, "height"), f"is not above {lower}, the step before", "order the ladder by height"
    for index, step in enumerate(map(_mapping, _sequence(document.get("upgrades")))):
        halt, height = step.get("halt_height"), step.get("height")
        if isinstance(halt, int) and isinstance(height, int) and halt not in (height - 1, height):
            fix = "write the height of the step, or the one before it"
            yield ("upgrades", index, "halt_height"), f"is not where the version of height {height} begins", fix
    names = [name for _, _, name in ladder]
    for index, _, name in ladder:
        if name in names[:index]:
            yield ("upgrades", index, "name"), "appears twice in the ladder", "remove one"


def _ports(ports: Mapping[str, Any]) -> Iterator[Finding]:
    seen: dict[int, str] = dict(TAKEN)
    for name, offset in ports.items():
        if isinstance(offset, int) and offset in seen:
            yield ("ports", name), f"is taken by {seen[offset]}", "choose another offset from 0 to 99"
        elif isinstance(offset, int):
            seen[offset] = name


def _catch_up(catch_up: Mapping[str, Any]) -> Iterator[Finding]:
    where: Where = ("catch_up", "state_sync", "servers")
    entries = _sequence(_mapping(catch_up.get("state_sync")).get("servers"))
    urls = [entry if isinstance(entry, str) else _mapping(entry).get("url") for entry in entries]
    hosts = {host_of(url) for url in urls if isinstance(url, str)}
    if hosts and len(hosts) < STATE_SYNC_SERVERS:
        yield where, "names a single host: state sync compares two independent ones", "add another"
    snapshot = _mapping(catch_up.get("snapshot"))
    url = snapshot.get("url")
    if isinstance(url, str) and not snapshot.get("format") and SnapshotFormat.of(url) is None:
        yield ("catch_up", "snapshot", "format"), "is missing: the URL does not tell it", "write format: tar.lz4"


def _meshes(document: Mapping[str, Any]) -> Iterator[Finding]:
    meshes = document.get("meshes")
    if isinstance(meshes, list) and "wireguard" not in meshes:
        yield ("meshes",), "leaves out wireguard, which every image has", "write [wireguard, vpncloud]"
    if meshes and _mapping(document.get("daemon")).get("kind") == "jvm":
        yield ("meshes",), "has no meaning with kind: jvm, whose nodes have no mesh", "remove it"


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _sequence(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _texts(value: Any) -> Iterator[tuple[int, str]]:
    return ((index, entry) for index, entry in enumerate(_sequence(value)) if isinstance(entry, str))
