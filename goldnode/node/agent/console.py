"""What a person sees: console lines, the login banner, the table of ``goldnode status``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import date
from typing import Any

from goldnode.node.agent.health import NodeState
from goldnode.node.agent.supervisor import NodeReport

#: Shown for every validator that signs without a lease.
NO_LEASE = "no lease: two machines with this key would both sign"


def headline(report: NodeReport) -> str:
    """A node in one line, for the console and the banner."""
    parts = [f"{report.role} {report.name}: {report.health.state}"]
    if report.node_id:
        parts.append(f"node id {report.node_id}")
    if report.addresses:
        parts.append(f"at {', '.join(report.addresses)}")
    if report.health.height:
        parts.append(f"height {report.health.height}")
    if report.health.node_id:
        parts.append(f"{report.health.peers} peer{'' if report.health.peers == 1 else 's'}")
    if report.health.missing:
        parts.append(f"missing {', '.join(each[:8] for each in report.health.missing)}")
    coming = report.upgrades.coming
    said = [each for each in (report.reason or report.progress, f"upgrade {coming.said}" if coming else "") if each]
    return ", ".join(parts) + (f": {'; '.join(said)}" if said else "")


def ready(report: NodeReport, seconds: float) -> str:
    """The line that announces a ready node, with the seconds since power-on."""
    peers = f"{report.health.peers} peer{'' if report.health.peers == 1 else 's'}"
    more = f", node id {report.node_id}, {peers}" if report.node_id else ""
    return f"{report.role} {report.name} ready {seconds:.1f} s after power-on{more}"


def changed(before: NodeReport | None, now: NodeReport) -> bool:
    """Whether to tell people: heights and ages always change, states seldom."""
    if before is None:
        return True
    return _news(before) != _news(now)


def _news(report: NodeReport) -> tuple[object, ...]:
    coming = report.upgrades.coming
    upgrade = (coming.name, coming.height, coming.binary, _nearness(coming.blocks)) if coming else ()
    return report.health.state, report.reason, report.health.missing, report.upgrades.version, upgrade


def _nearness(blocks: int) -> int:
    """Drops each time the remaining blocks have halved: the nearer the upgrade, the more often people hear of it."""
    return max(0, blocks).bit_length()


def banner(lines: Sequence[str]) -> str:
    """The login banner, with agetty's escapes neutralised."""
    return "\n".join(["goldnode", *(f"  {line}" for line in lines), ""]).replace("\\", "/") + "\n"


def document(report: NodeReport) -> dict[str, Any]:
    """A report as JSON."""
    health = report.health
    return {
        "name": report.name,
        "role": report.role,
        "node_id": report.node_id,
        "state": health.state.value,
        "healthy": health.healthy,
        "reason": report.reason,
        "progress": report.progress,
        "catch_up": {"way": report.reached.way, "part": report.reached.part, "behind": report.reached.behind},
        "version": report.upgrades.version,
        "upgrade": _upgrade(report),
        "paused": report.paused,
        "restarts": report.restarts,
        "height": health.height,
        "block_age": round(health.age, 1),
        "peers": health.peers,
        "missing": list(health.missing),
        "addresses": list(report.addresses),
        "announced": report.announced,
        "mesh_address": report.mesh_address,
        "members": report.members,
        "loaded": list(report.loaded),
        "signing": health.state is NodeState.SIGNING,
        "key": _key(report),
        "lease": asdict(report.lease) if report.lease else None,
        "note": NO_LEASE if report.alone else "",
    }


def _upgrade(report: NodeReport) -> dict[str, Any] | None:
    coming = report.upgrades.coming
    if coming is None:
        return None
    return {"name": coming.name, "height": coming.height, "version": coming.version, "blocks": coming.blocks,
            "binary": coming.binary.value, "said": coming.said}  # fmt: skip


def announced(nodes: Iterable[Mapping[str, Any]]) -> list[str]:
    """A line for each node that announces an address: which one, and who named it."""
    return [f"{node['name']}: announces {node['announced']}" for node in nodes if node.get("announced")]


def debian(of: Mapping[str, str], today: date) -> list[str]:
    """How old the image's Debian packages are, in a line; none where it does not say."""
    if not of:
        return []
    days = max(0, (today - date.fromisoformat(of["date"])).days)
    state = f", snapshot {of['snapshot']}" if "snapshot" in of else ""
    return [f"image: Debian {of['suite']} of {of['date']}, {days} day{'' if days == 1 else 's'} old{state}"]


def leases(nodes: Iterable[Mapping[str, Any]]) -> list[str]:
    """A line for each node that has a lease, or should have one."""
    lines = []
    for node in nodes:
        if lease := node.get("lease"):
            span = f", heights {lease['lo']} to {lease['hi']}" if lease["hi"] else ""
            fences = "" if lease["fences"] else "; a file fences nothing: another machine may sign too"
            why = f": {lease['reason']}" if lease["reason"] else ""
            lines.append(f"{node['name']}: lease {lease['state']}{span}, in {lease['store']}{fences}{why}")
        elif node.get("note"):
            lines.append(f"{node['name']}: {node['note']}")
    return lines


def _key(report: NodeReport) -> dict[str, str] | None:
    if report.key is None:
        return None
    last = str(report.key.state)
    return {"address": report.key.address, "public_key": report.public_key, "last_signed": last}


COLUMNS = ("name", "role", "state", "height", "peers", "node_id", "reason")


def table(nodes: Iterable[Mapping[str, Any]]) -> str:
    """The nodes of the machine as lines in columns."""
    rows = [COLUMNS, *(tuple(_cell(node, column) for column in COLUMNS) for node in nodes)]
    widths = [max(len(row[number]) for row in rows) for number in range(len(COLUMNS))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join([lines[0].upper().replace("_", " "), *lines[1:]])


def _cell(node: Mapping[str, Any], column: str) -> str:
    """The text of a cell; a node's progress takes the place of a reason."""
    return str(node.get(column, "") or (node.get("progress", "") if column == "reason" else ""))
