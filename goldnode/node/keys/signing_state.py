"""What a validator signed last: CometBFT's ``priv_validator_state.json``, read strictly.

The file is the only thing that keeps a key from signing the same height twice, so nothing is
guessed: what cannot be read is refused.  States are ordered by (height, round, step).
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from goldnode.errors import SafetyError

#: propose, prevote, precommit; 0 means nothing signed yet.
STEPS = range(4)
_HEIGHT = re.compile(r"0|[1-9][0-9]{0,18}")


@dataclass(frozen=True, slots=True, order=True)
class SigningState:
    """The last thing signed, comparable: a later state is greater.

    Attributes:
        height: Block height; 0 when nothing was signed.
        round: Round within the height.
        step: 1 propose, 2 prevote, 3 precommit.
    """

    height: int = 0
    round: int = 0
    step: int = 0

    def __str__(self) -> str:
        return f"{self.height}/{self.round}/{self.step}"


#: Nothing signed yet; true only for a key that has never signed.
UNUSED = SigningState()
#: Above every height of a chain: CometBFT signs nothing at or below the height in its state.
MUTED = SigningState(1 << 62, 0, max(STEPS))


def parse(text: str, file: str) -> SigningState:
    """Read a signing state.

    Raises:
        SafetyError: It is not one, so what was signed is unknown.
    """
    try:
        return from_document(json.loads(text))
    except (ValueError, RecursionError) as error:
        hint = "goldnode key recover"
        raise SafetyError(f"{file} does not say what was signed last: {error}", hint=hint) from error


def from_document(document: Any) -> SigningState:
    """Take the state out of the parsed JSON.

    Raises:
        ValueError: A field is missing or is not what CometBFT writes.
    """
    if not isinstance(document, dict):
        raise ValueError("not a JSON object")  # noqa: TRY004 - one error type for every unreadable state
    height, round_, step = document.get("height"), document.get("round", 0), document.get("step", 0)
    if not isinstance(height, str) or not _HEIGHT.fullmatch(height):
        raise ValueError(f"height is {height!r}, not a number in quotes")
    if type(round_) is not int or round_ < 0:
        raise ValueError(f"round is {round_!r}")
    if type(step) is not int or step not in STEPS:
        raise ValueError(f"step is {step!r}")
    return SigningState(int(height), round_, step)


def to_document(state: SigningState) -> dict[str, Any]:
    """A state as CometBFT writes it, without the signature (which it only uses to repeat itself)."""
    return {"height": str(state.height), "round": state.round, "step": state.step}
