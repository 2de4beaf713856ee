"""Pin files without a published hash: trust on first use, written into the network file.

The file belongs to a person: comments, order and layout stay as they are.  So nothing is dumped
again; YAML's own positions say where each unpinned artifact stands, and ``sha256``, ``size`` and
``locked`` (the day) are inserted there, in the style of their surroundings.
"""

from __future__ import annotations

import copy
import datetime as dt
import mmap
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from goldnode.authoring.registry_json import printable
from goldnode.authoring.renewal import rewritten
from goldnode.config import network_check
from goldnode.config.source import Where
from goldnode.errors import ArtifactError, InputError
from goldnode.fetch.artifact import Artifact
from goldnode.fetch.program import check_program, kind
from goldnode.fetch.retry import RetryBudget
from goldnode.fetch.store import ArtifactStore
from goldnode.fetch.unpack import unpack
from goldnode.files import write_atomic
from goldnode.progress import Progress

#: What decides the nesting depth in JSON: whole strings, and brackets.
TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*+"|[{}\[\]]', re.DOTALL)
COLON = re.compile(rb"\s*:")


@dataclass(frozen=True, slots=True)
class Pin:
    """What was learned about an artifact by fetching it once.

    Attributes:
        where: The artifact's path in the network file.
        url: Where it came from.
        sha256: What came.
        size: How many bytes.
    """

    where: Where
    url: str
    sha256: str
    size: int


def lock(path: Path, store: ArtifactStore, today: dt.date, budget: RetryBudget, progress: Progress) -> list[Pin]:
    """Fetch everything in a network file that has no hash, and record it there.

    Returns:
        What was pinned; empty when nothing was missing, and then the file is untouched.

    Raises:
        InputError: The file has faults.
        ArtifactError: Something cannot be fetched, or is not what the file says of it; the file is untouched.
    """
    document = network_check.checked(path)
    pins = []
    for where, artifact in unpinned(document):
        found = store.discover(artifact.url, budget, progress)
        size = found.stat().st_size
        if artifact.size not in (None, size):
            raise ArtifactError(f"{artifact.url} has {size} bytes, the file says {artifact.size}")
        _inspect(found, replace(artifact, sha256=found.name), where, document["chain_id"])
        pins.append(Pin(where, artifact.url, found.name, size))
    if pins:
        text = path.read_text(encoding="utf-8")
        write_atomic(path, insert(text, pins, today), path.stat().st_mode & 0o777)
    return pins


def unpinned(document: Mapping[str, object]) -> Iterator[tuple[Where, Artifact]]:
    """Every artifact of a valid network file without a hash, with its path."""

    def walk(value: object, where: Where) -> Iterator[tuple[Where, Artifact]]:
        if isinstance(value, dict):
            if "url" in value and "sha256" not in value:
                yield where, Artifact.from_document(value)
            for key, inner in value.items():
                yield from walk(inner, (*where, key))
        elif isinstance(value, list):
            for index, inner in enumerate(value):
                yield from walk(inner, (*where, index))

    for part in ("daemon", "genesis", "upgrades"):
        yield from walk(document.get(part), (part,))


def insert(text: str, pins: Sequence[Pin], today: dt.date) -> str:
    """The same text with the pins inserted; pure.

    A mapping in braces gets them before its closing brace, a block mapping gets lines after its url.
    """
    root = yaml.compose(text, yaml.SafeLoader)
    edits = []
    for pin in pins:
        entry = _find(root, pin.where)
        known = {key.value for key, _ in entry.value}
        fields = {"sha256": pin.sha256, "size": str(pin.size), "locked": today.isoformat()}
        new = [f"{key}: {value}" for key, value in fields.items() if key not in known]
        url_key, url_value = next((key, value) for key, value in entry.value if key.value == "url")
        if entry.flow_style:
            edits.append((entry.value[-1][1].end_mark.index, "".join(f", {field}" for field in new)))
        else:
            line_end = text.find("\n", url_value.end_mark.index)
            indent = " " * url_key.start_mark.column
            edits.append((len(text) if line_end < 0 else line_end, "".join(f"\n{indent}{field}" for field in new)))
    for index, addition in sorted(edits, reverse=True):
        text = text[:index] + addition + text[index:]
    return text


def _find(node: yaml.Node | None, where: Where) -> yaml.MappingNode:
    for step in where:
        if isinstance(node, yaml.SequenceNode) and isinstance(step, int):
            node = node.value[step]
        elif isinstance(node, yaml.MappingNode):
            node = next(value for key, value in node.value if key.value == step)
    assert isinstance(node, yaml.MappingNode)  # noqa: S101 - the file was checked
    return node


def lock_sources(path: Path, resolve: Callable[[Mapping[str, Any], str, str], Mapping[str, Any]]) -> list[str]:
    """Turn every source that is only a repository and a tag into a pinned build.

    Args:
        path: The network file.
        resolve: Gives ``source`` and ``libraries`` for a draft, a daemon's name and its version.

    Returns:
        What was pinned, as repository and tag; empty when nothing was missing, and then the file is untouched.

    Raises:
        InputError: The file has faults.
        GoldnodeError: The sources cannot be fetched, or are not a daemon's; the file is untouched.
    """
    network_check.checked(path)
    text = path.read_text(encoding="utf-8")
    document = network_check.parse(str(path), text).data
    wanted = copy.deepcopy(document)
    pinned = []
    for part in (wanted["daemon"], *wanted.get("upgrades", [])):
        draft = part.get("source")
        if draft and not draft.get("sum"):
            made = resolve(draft, wanted["daemon"]["name"], str(part["version"]))
            part["source"] = made["source"]
            if "libraries" in made:
                part.setdefault("libraries", made["libraries"])
            pinned.append(f"{draft['git']} at {draft['tag']}")
    if pinned:
        changed = rewritten(text, document, wanted)
        faults = network_check.faults(network_check.parse(str(path), changed))
        if faults or network_check.parse(str(path), changed).data != wanted:
            raise InputError(f"{path} would have faults, so it was not written:", faults=faults)
        write_atomic(path, changed, path.stat().st_mode & 0o777)
    return pinned


def _inspect(archive: Path, artifact: Artifact, where: Where, chain_id: str) -> None:
    """Look inside before trusting: a program must run on its architecture, a genesis must belong to this chain.

    Raises:
        ArtifactError: It is not what it should be.
    """
    with tempfile.TemporaryDirectory(prefix="goldnode-lock-") as folder:
        inner = Path(folder) / "inner"
        unpack(archive, artifact, inner)
        if where == ("genesis",):
            check_genesis(inner, chain_id, artifact)
        else:
            check_program(inner, str(where[-1]), artifact.url)


def check_genesis(genesis: Path, chain_id: str, artifact: Artifact) -> None:
    """Refuse what is not a genesis of this chain.

    Raises:
        ArtifactError: It is not; the message says what it is instead.
    """
    found = top_level_chain_id(genesis)
    if found == chain_id:
        return
    what = f"{artifact.url} is not a genesis of {chain_id}: "
    with genesis.open("rb") as stream:
        if b'"jsonrpc"' in stream.read(512):
            raise ArtifactError(f"{what}it is an RPC server's answer", hint="write format: rpc beside genesis.url")
    raise ArtifactError(
        what + (f"its chain_id is {printable(found)}" if found else f"it is {kind(genesis)} without its own chain_id"),
        hint="./invoke network check, after correcting genesis.url or chain_id",
    )


def top_level_chain_id(genesis: Path) -> str:
    """The document's own chain_id, not that of an IBC counterparty; empty if there is none.

    Real genesis files have hundreds of megabytes, so the file is searched instead of parsed.
    """
    if not genesis.stat().st_size:
        return ""
    depth, key = 0, b""
    with genesis.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content:
        for match in TOKEN.finditer(content):
            token = match[0]
            if token in b"{[":
                depth += 1
            elif token in b"}]":
                depth -= 1
            elif depth == 1 and key == b'"chain_id"':
                return token[1:-1].decode("utf-8", "replace")
            elif depth == 1:
                key = token if COLON.match(content, match.end()) else b""
    return ""
