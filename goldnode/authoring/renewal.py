"""Brings a network file up to date with the registry, without losing what people put into it.

Pins, comments, hand-written fields and layout stay.  First the new document is worked out as plain
data (``merged``), then only what differs is written into the text (``rewritten``), and the text is
read back: a file whose layout cannot carry the change is refused instead of guessed at.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml

from goldnode.authoring import network_yaml
from goldnode.authoring.registry_json import printable
from goldnode.config import network_check
from goldnode.errors import InputError, SafetyError

#: Lists of which the registry knows some entries and people may know others.
SHARED = ("seeds", "persistent_peers")
#: Fields that people choose: an existing value is never changed.
CHOSEN = ("description", "bech32_prefix", "minimum_gas_prices")


def renewed(file: str, text: str, fresh: Mapping[str, Any]) -> tuple[str, list[str]]:
    """The text of a network file with the news from ``fresh``, and the remarks about it.

    Args:
        file: The file's name, for messages.
        text: Its text; the file is valid.
        fresh: A document made from the registry today.

    Raises:
        SafetyError: It is another chain, or a published hash differs from the pin of the same URL.
        InputError: The file's layout cannot carry the change.
    """
    document = network_check.parse(file, text).data
    if document["chain_id"] != fresh["chain_id"]:
        raise SafetyError(
            f"{file} is of {document['chain_id']}, the registry's chain is {fresh['chain_id']}",
            hint="choose another name: ./invoke network import --help",
        )
    remarks: list[str] = []
    wanted = merged(document, fresh, remarks)
    changed = rewritten(text, document, wanted)
    if network_check.parse(file, changed).data != wanted:
        raise InputError(f"the layout of {file} cannot be changed in place", hint="move it aside, import, then compare")
    return changed, remarks


def merged(old: Mapping[str, Any], fresh: Mapping[str, Any], remarks: list[str]) -> dict[str, Any]:
    """The new document: everything in ``old``, updated from ``fresh``; pure."""
    result = dict(old)
    for key in CHOSEN:
        if key in fresh and key not in old:
            result[key] = fresh[key]
        elif key in fresh and fresh[key] != old[key]:
            remarks.append(f"{key}: kept {old[key]}; the registry says {printable(str(fresh[key]))}")
    for key in SHARED:
        result |= _union(key, old.get(key, []), fresh.get(key, []), remarks)
    result["daemon"] = _daemon(old["daemon"], fresh["daemon"], remarks)
    if "genesis" in fresh and not old["genesis"].get("private"):
        result["genesis"] = _artifact("genesis", old["genesis"], fresh["genesis"], remarks)
    catch_up = _catch_up(old.get("catch_up", {}), fresh.get("catch_up", {}))
    upgrades = _ladder(old.get("upgrades", []), fresh.get("upgrades", []), remarks)
    return result | ({"catch_up": catch_up} if catch_up else {}) | ({"upgrades": upgrades} if upgrades else {})


def _union(key: str, old: Sequence[str], fresh: Sequence[str], remarks: list[str]) -> dict[str, list[str]]:
    gone = [entry for entry in old if entry not in fresh]
    if gone and fresh:
        remarks.append(f"{key}: kept {', '.join(map(printable, gone[:3]))}, unknown to the registry today")
    together = [*old, *(entry for entry in fresh if entry not in old)]
    return {key: together} if together else {}


def _daemon(old: Mapping[str, Any], fresh: Mapping[str, Any], remarks: list[str]) -> dict[str, Any]:
    result = dict(old)
    same = str(old["version"]) == fresh["version"]
    release = _release("daemon.release", old.get("release", {}), fresh.get("release", {}), remarks, same=same)
    if same:
        return result | ({"release": release} if release else {})
    remarks.append(f"daemon.version: {old['version']} becomes {fresh['version']}")
    result = {key: value for key, value in result.items() if key not in ("release", "source", "libraries")}
    result |= {"version": fresh["version"]} | ({"release": release} if release else {})
    draft = fresh.get("source") or _next_draft(old.get("source", {}), fresh["version"])
    if draft:
        remarks.append("daemon.source: ./invoke network lock pins a build of the new version")
        result["source"] = draft | _chosen(old.get("source", {}), str(old["version"]), fresh["version"])
    return result


def _next_draft(source: Mapping[str, Any], version: str) -> dict[str, Any]:
    """Where the next version of something built from source will be; empty if unknown."""
    return {"git": source["git"], "tag": f"v{version}"} if source.get("git") else {}


def _chosen(source: Mapping[str, Any], before: str, after: str) -> dict[str, Any]:
    """How a person had the previous version built; version stamps name the new one."""
    chosen = {key: source[key] for key in ("package", "cgo", "tags") if key in source}
    flags = [flag.replace(before, after) for flag in source.get("ldflags", [])]
    return chosen | ({"ldflags": flags} if flags else {})


def _release(
    what: str, old: Mapping[str, Any], fresh: Mapping[str, Any], remarks: list[str], *, same: bool
) -> dict[str, dict[str, Any]]:
    kept = {arch: dict(entry) for arch, entry in old.items() if same and arch not in fresh}
    return kept | {arch: _artifact(f"{what}.{arch}", old.get(arch, {}), fresh[arch], remarks) for arch in fresh}


def _artifact(what: str, old: Mapping[str, Any], fresh: Mapping[str, Any], remarks: list[str]) -> dict[str, Any]:
    """The same URL keeps its pin; another URL is another artifact."""
    if old.get("url") != fresh["url"]:
        if old:
            remarks.append(f"{what}: another URL, so its pin no longer applies")
        return dict(fresh)
    pinned, published = old.get("sha256"), fresh.get("sha256")
    if pinned and published and pinned != published:
        raise SafetyError(
            f"{what} is pinned as {pinned}, the registry publishes {published} for the same URL",
            hint="find out which one is right before you change a pin",
        )
    return {**fresh, **old}


def _catch_up(old: Mapping[str, Any], fresh: Mapping[str, Any]) -> dict[str, Any]:
    result = dict(old)
    if "state_sync" in fresh:
        mine, theirs = dict(old.get("state_sync", {})), fresh["state_sync"]
        servers = list(mine.get("servers", []))
        known = {_url(server) for server in servers}
        mine["servers"] = [*servers, *(server for server in theirs["servers"] if _url(server) not in known)]
        result["state_sync"] = {**theirs, **mine}
    if "snapshot_providers" in fresh:
        pages = list(old.get("snapshot_providers", []))
        known = {page["url"] for page in pages}
        result["snapshot_providers"] = [
            *pages,
            *(page for page in fresh["snapshot_providers"] if page["url"] not in known),
        ]
    return result


def _url(server: Any) -> str:
    return str(server if isinstance(server, str) else server["url"]).rstrip("/")


def _ladder(old: Sequence[Any], fresh: Sequence[Any], remarks: list[str]) -> list[dict[str, Any]]:
    """Both ladders, by the plan's name: the registry's heights count, pins and hand-written fields stay."""
    rungs = {rung["name"]: dict(rung) for rung in old}
    for rung in fresh:
        mine = rungs.get(rung["name"], {})
        remarks += [
            f"upgrades: {key} of {rung['name']}: {mine[key]} becomes {rung[key]}"
            for key in ("height", "version")
            if mine and str(mine[key]) != str(rung[key])
        ]
        same = str(mine.get("version")) == rung["version"]
        known = mine.get("release", {}), rung.get("release", {})
        release = _release(f"upgrades {rung['name']}", *known, remarks, same=same)
        rungs[rung["name"]] = {**mine, **rung, **({"release": release} if release else {})}
    return sorted(rungs.values(), key=lambda rung: rung["height"])


def rewritten(text: str, old: Any, new: Any) -> str:
    """``text``, changed only where the two documents differ."""
    root = yaml.compose(text, yaml.SafeLoader)
    edits = _Edits(text)
    if root is not None:
        edits.value(root, old, new)
    return edits.applied()


@dataclass(slots=True)
class _Edits:
    """Changes to a text, by position, collected first and applied from its end."""

    text: str
    changes: list[tuple[int, int, str]] = field(default_factory=list)

    def applied(self) -> str:
        """The text with all changes."""
        text = self.text
        ordered = sorted(enumerate(self.changes), key=lambda change: (change[1][0], change[0]), reverse=True)
        for _, (start, end, new) in ordered:
            text = text[:start] + new + text[end:]
        return text

    def value(self, node: yaml.Node, old: Any, new: Any) -> None:
        """Replace the value at ``node``."""
        if old == new:
            return
        if isinstance(node, yaml.MappingNode) and isinstance(new, dict) and new:
            self.mapping(node, old, new)
        elif isinstance(node, yaml.SequenceNode) and isinstance(new, list) and len(new) >= len(old) > 0:
            self.sequence(node, old, new)
        else:
            end = self.end(node)
            flow = network_yaml.flow(new)
            self.changes.append((node.start_mark.index, end, flow))

    def mapping(self, node: yaml.MappingNode, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
        """Change, remove and add keys."""
        inner = {key.value: (key, value) for key, value in node.value}
        kept = [value for key, (_, value) in inner.items() if key in new]
        if not kept or (node.flow_style and len(kept) < len(inner)):
            self.changes.append((node.start_mark.index, self.end(node), network_yaml.flow(new)))
            return
        if node.flow_style:
            for key, (_, value) in inner.items():
                self.value(value, old[key], new[key])
            added = "".join(f", {key}: {network_yaml.flow(new[key])}" for key in new if key not in inner)
            self.insert(self.end(kept[-1]), added)
            return
        for key, (key_node, value) in inner.items():
            if key in new:
                self.value(value, old[key], new[key])
            else:
                self.remove(key_node.start_mark.index, self.end(value))
        indent = " " * node.start_mark.column
        lines = [line for key in new if key not in inner for line in network_yaml.item(key, new[key])]
        self.insert(self.line_end(self.end(kept[-1])), "".join(f"\n{indent}{line}" for line in lines))

    def sequence(self, node: yaml.SequenceNode, old: Sequence[Any], new: Sequence[Any]) -> None:
        """Change the existing entries, append the others."""
        for inner, before, after in zip(node.value, old, new, strict=False):
            self.value(inner, before, after)
        more = new[len(old) :]
        if node.flow_style:
            self.insert(self.end(node.value[-1]), "".join(f", {network_yaml.flow(entry)}" for entry in more))
            return
        indent = " " * node.start_mark.column
        lines = [line for entry in more for line in network_yaml.entry(entry)]
        self.insert(self.line_end(self.end(node)), "".join(f"\n{indent}{line}" for line in lines))

    def end(self, node: yaml.Node) -> int:
        """Where a value ends; YAML's own mark of a block is beyond the comments that follow it."""
        if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
            last = node.value[-1]
            return self.end(last[1] if isinstance(last, tuple) else last)
        return node.end_mark.index

    def line_end(self, index: int) -> int:
        """The end of the line that holds a position."""
        found = self.text.find("\n", index)
        return len(self.text) if found < 0 else found

    def remove(self, start: int, end: int) -> None:
        """Remove whole lines."""
        first = self.text.rfind("\n", 0, start) + 1
        self.changes.append((first, min(self.line_end(end) + 1, len(self.text)), ""))

    def insert(self, index: int, addition: str) -> None:
        """Insert text, if there is any."""
        if addition:
            self.changes.append((index, index, addition))
