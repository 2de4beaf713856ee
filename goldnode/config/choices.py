"""Values of node.yaml that are used long after it was read.

Separate from its reader, because the preflight of a daemon and its signer look at them, and need no YAML:
every start of a daemon waits for what they import.
"""

from __future__ import annotations

from enum import StrEnum


class ConsensusKey(StrEnum):
    """Where a validator's consensus key comes from."""

    GENERATE = "generate"
    EXISTING = "existing"
    REMOTE_SIGNER = "remote-signer"


class MeshKind(StrEnum):
    """What carries the private network between a validator and its sentries."""

    WIREGUARD = "wireguard"
    VPNCLOUD = "vpncloud"
