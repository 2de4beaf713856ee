"""How a node without state reaches the tip of a chain with history: the ``catch_up`` section of a network file.

Past blocks cannot be replayed: every past binary would be needed.  So a network says whom a state sync
may ask, which snapshot is known by its hash, and who publishes others.  Standard library only, the
node reads it at boot.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

#: CometBFT's own default; most chains unbond in two or three weeks.
TRUST_PERIOD = "168h"


class SnapshotFormat(StrEnum):
    """How a snapshot of a node's ``data`` is packed."""

    TAR = "tar"
    TAR_GZ = "tar.gz"
    TAR_LZ4 = "tar.lz4"
    TAR_ZST = "tar.zst"

    @classmethod
    def of(cls, url: str) -> SnapshotFormat | None:
        """The format that the suffix of a URL's path names; None if it names none."""
        try:
            path = urlsplit(url).path.lower()
        except ValueError:
            return None
        return next((known for known in reversed(cls) if path.endswith(f".{known}")), None)


@dataclass(frozen=True, slots=True)
class RpcServer:
    """A public RPC server.

    Attributes:
        url: http or https, without a trailing slash.
        provider: Who runs it; empty when nobody said. Two servers of one provider count as one.
    """

    url: str
    provider: str = ""


@dataclass(frozen=True, slots=True)
class StateSync:
    """Whom a state sync may ask.

    Attributes:
        servers: At least two, on different hosts.
        trust_period: As config.toml wants it, as ``168h``: shorter than the chain's unbonding time.
    """

    servers: tuple[RpcServer, ...]
    trust_period: str = TRUST_PERIOD


@dataclass(frozen=True, slots=True)
class Snapshot:
    """An archive of a node's ``data``, known by its hash.

    Attributes:
        url: Where it is.
        sha256: Hash of the archive.
        size: Its length in bytes; None when unknown.
        format: How it is packed.
    """

    url: str
    sha256: str
    size: int | None
    format: SnapshotFormat


@dataclass(frozen=True, slots=True)
class CatchUp:
    """Every way to the tip that a node takes by itself; both None when there is only replay from genesis."""

    state_sync: StateSync | None = None
    snapshot: Snapshot | None = None

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> CatchUp:
        """Read the ``catch_up`` of a valid network file."""
        sync, snapshot = document.get("state_sync"), document.get("snapshot")
        return cls(
            state_sync=_state_sync(sync) if sync else None,
            snapshot=_snapshot(snapshot) if snapshot else None,
        )


def _state_sync(document: Mapping[str, Any]) -> StateSync:
    servers = tuple(
        RpcServer(entry.rstrip("/"))
        if isinstance(entry, str)
        else RpcServer(entry["url"].rstrip("/"), entry.get("provider", ""))
        for entry in document["servers"]
    )
    return StateSync(servers, document.get("trust_period", TRUST_PERIOD))


def _snapshot(document: Mapping[str, Any]) -> Snapshot:
    packed = document["format"] if "format" in document else SnapshotFormat.of(document["url"])
    return Snapshot(document["url"], document["sha256"], document.get("size"), SnapshotFormat(packed or "tar"))
