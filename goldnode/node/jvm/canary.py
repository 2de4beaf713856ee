"""One node's own version of one jar: tried there while its siblings run what the image has.

The jar and what it stands in for are kept in a folder of root's, and its hash is compared at each start.  A new
image that has no such jar any more ends the trial: one update is for all nodes.
"""

from __future__ import annotations

import difflib
import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from goldnode.errors import ArtifactError, UsageError
from goldnode.files import replacing, sha256_file, write_atomic

_RECORD = "canary.json"


@dataclass(frozen=True, slots=True)
class Canary:
    """A jar that one node has instead of the image's.

    Attributes:
        old: The file name of the image's.
        new: The file name of the node's own.
        sha256: Hash of the node's own.
    """

    old: str
    new: str
    sha256: str


def begin(folder: Path, old: str, source: Path, sha256: str, jars: Sequence[Path]) -> Canary:
    """Keep a jar for a node; what it ran before counts until its next start.

    Args:
        folder: The node's own, of root's.
        old: File name of the image's jar that it stands in for.
        source: The jar.
        sha256: What its hash has to be.
        jars: The image's jars.

    Raises:
        UsageError: The image has no such jar, or the file is not there.
        ArtifactError: The file is not what its hash says.
    """
    names = [jar.name for jar in jars]
    if old not in names:
        near = difflib.get_close_matches(old, names, n=1)
        raise UsageError(f"the image has no {old}", hint=f"did you mean {near[0]}?" if near else "goldnode jvm status")
    if not source.is_file() or source.suffix != ".jar":
        raise UsageError(f"{source} is no jar", hint=f"ls -l {source}")
    found = sha256_file(source)
    if found != sha256:
        raise ArtifactError(f"{source} has sha256 {found}, not {sha256}", hint="fetch it again")
    canary = Canary(old, source.name, sha256)
    folder.mkdir(parents=True, exist_ok=True)
    with replacing(folder / canary.new) as draft:
        shutil.copyfile(source, draft)
    folder.chmod(0o755)
    write_atomic(folder / _RECORD, json.dumps(asdict(canary)) + "\n", 0o644)
    return canary


def read(folder: Path) -> Canary | None:
    """The node's trial; None when it has none."""
    try:
        return Canary(**json.loads((folder / _RECORD).read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None


def end(folder: Path) -> None:
    """Have the node run the image's jar again, from its next start on.

    Raises:
        UsageError: It has no other.
    """
    if read(folder) is None:
        raise UsageError(f"{folder.name} runs the image's jars", hint="goldnode jvm status")
    shutil.rmtree(folder)


def classpath(folder: Path, jars: Sequence[Path]) -> list[Path]:
    """The image's jars, with the node's own in the place of the one that it stands in for.

    Raises:
        ArtifactError: The node's own is not what was put there: which version would run is in doubt.
    """
    canary = read(folder)
    if canary is None or canary.old not in {jar.name for jar in jars}:
        return list(jars)
    own = folder / canary.new
    if not own.is_file() or sha256_file(own) != canary.sha256:
        raise ArtifactError(f"{own} is not the jar that was put there", hint=f"goldnode jvm canary {folder.name} --end")
    return [own if jar.name == canary.old else jar for jar in jars]
