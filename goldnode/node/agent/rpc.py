"""CometBFT's RPC on loopback: the part of it that this program uses.

Nothing that an RPC returns is taken for granted: heights are strings, ``catching_up`` stays false when a
node falls behind later, and ``/health`` always answers.
"""

from __future__ import annotations

import base64
import http.client
import json
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from urllib.parse import urlencode

from goldnode.errors import HostError
from goldnode.node.observe import protobuf
from goldnode.node.plan.upgrade import Halt

#: Seconds for an answer from a daemon on this machine.
TIMEOUT = 5.0
MAX_BYTES = 8 << 20
_FRACTION = re.compile(r"(\.\d{1,6})\d*")


@dataclass(frozen=True, slots=True)
class Status:
    """The content of ``/status``.

    Attributes:
        node_id: The daemon's node ID.
        height: The latest block.
        block_time: When that block was made, unix seconds.
        catching_up: The daemon's own claim that it is syncing.
        address: Its validator key's address.
        power: Its voting power; 0 if it is not in the validator set.
    """

    node_id: str
    height: int
    block_time: float
    catching_up: bool
    address: str
    power: int


class Rpc(Protocol):
    """One daemon's RPC."""

    def status(self) -> Status:
        """What the daemon says of itself."""

    def peers(self) -> frozenset[str]:
        """IDs of the peers it is connected to."""

    def signed(self, height: int) -> frozenset[str]:
        """Addresses that signed the block of this height."""

    def dial(self, peers: tuple[str, ...]) -> None:
        """Dial peers now, however long ago the daemon gave up."""

    def upgrade_plan(self) -> Halt | None:
        """The upgrade that the chain has voted for; None for none."""

    def query(self, path: str, data: bytes) -> bytes:
        """What the application answers to a query; empty for nothing."""


class LoopbackRpc:
    """The RPC of a real daemon.

    Args:
        port: On loopback.
    """

    def __init__(self, port: int) -> None:
        self._port = port

    def status(self) -> Status:
        """What the daemon says of itself.

        Raises:
            HostError: It does not answer, or not as CometBFT does.
        """
        try:
            result = self._call("status")
            sync, validator = result["sync_info"], result["validator_info"]
            return Status(
                node_id=result["node_info"]["id"],
                height=int(sync["latest_block_height"]),
                block_time=seconds(sync["latest_block_time"]),
                catching_up=bool(sync["catching_up"]),
                address=validator["address"],
                power=int(validator["voting_power"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise self._strange("status", error) from error

    def peers(self) -> frozenset[str]:
        """IDs of the peers it is connected to."""
        try:
            return frozenset(peer["node_info"]["id"] for peer in self._call("net_info")["peers"])
        except (KeyError, TypeError) as error:
            raise self._strange("net_info", error) from error

    def signed(self, height: int) -> frozenset[str]:
        """Addresses that signed the block of this height."""
        try:
            commit = self._call("commit", height=str(height))["signed_header"]["commit"]
            # 2 is a vote for the block, 3 a vote for nil, 1 an absence.
            voted = [each for each in commit["signatures"] if each["block_id_flag"] == 2]  # noqa: PLR2004
            return frozenset(each["validator_address"] for each in voted)
        except (KeyError, TypeError) as error:
            raise self._strange("commit", error) from error

    def dial(self, peers: tuple[str, ...]) -> None:
        """Dial peers now, however long ago the daemon gave up."""
        listed = "[" + ",".join(f'"{peer}"' for peer in peers) + "]"
        self._call("dial_peers", peers=listed, persistent="true", unconditional="true", private="true")

    def upgrade_plan(self) -> Halt | None:
        """The upgrade that the chain has voted for; None for none, and on chains without such votes."""
        try:
            return read_plan(self.query("/cosmos.upgrade.v1beta1.Query/CurrentPlan", b""))
        except ValueError as error:
            raise self._strange("abci_query", error) from error

    def query(self, path: str, data: bytes) -> bytes:
        """What the application answers to a query; empty for nothing, and where it knows no such path."""
        given = {"data": f"0x{data.hex()}"} if data else {}
        answer = self._call("abci_query", path=f'"{path}"', **given)
        try:
            return base64.b64decode(answer["response"].get("value") or "")
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise self._strange("abci_query", error) from error

    def _call(self, method: str, **arguments: str) -> dict[str, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=TIMEOUT)
        try:
            connection.request("GET", f"/{method}?{urlencode(arguments)}")
            response = connection.getresponse()
            document = json.loads(response.read(MAX_BYTES))
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise HostError(f"the daemon's RPC on port {self._port} does not answer: {error}") from error
        finally:
            connection.close()
        result = document.get("result") if isinstance(document, dict) else None
        if not isinstance(result, dict):
            raise self._strange(method, document.get("error") if isinstance(document, dict) else document)
        return result

    def _strange(self, method: str, what: object) -> HostError:
        return HostError(f"the daemon's RPC on port {self._port} answers {method} strangely: {str(what)[:200]}")


def read_plan(data: bytes) -> Halt | None:
    """The plan in a ``QueryCurrentPlanResponse`` (cosmos/upgrade/v1beta1): name is field 1, height field 3.

    Raises:
        ValueError: It is not such a message.
    """
    plan = protobuf.part(data, 1)
    name, height = protobuf.part(plan, 1), protobuf.number(plan, 3)
    return Halt(name.decode(), height) if name and height else None


def seconds(text: str) -> float:
    """Unix seconds from CometBFT's RFC 3339 with nanoseconds, which Python reads up to microseconds."""
    return datetime.fromisoformat(_FRACTION.sub(r"\1", text)).timestamp()
