"""Invites in a file for Terraform, for its owner's eyes only.

On a command line, as `-var`, an invite stands in the shell's history and in everybody's list of
processes.  The file keeps what it has: Terraform asks for an invite of every machine that it knows,
also of those that have used theirs.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from goldnode.errors import InputError, UsageError
from goldnode.files import write_json

#: Terraform reads JSON from files of this name only; one that ends in .auto.tfvars.json without being told.
ENDING = ".tfvars.json"


def add(path: Path, rendezvous: Sequence[str], invites: Mapping[str, str]) -> None:
    """Put invites, by their machines' names, into a file of variables; everything else in it stays.

    Raises:
        UsageError: The file's name is none that Terraform reads as JSON.
        InputError: The file is no JSON object.
    """
    require_name(path)
    known = _read(path) if path.exists() else {}
    known["rendezvous"] = list(rendezvous)
    known["invites"] = {**known.get("invites", {}), **invites}
    write_json(path, known, 0o600)


def require_name(path: Path) -> None:
    """See that Terraform will read a file of this name.

    Raises:
        UsageError: It will not.
    """
    if not path.name.endswith(ENDING):
        raise UsageError(f"--tfvars {path}: Terraform reads JSON from *{ENDING} only", hint=f"--tfvars x.auto{ENDING}")


def _read(path: Path) -> dict[str, Any]:
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{path} is not valid JSON: {error}", hint=f"rm {path}") from error
    if not isinstance(known, dict) or not isinstance(known.get("invites", {}), dict):
        raise InputError(f"{path} holds no variables of Terraform", hint=f"rm {path}")
    return known
