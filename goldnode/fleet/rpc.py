"""Queries the external validators: the chain as seen from outside the fleet."""

from __future__ import annotations

import http.client
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from goldnode.errors import HostError
from goldnode.vm.monitor import connected

#: CometBFT's flag of a signature that is for the block.
FOR_THE_BLOCK = 2


@dataclass(frozen=True, slots=True)
class ExternalRpc:
    """The RPC of an external validator.

    Attributes:
        socket: Its unix socket.
    """

    socket: Path

    def ask(self, method: str) -> dict[str, Any]:
        """Make one call.

        Raises:
            HostError: It does not answer, or refuses.
        """
        try:
            with connected(self.socket) as caller:
                caller.settimeout(5)
                caller.sendall(f"GET /{method} HTTP/1.1\r\nHost: external\r\nConnection: close\r\n\r\n".encode())
                with http.client.HTTPResponse(caller) as response:
                    response.begin()
                    document = json.loads(response.read())
        except (OSError, ValueError, http.client.HTTPException) as error:
            raise HostError(f"{self.socket.parent.name} does not answer {method}: {error}") from error
        if "result" not in document:
            raise HostError(f"{self.socket.parent.name} refuses {method}: {document.get('error')}")
        result: dict[str, Any] = document["result"]
        return result

    def height(self) -> int:
        """The latest block's height."""
        return int(self.ask("status")["sync_info"]["latest_block_height"])

    def signers(self, height: int | None = None) -> frozenset[str]:
        """Addresses of the validators that signed the block before this one (the latest if None)."""
        block = self.ask("block" + (f"?height={height}" if height else ""))["block"]
        signatures = (block["last_commit"] or {}).get("signatures", [])
        return frozenset(each["validator_address"] for each in signatures if each["block_id_flag"] == FOR_THE_BLOCK)

    def peers(self) -> frozenset[str]:
        """IDs of its peers."""
        return frozenset(peer["node_info"]["id"] for peer in self.ask("net_info")["peers"])

    def heights(self) -> dict[str, int]:
        """The height of each of its peers, by ID."""
        found = {}
        for peer in self.ask("dump_consensus_state")["peers"]:
            state = peer["peer_state"]
            found[peer["node_address"].partition("@")[0]] = int(state["round_state"]["height"]) - 1
        return found
