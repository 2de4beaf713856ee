"""Reads the signing states of other signers, tmkms and Horcrux, as an operator brings them.

Both are JSON with height and round as strings, and tmkms numbers its steps differently from CometBFT.  A step that
CometBFT does not know counts as the last of its round: too late costs a vote, too early costs the key.
"""

from __future__ import annotations

import json
import re
from typing import Any

from goldnode.errors import SafetyError
from goldnode.node.keys.signing_state import STEPS, SigningState

_NUMBER = re.compile(r"0|[1-9][0-9]{0,18}")


def parse(text: str, file: str) -> SigningState:
    """Read CometBFT's ``priv_validator_state.json``, tmkms's ``state_file``, or Horcrux's state of a chain.

    Raises:
        SafetyError: It is none of them, so what was signed is unknown.
    """
    hint = "name the file that the signer wrote last, unchanged: goldnode key import KEY --state STATE"
    try:
        document = json.loads(text)
        if not isinstance(document, dict):
            raise ValueError("it is not a JSON object")  # noqa: TRY004, TRY301 - one error for every invalid state
        height, round_ = _number(document, "height"), _number(document, "round")
        step = document.get("step", max(STEPS))
        known = type(step) is int and step in STEPS and "block_id" not in document
        return SigningState(height, round_, step if known or not height else max(STEPS))
    except (ValueError, RecursionError) as error:
        raise SafetyError(f"{file} does not say what was signed last: {error}", hint=hint) from error


def _number(document: dict[str, Any], name: str) -> int:
    """A number, given as a number or a string; it must be present."""
    value = document.get(name)
    if type(value) is int and value >= 0:
        return value
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        return int(value)
    raise ValueError(f"{name} is {value!r}, not a number")
