"""What must hold in a network file beyond its shape; pure, document in, findings out.

A rule looks only at values whose type is right: a wrong type is the schema's finding.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from goldnode.config.catch_up import SnapshotFormat
from goldnode.config.source import Where
from goldnode.fetch.artifact import Format

#: Where, why it is wrong, and what to write instead.
Finding = tuple[Where, str, str]

NODE_ID = re.compile(r"[0-9a-f]{40}")
HOST = re.compile(r"(?!-)[A-Za-z0-9-]{1,63}(?<!-)(\.(?!-)[A-Za-z0-9-]{1,63}(?<!-))*")
JAR = re.compile(r"[0-9a-f]{64}  [\w.-]+:[\w.-]+:[\w.-]+(:[\w.-]+)?")
#: Offsets that every node uses inside its block of 100 ports.
TAKEN = {17: "api", 56: "p2p", 57: "rpc", 59: "remote signer", 60: "prometheus", 90: "grpc"}
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
    yield from _artifacts(document)
    yield from _daemon(_mapping(document.get("daemon")), file)
    yield from _upgrades(document)
    yield from _ports(_mapping(document.get("ports")))
    yield from _catch_up(_mapping(document.get("catch_up")))
    yield from _meshes(document)


def peer_fault(text: str) -> tuple[str, str] | None:
    """Why a daemon would choke on a peer, and what to write; None when it is fine.

    One malformed entry in config.toml keeps CometBFT from starting at all.
    """
    if text != text.strip():
        return "has a space around it", f"write {text.strip()}"
    if text.count("@") != 1:
        return "is not id@host:port", "write 40 hex digits, one @, a host, a colon and a port"
    node_id, address = text.split("@")
    if NODE_ID.fullmatch(node_id.lower()) and node_id != node_id.lower():
        return "has an id in upper case, which CometBFT never finds equal", f"write {node_id.lower()}@{address}"
    if not NODE_ID.fullmatch(node_id):
        return "has an id that is not 40 hex digits", "ask the operator for the output of show-node-id"
    host, _, port = address.rpartition(":")
    if not port.isdecimal() or not 0 < int(port) < 1 << 16:
        return "has no port from 1 to 65535", f"write {node_id}@{host or address}:26656"
    return None if _host(host) else ("has no valid host", "write a name, an IPv4 address, or [an IPv6 address]")


def host_of(url: str) -> str:
    """The host a URL names, in lower case; empty when it names none."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def _host(host: str) -> bool:
    if host.startswith("[") and host.endswith("]"):
        try:
            ipaddress.IPv6Address(host[1:-1])
        except ValueError:
            return False
        return True
    if re.fullmatch(r"[0-9.]+", host):
        try:
            ipaddress.IPv4Address(host)
        except ValueError:
            return False
        return True
    return HOST.fullmatch(host) is not None


def _peers(document: Mapping[str, Any], field: str) -> Iterator[Finding]:
    seen: dict[str, int] = {}
    for index, peer in _texts(document.get(field)):
        wrong = peer_fault(peer)
        if wrong:
            yield (field, index), *wrong
        elif peer in seen:
            yield (field, index), f"stands already as entry {seen[peer]}", "remove one"
        seen.setdefault(peer, index)


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
    if not isinstance(url, str):
        return
    if "checksum=" in urlsplit(url).query:
        yield (*where, "url"), "carries a checksum that nobody would look at", "move it to sha256"
    wrapped = form if form in Format.__members__.values() else Format.of(url)
    if wrapped in (Format.ZIP, Format.TAR_GZ) and not member:
        yield (*where, "member"), f"is missing: {wrapped} holds several files", "add the file's name inside the archive"
    if wrapped in (Format.RAW, Format.GZ) and member:
        yield (*where, "member"), f"has no meaning for {wrapped}", "remove it, or set format"
    if entry.get("locked") and not entry.get("sha256"):
        yield (*where, "locked"), "stands without the sha256 that was locked", "./invoke network lock NAME"


def _daemon(daemon: Mapping[str, Any], file: Path) -> Iterator[Finding]:
    if daemon.get("kind", "go") == "go" and not daemon.get("release") and not daemon.get("source"):
        yield ("daemon",), "has neither release nor source: there is no way to get it", "add one of them"
    source = _mapping(daemon.get("source"))
    if source and daemon.get("libraries") and source.get("cgo") is not True:
        yield ("daemon", "source", "cgo"), "must be true: libraries are linked only with cgo", "write cgo: true"
    jars = _mapping(daemon.get("jvm")).get("jars")
    if isinstance(jars, str):
        yield from _jars(file.parent / jars)


def _jars(path: Path) -> Iterator[Finding]:
    where: Where = ("daemon", "jvm", "jars")
    if not path.is_file():
        yield where, "is no file beside this one", "write one line per jar: SHA256  group:artifact:version"
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
            yield ("upgrades", index, "name"), "stands twice in the ladder", "remove one"


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
