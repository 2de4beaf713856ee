"""Every live chain of a chain-registry at once: what can be imported, what cannot, and why.

A registry is a folder of chains, with its testnets in a folder of their own.  The outcome is a
table: docs/registry.md is made of it, so that nobody has to try chain by chain.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from goldnode.authoring import chain_registry
from goldnode.authoring.chain_registry import Imported
from goldnode.authoring.registry_json import load, printable, text
from goldnode.config.network import NAME
from goldnode.errors import InputError
from goldnode.files import write_atomic


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result for one chain.

    Attributes:
        name: The chain's folder, which becomes the network's name.
        chain_id: Empty when the file names none.
        daemon: Name and version.
        way: ``release, hash published``, ``release``, ``source`` or ``none``.
        remarks: The number of remarks.
        reason: Why there is no network file; empty when there is one.
    """

    name: str
    chain_id: str
    daemon: str
    way: str
    remarks: int
    reason: str = ""


def sweep(registry: Path, into: Path | None) -> list[Outcome]:
    """Import every live chain.

    Args:
        registry: A clone of chain-registry.
        into: Folder for the network files; without it nothing is written.

    Raises:
        InputError: The folder holds no chain, or ``into`` already holds a file of that name.
    """
    found = [_outcome(folder, into) for folder in chains(registry)]
    outcomes = [outcome for outcome in found if outcome]
    if not outcomes:
        raise InputError(
            f"{registry} does not hold a live chain: no NAME/chain.json",
            hint="git clone the chain-registry, then name its folder",
        )
    return outcomes


def chains(registry: Path) -> Iterator[Path]:
    """Folders with a chain.json, mainnets first, by name."""
    for place in (registry, registry / "testnets"):
        if place.is_dir():
            yield from sorted(folder for folder in place.iterdir() if (folder / "chain.json").is_file())


def table(outcomes: Sequence[Outcome]) -> str:
    """The outcomes as a page of documentation."""
    ways = Counter(outcome.way for outcome in outcomes)
    made = len(outcomes) - ways["none"]
    summary = (
        f"{len(outcomes)} live chains, {made} of them become a network file: {ways['release, hash published']} with a "
        f"published hash, {ways['release']} with a binary that `network lock` pins, {ways['source']} to be built from "
        "source, which `network lock` pins too."
    )
    head = [
        "# Chains of the registry",
        "",
        "Made by `./invoke network import-all --from REGISTRY --page docs/registry.md`; do not edit.",
        "",
        summary,
        "",
        "| chain | chain id | daemon | comes from | remarks |",
        "|---|---|---|---|---|",
    ]
    return "\n".join(head + [_row(outcome) for outcome in outcomes]) + "\n"


def _row(outcome: Outcome) -> str:
    come = outcome.way if not outcome.reason else f"no network file: {outcome.reason}"
    cells = (outcome.name, outcome.chain_id, outcome.daemon, come, str(outcome.remarks) if not outcome.reason else "")
    return "| " + " | ".join(cell.replace("|", "\\|").replace("<", "&lt;") for cell in cells) + " |"


def _outcome(folder: Path, into: Path | None) -> Outcome | None:
    """The result for one chain; None if it is not live."""
    chain: Mapping[str, Any] = {}
    try:
        chain = load(folder / "chain.json")
        if text(chain.get("status")) not in ("", "live"):
            return None
        imported = chain_registry.read(folder)
        name = network_name(folder.name)
        if into:
            _write(into / f"{name}.yaml", imported)
    except InputError as error:
        reason = error.faults[0].reason if error.faults else error.message.partition(": ")[2]
        return Outcome(
            printable(folder.name), printable(text(chain.get("chain_id"))), "", "none", 0, printable(reason, 300)
        )
    daemon = imported.document["daemon"]
    return Outcome(
        name=name,
        chain_id=imported.document["chain_id"],
        daemon=f"{daemon['name']} {daemon['version']}",
        way=_way(daemon),
        remarks=len(imported.remarks),
    )


def network_name(folder: str) -> str:
    """A network's name, derived from a chain's folder.

    Raises:
        InputError: The folder's name is not usable.
    """
    name = folder.lower().replace("_", "-")
    if not NAME.fullmatch(name):
        raise InputError(f"{printable(folder)}: not a valid network name")
    return name


def _way(daemon: Mapping[str, Any]) -> str:
    if "release" not in daemon:
        return "source"
    pinned = all("sha256" in entry for entry in daemon["release"].values())
    return "release, hash published" if pinned else "release"


def _write(path: Path, imported: Imported) -> None:
    if path.exists():
        raise InputError(f"{path}: exists already; nothing was changed", hint="name an empty folder")
    write_atomic(path, imported.text)
