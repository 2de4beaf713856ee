"""The lease keeper's end of the signer's control socket (``signer/main.go``): one JSON document a line."""

from __future__ import annotations

import json
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from goldnode.errors import HostError
from goldnode.node.keys.signing_state import SigningState

#: Seconds for an answer; a signature under way and its fsync come first.
TIMEOUT = 10.0


@dataclass(frozen=True, slots=True)
class SignerStatus:
    """The status of a signer's process.

    Attributes:
        session: The process's name.
        address: The address of its key.
        last: What it signed last, according to its disk.
        lo: The first height that it may sign now; 0 without a grant.
        hi: The last one.
        stopped: Whether it has stopped signing for good.
    """

    session: str
    address: str
    last: SigningState
    lo: int
    hi: int
    stopped: bool


@dataclass(frozen=True, slots=True)
class SignerControl:
    """The signer of one node."""

    path: Path

    def status(self) -> SignerStatus:
        """Its status.

        Raises:
            HostError: It is not running.
        """
        return self._ask({"op": "status"})

    def grant(self, session: str, lo: int, hi: int) -> SignerStatus:
        """Allow it to sign these heights."""
        return self._ask({"op": "grant", "session": session, "lo": lo, "hi": hi})

    def revoke(self, session: str) -> SignerStatus:
        """Withdraw its grant."""
        return self._ask({"op": "revoke", "session": session})

    def stop(self, session: str) -> SignerStatus:
        """Stop it for good; the answer has what it signed last."""
        return self._ask({"op": "stop", "session": session})

    def end(self, session: str) -> None:
        """End a stopped process; systemd starts another."""
        self._ask({"op": "end", "session": session})

    def _ask(self, order: dict[str, Any]) -> SignerStatus:
        try:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(TIMEOUT)
                connection.connect(str(self.path))
                connection.sendall(json.dumps(order).encode() + b"\n")
                with connection.makefile("rb") as answers:
                    answer: dict[str, Any] = json.loads(answers.readline(65536))
            if "error" in answer:
                raise HostError(f"the signer says: {answer['error']}")
            last = SigningState(answer["height"], answer["round"], answer["step"])
            return SignerStatus(
                answer["session"], answer["address"], last, answer["lo"], answer["hi"], answer["stopped"]
            )
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise HostError(f"the signer at {self.path} does not answer: {error}") from error
