"""Invites in a file for Terraform, readable by its owner only.

On a command line, as `-var`, an invite would show in the shell's history and in everybody's process
list.  Invites stay in the file: Terraform asks for one for every machine it knows, including those
that have used theirs.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from goldnode.errors import InputError, UsageError
from goldnode.files import write_json

#: Terraform reads JSON only from files with this suffix; it loads *.auto.tfvars.json by itself.
ENDING = ".tfvars.json"


def add(path: Path, rendezvous: Sequence[str], invites: Mapping[str, str]) -> None:
    """Add invites to a file of variables, by machine name; everything else in it is kept.

    Raises:
        UsageError: Terraform would not read a file of that name as JSON.
        InputError: The file is not a JSON object.
    """
    require_name(path)
    known = _read(path) if path.exists() else {}
    known["rendezvous"] = list(rendezvous)
    known["invites"] = {**known.get("invites", {}), **invites}
    write_json(path, known, 0o600)


def require_name(path: Path) -> None:
    """Check that Terraform will read a file of this name.

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
        raise InputError(f"{path} does not hold Terraform variables", hint=f"rm {path}")
    return known
