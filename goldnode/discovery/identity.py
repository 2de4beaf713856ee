"""Who a member is, on its own disk: its enrolment, its wrapping key, and the last number it used.

The whole file is rewritten before each new record leaves, so that a number is never used twice,
not even if the process is killed between writing and sending.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

from goldnode.discovery.plain_file import read_plain
from goldnode.errors import ExchangeError, HostError, InputError
from goldnode.files import write_json
from goldnode.protocol.enrolment import Enrolment, read_enrolment
from goldnode.protocol.wire import from_base64, to_base64

_MODE = 0o600


@dataclass(frozen=True, slots=True)
class Identity:
    """The content of a member's own file.

    Attributes:
        enrolment: Who it is.
        wrapping_seed: Its secret wrapping key.
        seq: The highest number it wrote under, or found in its slot.
        boot: The boot ID it last wrote in; empty before the first record.
    """

    enrolment: Enrolment
    wrapping_seed: bytes = field(repr=False)
    seq: int = 0
    boot: str = ""


def read_identity(path: Path) -> Identity:
    """Read the file.

    Raises:
        InputError: It is absent or damaged.
    """
    try:
        document = json.loads(read_plain(path))
        enrolment = read_enrolment(from_base64(document["enrolment"], "enrolment"))
        wrapping_seed = from_base64(document["box_seed"], "box_seed")
        return Identity(enrolment, wrapping_seed, int(document["seq"]), str(document["boot"]))
    except FileNotFoundError as error:
        raise InputError(f"{path.parent} does not hold a membership", hint="join with an invite") from error
    except (ValueError, KeyError, TypeError, RecursionError, HostError, ExchangeError) as error:
        raise InputError(f"{path} is damaged: {error}", hint=rejoin(path.parent)) from error


def rejoin(state: Path) -> str:
    """What to do about a damaged membership: only an invite can recreate it."""
    return f"mv {state} {state}.damaged, then write a new invite into node.yaml: goldnode apply FILE"


def write_identity(path: Path, identity: Identity) -> None:
    """Write the file, readable by its owner only."""
    document = {
        "version": 1,
        "enrolment": to_base64(identity.enrolment.data),
        "box_seed": to_base64(identity.wrapping_seed),
        "seq": identity.seq,
        "boot": identity.boot,
    }
    write_json(path, document, _MODE)
