"""Makes a network file from chain-registry's chain.json and versions.json, however dirty they are.

Of 1,705 registered peers nine are malformed, and one such entry in config.toml keeps a daemon from
starting; so whatever is invalid is left out, and every omission is reported.  Every value is
data: it goes into the file quoted, on one line and bounded, and a file that the checker would
refuse is never written.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from goldnode.authoring import network_yaml
from goldnode.authoring.ladder import ladder, plain_version
from goldnode.authoring.registry_json import entries, load, mapping, printable, text
from goldnode.authoring.registry_urls import Links
from goldnode.config import network_check
from goldnode.config.network_rules import host_of, peer_fault
from goldnode.errors import InputError

PLATFORMS = {"amd64": "linux/amd64", "arm64": "linux/arm64"}
#: What app.toml accepts as a denomination.
DENOM = re.compile(r"[a-zA-Z][a-zA-Z0-9/:._-]{1,127}")
CHAIN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,49}")
PREFIX = re.compile(r"[a-z0-9][a-z0-9_]{0,30}")
DAEMON = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,39}")
HOME = re.compile(
    r"(?:\$[A-Z_]+/|~/)?((?:\.?[A-Za-z0-9_-][A-Za-z0-9._-]{0,79})(?:/[A-Za-z0-9_-][A-Za-z0-9._-]{0,79}){0,3})/?"
)
TAG = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/+-]{0,99}")
GIT = re.compile(r"https://[A-Za-z0-9.-]+(/[A-Za-z0-9._~-]+){2,6}")
SECONDS = re.compile(r"([0-9]{1,9})s")
#: The most peers and servers taken over.
MOST = 100
#: CometBFT's default trust period, in hours: the maximum; less where the chain unbonds sooner.
TRUST_HOURS = 168
#: Shortest trust period worth writing: below, a state sync is never in time.
LEAST_HOURS = 1


@dataclass(frozen=True, slots=True)
class Imported:
    """The result of an import.

    Attributes:
        document: The network file's data.
        remarks: What was left out, corrected, guessed or is in doubt; one sentence each.
    """

    document: dict[str, Any]
    remarks: tuple[str, ...]

    @property
    def text(self) -> str:
        """The network file."""
        head = ["# Imported from chain-registry" + (", with these remarks:" if self.remarks else ".")]
        head += [f"#   {remark}" for remark in self.remarks]
        return "\n".join(head) + "\n" + network_yaml.dump(self.document)


def read(source: Path) -> Imported:
    """Turn a chain.json, or a folder with chain.json and versions.json, into a network file.

    Raises:
        InputError: It is not a chain.json, or lacks a required field.
    """
    chain_file = source / "chain.json" if source.is_dir() else source
    versions_file = chain_file.with_name("versions.json")
    chain = load(chain_file)
    versions = load(versions_file) if versions_file.is_file() else {}
    return convert(chain, versions, str(chain_file))


def convert(chain: Mapping[str, Any], versions: Mapping[str, Any], file: str) -> Imported:
    """The pure part of ``read``.

    Args:
        chain: Content of chain.json.
        versions: Content of versions.json, or nothing.
        file: Name for messages.

    Raises:
        InputError: A required field is missing or unusable; all of them are named.
    """
    draft = _Draft(chain, versions)
    document = draft.document()
    if draft.missing:
        reasons = "; ".join(draft.missing)
        raise InputError(
            f"{file} does not make a network: {reasons}",
            hint="write the network file by hand: networks/README.md explains every field",
        )
    imported = Imported(document, tuple(printable(remark, 300) for remark in draft.remarks))
    faults = network_check.faults(network_check.parse(f"{file}, as a network file", imported.text))
    if faults:
        raise InputError(f"{file} does not make a network:", hint="write the network file by hand", faults=faults)
    return imported


@dataclass(slots=True)
class _Draft:
    """A network file being written, and the remarks about it."""

    chain: Mapping[str, Any]
    versions: Mapping[str, Any]
    links: Links = field(default_factory=Links)
    missing: list[str] = field(default_factory=list)

    @property
    def remarks(self) -> list[str]:
        """The remarks so far."""
        return self.links.remarks

    @property
    def codebase(self) -> Mapping[str, Any]:
        """The part of chain.json about software."""
        return mapping(self.chain, "codebase")

    def document(self) -> dict[str, Any]:
        """The network file's data, in the order people read it."""
        wanted = {
            "version": 1,
            "description": self.description(),
            "chain_id": self.required("chain_id", self.chain.get("chain_id"), CHAIN_ID),
            "bech32_prefix": self.prefix(),
            "daemon": self.daemon(),
            "genesis": self.genesis(),
            "minimum_gas_prices": self.gas(),
            "seeds": self.peers("seeds"),
            "persistent_peers": self.peers("persistent_peers"),
            "catch_up": self.catch_up(),
            "upgrades": self.ladder(),
        }
        self.doubts(wanted)
        return {key: value for key, value in wanted.items() if value}

    def required(self, name: str, value: Any, form: re.Pattern[str]) -> str:
        """A required field; noted as missing when it is unusable."""
        given = text(value)
        if not form.fullmatch(given):
            self.missing.append(f"{name} is {printable(given)!r}" if given else f"{name} is missing")
            return ""
        return given

    def description(self) -> str:
        """The chain's name, for people."""
        return printable(text(self.chain.get("pretty_name")) or text(self.chain.get("chain_name")), 120)

    def prefix(self) -> str:
        """First part of addresses."""
        given = text(self.chain.get("bech32_prefix"))
        if given and not PREFIX.fullmatch(given):
            self.remarks.append(
                f"bech32_prefix: left out {printable(given)!r}: it is not lower-case letters and digits"
            )
            return ""
        return given

    def version(self) -> str:
        """The recommended version as the daemon prints it."""
        return plain_version(text(self.codebase.get("recommended_version")) or text(self.codebase.get("tag")))

    def daemon(self) -> dict[str, Any]:
        """Name, version, home, and where it comes from: releases, or else the sources."""
        name = self.required("daemon_name", self.chain.get("daemon_name"), DAEMON)
        tag = text(self.codebase.get("recommended_version")) or text(self.codebase.get("tag"))
        version = plain_version(tag)
        if not version:
            self.missing.append(
                f"codebase.recommended_version is {printable(tag)!r}, which names no version"
                if tag
                else "codebase.recommended_version is missing"
            )
        daemon: dict[str, Any] = {"name": name, "version": version, "home": self.home()}
        release = self.release(self.codebase.get("binaries"), version, "")
        if release:
            return daemon | {"release": release}
        source = self.source()
        if not source:
            self.missing.append(
                "codebase.binaries has nothing usable for linux/amd64 or linux/arm64, and git_repo no tag"
            )
        return daemon | ({"source": source} if source else {})

    def home(self) -> str:
        """The daemon's home, below the node's own."""
        given = text(self.chain.get("node_home"))
        found = HOME.fullmatch(given)
        if not found:
            self.missing.append(f"node_home is {printable(given)!r}" if given else "node_home is missing")
            return ""
        if given.startswith("$") and not given.startswith("$HOME/"):
            self.remarks.append(f"daemon.home: {printable(given)} is not below $HOME; took {found[1]}")
        return found[1]

    def release(self, binaries: Any, version: str, what: str) -> dict[str, Any]:
        """Published binaries per architecture, their checksums moved out of the URLs."""
        table = mapping(binaries)
        name = text(self.chain.get("daemon_name"))
        found = {
            arch: self.links.program(table[platform], arch, name, version, f"{what} for {arch}" if what else "")
            for arch, platform in PLATFORMS.items()
            if table.get(platform)
        }
        return {arch: entry for arch, entry in found.items() if entry}

    def source(self) -> dict[str, str]:
        """Where the sources are; `network lock` turns it into a pinned build."""
        given = text(self.codebase.get("git_repo")).removesuffix("/").removesuffix(".git")
        tag = text(self.codebase.get("tag")) or text(self.codebase.get("recommended_version"))
        if not GIT.fullmatch(given) or not TAG.fullmatch(tag) or ".." in tag or not self.links.web(given, "git_repo"):
            return {}
        language = text(mapping(self.codebase, "language").get("type")) or "go"
        if language != "go":
            self.missing.append(f"it is written in {printable(language)}, and nobody published its binary")
        self.remarks.append(
            f"daemon: nobody published a usable binary; ./invoke network lock pins a build of {given} at {tag}"
        )
        return {"git": given, "tag": tag}

    def genesis(self) -> dict[str, Any]:
        """The chain's one genesis."""
        entry = self.links.genesis(mapping(self.codebase, "genesis").get("genesis_url"))
        if not entry:
            self.missing.append("codebase.genesis.genesis_url has nothing usable")
        return entry or {}

    def peers(self, kind: str) -> list[str]:
        """Peers a daemon can read; the others are reported."""
        kept: list[str] = []
        for entry in entries(mapping(self.chain, "peers").get(kind)):
            raw = f"{entry.get('id') or ''}@{entry.get('address') or ''}"
            shown = printable(raw)
            peer = "@".join(part.strip() for part in raw.split("@"))
            node_id, at, address = peer.partition("@")
            peer = f"{node_id.lower()}{at}{address}"
            fault = peer_fault(peer, importing=True)
            if fault:
                self.remarks.append(f"{kind}: left out {shown!r}: it {fault[0]}")
            elif peer in kept:
                self.remarks.append(f"{kind}: left out {shown}, which is listed twice")
            elif len(kept) == MOST:
                self.remarks.append(f"{kind}: left out everything after the first {MOST}")
                break
            else:
                kept.append(peer)
                if peer != raw:
                    self.remarks.append(f"{kind}: mended {shown!r} to {peer}")
        return kept

    def catch_up(self) -> dict[str, Any]:
        """Servers for a state sync if there are two, and who publishes snapshots."""
        servers, pages = self.servers(), self.snapshots()
        found: dict[str, Any] = {}
        if len(servers) > 1:
            found["state_sync"] = {"servers": servers} | self.trust()
        else:
            self.remarks.append("catch_up: fewer than two usable RPC servers, so no state sync")
        return found | ({"snapshot_providers": pages} if pages else {})

    def servers(self) -> list[dict[str, str]]:
        """RPC servers with who runs them, one per host."""
        kept: dict[str, dict[str, str]] = {}
        for entry in entries(mapping(self.chain, "apis").get("rpc")):
            url = self.links.web(entry.get("address"), "rpc")
            if url and len(kept) < MOST:
                kept.setdefault(host_of(url), {"url": url} | _provider(entry))
        return list(kept.values())

    def snapshots(self) -> list[dict[str, str]]:
        """Pages of snapshot providers, without duplicates."""
        kept: dict[str, dict[str, str]] = {}
        for entry in entries(self.chain.get("snapshots"))[:MOST]:
            url, named = self.links.web(entry.get("url"), "snapshots"), _provider(entry)
            if url and named and len(kept) < MOST // 2:
                kept.setdefault(url, named | {"url": url})
        return list(kept.values())

    def trust(self) -> dict[str, str]:
        """Two thirds of the chain's unbonding time, if that is shorter than the default."""
        found = SECONDS.fullmatch(text(mapping(self.chain, "staking", "lock_duration").get("time")))
        hours = int(found[1]) * 2 // 3 // 3600 if found else TRUST_HOURS
        return {"trust_period": f"{hours}h"} if LEAST_HOURS <= hours < TRUST_HOURS else {}

    def gas(self) -> str:
        """The smallest gas price above zero of the first usable fee token, as app.toml wants it."""
        free = ""
        for token in entries(mapping(self.chain, "fees").get("fee_tokens")):
            denom = text(token.get("denom"))
            if not DENOM.fullmatch(denom):
                self.remarks.append(f"minimum_gas_prices: left out a token called {printable(denom)!r}")
                continue
            for name in ("fixed_min_gas_price", "low_gas_price", "average_gas_price"):
                price = _price(token.get(name))
                if price:
                    if name != "fixed_min_gas_price" and "fixed_min_gas_price" in token:
                        self.remarks.append(f"minimum_gas_prices: the registry's minimum is 0; took {name} of {denom}")
                    return f"{price:f}{denom}"
            free = free or f"0{denom}"
            break
        said = "no gas price above zero" if free else "no gas price"
        self.remarks.append(f"minimum_gas_prices: the registry names {said}; set one, or blocks fill with free spam")
        return free

    def ladder(self) -> list[dict[str, Any]]:
        """Upgrades after the recommended version; earlier ones are history."""
        version = self.version()
        return ladder(self.versions, version, self.release, self.remarks) if version else []

    def doubts(self, wanted: Mapping[str, Any]) -> None:
        """Add what a person should know before trusting the file."""
        if not wanted["seeds"] and not wanted["persistent_peers"]:
            self.remarks.append("seeds: neither seeds nor persistent peers are known; a node finds nobody by itself")
        status = text(self.chain.get("status"))
        if status and status != "live":
            self.remarks.append(f"the registry calls this chain {printable(status, 20)}")
        consensus = mapping(self.codebase, "consensus")
        kind = text(consensus.get("type"))
        if kind and kind not in ("cometbft", "tendermint"):
            self.remarks.append(
                f"its consensus is {printable(kind, 40)}, not CometBFT: goldnode has not been tried with it"
            )
        for part, ours in (("consensus", "github.com/cometbft/"), ("sdk", "github.com/cosmos/")):
            fork = text(mapping(self.codebase, part).get("repo"))
            if fork and ours not in fork.lower() and "github.com/tendermint/" not in fork.lower():
                self.remarks.append(f"it runs a fork of its {part}: {printable(fork)}")


def _provider(entry: Mapping[str, Any]) -> dict[str, str]:
    name = printable(text(entry.get("provider"))).strip()
    return {"provider": name} if name else {}


def _price(value: Any) -> Decimal | None:
    """A gas price above zero; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    price = Decimal(str(value))
    return price if Decimal("1e-18") <= price < Decimal("1e30") else None
