"""A network file out of chain-registry's chain.json and versions.json, as dirty as those are.

Of 1,705 registered peers nine are malformed, and one such entry in config.toml keeps a daemon from
starting; so whatever does not hold is left out, and every omission is reported.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit, urlunsplit

import yaml

from goldnode.config.network_rules import peer_fault
from goldnode.errors import InputError
from goldnode.fetch.artifact import Format

SHA256 = re.compile(r"[0-9a-f]{64}")
PLATFORMS = {"amd64": "linux/amd64", "arm64": "linux/arm64"}
#: State sync needs two servers; more than a handful is noise.
SERVERS = 6


@dataclass(frozen=True, slots=True)
class Imported:
    """What came out.

    Attributes:
        text: The network file.
        remarks: What was left out, mended or guessed; one sentence each.
    """

    text: str
    remarks: tuple[str, ...]


def read(source: Path) -> Imported:
    """Turn a chain.json, or a folder with chain.json and versions.json, into a network file.

    Raises:
        InputError: It is no chain.json, or lacks what no network can do without.
    """
    chain_file = source / "chain.json" if source.is_dir() else source
    versions_file = chain_file.with_name("versions.json")
    chain = _json(chain_file)
    versions = _json(versions_file) if versions_file.is_file() else {}
    return convert(chain, versions, str(chain_file))


def convert(chain: Mapping[str, Any], versions: Mapping[str, Any], file: str) -> Imported:
    """The pure part of ``read``.

    Args:
        chain: Content of chain.json.
        versions: Content of versions.json, or nothing.
        file: Name for messages.

    Raises:
        InputError: A field without which there is no network is missing; all of them are named.
    """
    draft = _Draft(chain, versions)
    missing = draft.missing()
    if missing:
        raise InputError(
            f"{file} lacks {', '.join(missing)}, without which there is no network",
            hint="write the network file by hand: networks/README.md explains every field",
        )
    body = yaml.safe_dump(draft.document(), sort_keys=False, allow_unicode=True, width=200)
    remarks = tuple(draft.remarks)
    notes = "".join(f"#   {remark}\n" for remark in remarks)
    head = "# Imported from chain-registry" + (", with these changes:\n" + notes if notes else ".\n")
    return Imported(head + body, remarks)


@dataclass(slots=True)
class _Draft:
    """A network file that is being written, and what had to be said about it."""

    chain: Mapping[str, Any]
    versions: Mapping[str, Any]
    remarks: list[str] = field(default_factory=list)

    @property
    def codebase(self) -> Mapping[str, Any]:
        """The part of chain.json about software."""
        part = self.chain.get("codebase")
        return part if isinstance(part, dict) else {}

    def missing(self) -> list[str]:
        """Fields without which there is no network."""
        genesis = self.codebase.get("genesis") or {}
        have = {
            "chain_id": self.chain.get("chain_id"),
            "daemon_name": self.chain.get("daemon_name"),
            "node_home": self.chain.get("node_home"),
            "codebase.recommended_version": self.codebase.get("recommended_version"),
            "codebase.genesis.genesis_url": genesis.get("genesis_url"),
            "codebase.binaries for linux/amd64 or linux/arm64": self.release(self.codebase.get("binaries"), quiet=True),
        }
        return [name for name, value in have.items() if not value]

    def document(self) -> dict[str, Any]:
        """The network file's data, in the order people read it."""
        chain = self.chain
        wanted = {
            "version": 1,
            "description": chain.get("pretty_name"),
            "chain_id": chain["chain_id"],
            "bech32_prefix": chain.get("bech32_prefix"),
            "daemon": {
                "name": chain["daemon_name"],
                "version": plain_version(self.codebase["recommended_version"]),
                "home": re.sub(r"^(\$HOME|~)/", "", chain["node_home"]),
                "release": self.release(self.codebase.get("binaries")),
            },
            "genesis": self.artifact(self.codebase["genesis"]["genesis_url"], "genesis", "genesis.json"),
            "minimum_gas_prices": self.gas(),
            "seeds": self.peers("seeds"),
            "persistent_peers": self.peers("persistent_peers"),
            "catch_up": self.catch_up(),
            "upgrades": self.ladder(),
        }
        return {key: value for key, value in wanted.items() if value}

    def release(self, binaries: Any, *, quiet: bool = False) -> dict[str, Any]:
        """Published binaries per architecture, their checksums moved out of the URLs."""
        table = binaries if isinstance(binaries, dict) else {}
        said = len(self.remarks)
        release = {
            arch: self.artifact(table[platform], f"the {arch} binary", self.chain.get("daemon_name", ""))
            for arch, platform in PLATFORMS.items()
            if isinstance(table.get(platform), str)
        }
        if quiet:
            del self.remarks[said:]
        return release

    def artifact(self, url: str, what: str, member: str) -> dict[str, Any]:
        """An artifact from a URL that may carry ``?checksum=``, with or without ``sha256:``."""
        parts = urlsplit(url.strip())
        checksum = parse_qs(parts.query).get("checksum", [""])[0].removeprefix("sha256:").lower()
        entry = {"url": urlunsplit(parts._replace(query="" if checksum else parts.query))}
        if SHA256.fullmatch(checksum):
            entry["sha256"] = checksum
        elif checksum:
            self.remarks.append(f"{what}: left out a checksum that is no sha256: {checksum[:80]}")
        if "sha256" not in entry:
            self.remarks.append(f"{what}: nobody published a sha256; ./invoke network lock pins it")
        wrapped = Format.of(entry["url"])
        if wrapped in (Format.ZIP, Format.TAR_GZ):
            entry["member"] = member
            self.remarks.append(f"{what}: guessed that the archive holds it as {member}")
        return entry

    def peers(self, kind: str) -> list[str]:
        """Peers a daemon can read; the others are reported."""
        kept: list[str] = []
        for entry in (self.chain.get("peers") or {}).get(kind, []):
            raw = f"{entry.get('id', '')}@{entry.get('address', '')}"
            peer = "@".join(part.strip() for part in raw.split("@"))
            node_id, at, address = peer.partition("@")
            peer = f"{node_id.lower()}{at}{address}"
            fault = peer_fault(peer)
            if fault:
                self.remarks.append(f"{kind}: left out {raw!r}: it {fault[0]}")
            elif peer in kept:
                self.remarks.append(f"{kind}: left out {peer}, which stands there twice")
            else:
                kept.append(peer)
                if peer != raw:
                    self.remarks.append(f"{kind}: mended {raw!r} to {peer}")
        return kept

    def catch_up(self) -> dict[str, Any]:
        """Servers for a state sync, when there are two."""
        servers = self.servers()
        return {"state_sync": {"servers": servers}} if servers else {}

    def servers(self) -> list[str]:
        """RPC servers, one per host."""
        kept: dict[str, str] = {}
        for entry in (self.chain.get("apis") or {}).get("rpc", []):
            url = str(entry.get("address", "")).strip().rstrip("/")
            parts = urlsplit(url)
            if parts.scheme not in ("http", "https") or not parts.hostname:
                self.remarks.append(f"rpc: left out {url!r}: it is no http URL")
            elif len(kept) < SERVERS:
                kept.setdefault(parts.hostname, url)
        return list(kept.values()) if len(kept) > 1 else []

    def gas(self) -> str:
        """The smallest gas price the first fee token asks for, as app.toml wants it."""
        tokens = (self.chain.get("fees") or {}).get("fee_tokens") or [{}]
        for name in ("fixed_min_gas_price", "low_gas_price", "average_gas_price"):
            price = tokens[0].get(name)
            if isinstance(price, int | float):
                return f"{Decimal(str(price)):f}{tokens[0]['denom']}"
        return ""

    def ladder(self) -> list[dict[str, Any]]:
        """Upgrades from the recommended version on; what lies before it is history."""
        steps = [step for step in self.versions.get("versions", []) if isinstance(step.get("height"), int)]
        steps.sort(key=lambda step: step["height"])
        current = self.codebase["recommended_version"]
        start = next((index for index, step in enumerate(steps) if step.get("recommended_version") == current), None)
        rungs = []
        for step in [] if start is None else steps[start:]:
            version = plain_version(step.get("recommended_version") or step.get("tag") or step["name"])
            rung = {"name": step["name"], "height": step["height"], "version": version}
            ahead = version != plain_version(current)
            release = self.release(step.get("binaries"), quiet=True) if ahead else None
            rungs.append({**rung, "release": release} if release else rung)
        return rungs


def plain_version(tag: str) -> str:
    """What a daemon calls the version that is tagged ``v31.0.0`` or ``protocol/v9.6.1``."""
    return str(tag).rpartition("/")[2].removeprefix("v")


def _json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise InputError(
            f"{path} cannot be read: {why}", hint="git clone the chain-registry, then name its folder"
        ) from error
    if not isinstance(content, dict):
        raise InputError(f"{path} is not a JSON object")
    return content
