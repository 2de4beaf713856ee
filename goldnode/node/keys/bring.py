"""Imports an existing ``priv_validator_key.json``: which state belongs to it, and when it may come without one.

The key alone says nothing about what it signed.  So its state is named, or found where CometBFT keeps it; a state of
height 0, or none, is accepted only for a key that a person declares as never used, and if nothing contradicts that.
"""

from __future__ import annotations

import json
from pathlib import Path

from goldnode.discovery.plain_file import read_plain
from goldnode.errors import HostError, SafetyError, UsageError
from goldnode.node.keys import other_signers
from goldnode.node.keys.signing_state import UNUSED, SigningState

_STATE = "priv_validator_state.json"


def is_bare_key(text: str) -> bool:
    """Whether a file is CometBFT's key rather than an archive."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return False
    return isinstance(document, dict) and "priv_key" in document


def find_state(key: Path, named: Path | None, *, never_used: bool) -> SigningState | None:
    """Find what a bare key signed last.

    Args:
        key: The key's file.
        named: The state file that the operator named; None for none.
        never_used: Whether the operator says that the key never signed.

    Returns:
        The state; None for a key that never signed.

    Raises:
        UsageError: Both were given.
        SafetyError: There is no state, or it contradicts the operator.
    """
    if named is not None and never_used:
        raise UsageError("--state and --never-used contradict each other", hint="goldnode key import --help")
    file = named or next((path for path in _beside(key) if path.exists()), None)
    state = None if file is None else other_signers.parse(_text(file), str(file))
    if never_used:
        if state is not None and state > UNUSED:
            raise SafetyError(
                f"{file} says that this key signed up to {state}",
                hint=f"goldnode key import {key} --state {file}",
            )
        return None
    if state is None:
        raise SafetyError(
            f"{key} comes without what it signed last: there is no {_STATE} beside it",
            hint=f"goldnode key import {key} --state STATE, with the state of the signer that used it last",
        )
    if state == UNUSED:
        raise SafetyError(
            f"{file} says that the key never signed; a fresh state file beside a used key is how keys sign twice",
            hint=f"name the state of where it signed last, or, if it never did: goldnode key import --never-used {key}",
        )
    return state


def _beside(key: Path) -> tuple[Path, ...]:
    """Where a key's state may be: beside it, if both were copied, or in the home's data folder."""
    return (key.with_name(_STATE), key.parent.parent / "data" / _STATE)


def _text(path: Path) -> str:
    try:
        return read_plain(path).decode()
    except FileNotFoundError as error:
        raise HostError(f"{path} does not exist") from error
    except UnicodeDecodeError as error:
        raise SafetyError(f"{path} is not text", hint="name the file that the signer wrote last") from error
