"""The lease keeper's end of the signer's control socket (``signer/main.go``): one JSON document a line."""

from __future__ import annotations

import json
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from goldnode.errors import HostError
from goldnode.node.keys.signing_state import SigningState

#: Seconds for one answer; a signature under way and its fsync come first.
TIMEOUT = 10.0


@dataclass(frozen=True, slots=True)
class SignerStatus:
    """What the signer's process says of itself.

    Attributes:
        session: Which process it is.
        address: Whose signatures it makes.
        last: What it signed last, as its disk has it.
        lo: First height it may sign now; 0 without a grant.
        hi: Last one.
        stopped: It signs nothing more.
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
        """What it says of itself.

        Raises:
            HostError: It does not run.
        """
        return self._ask({"op": "status"})

    def grant(self, session: str, lo: int, hi: int) -> SignerStatus:
        """Let it sign these heights."""
        return self._ask({"op": "grant", "session": session, "lo": lo, "hi": hi})

    def revoke(self, session: str) -> SignerStatus:
        """Take its grant away."""
        return self._ask({"op": "revoke", "session": session})

    def stop(self, session: str) -> SignerStatus:
        """Stop it for good; what it signed last is in the answer."""
        return self._ask({"op": "stop", "session": session})

    def end(self, session: str) -> None:
        """End a process that was stopped; systemd starts another."""
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
