"""The upgrade ladder from versions.json, starting at the recommended version.

A ladder that is wrong starts another daemon at a height, so nothing is put right silently: a step
without a height, a second one at the same height, one that goes down to an older version are left
out and said, and so is it when a chain is behind what its own versions.json knows.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from goldnode.authoring.registry_json import entries, printable, text, whole

PLAN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._ -]{0,79}")
VERSION = re.compile(r"[0-9][0-9A-Za-z.+-]{0,63}")


def plain_version(tag: str) -> str:
    """The version as a daemon prints it, from a tag such as ``v31.0.0``, ``protocol/v9.6.1`` or ``rewards-v0.7.0``.

    Returns:
        The version; empty if the tag names none.
    """
    last = tag.strip().rpartition("/")[2]
    found = re.search(r"(?:\A|-)[vV]?([0-9].*)\Z", last)
    return found[1] if found and VERSION.fullmatch(found[1]) and not re.fullmatch(r"[0-9a-f]{7,}", found[1]) else ""


def order(version: str) -> tuple[tuple[int, ...], bool, str]:
    """A key that sorts versions; a pre-release (``1.0.0-rc.1``) comes before its release."""
    numbers, dash, rest = version.partition("+")[0].partition("-")
    parts = [int(part) if part.isascii() and part.isdecimal() else 0 for part in numbers.split(".")]
    while parts and parts[-1] == 0:
        parts.pop()
    return tuple(parts), not dash, rest


@dataclass(frozen=True, slots=True)
class LadderStep:
    """One entry of versions.json."""

    name: str
    version: str
    height: int | None
    document: Mapping[str, Any]


def steps(versions: Mapping[str, Any], remarks: list[str]) -> list[LadderStep]:
    """Every usable entry of versions.json, in file order."""
    found = []
    for entry in entries(versions.get("versions")):
        name = text(entry.get("name"))
        version = plain_version(text(entry.get("recommended_version")) or text(entry.get("tag")) or name)
        if not PLAN.fullmatch(name) or not version:
            remarks.append(f"upgrades: left out {printable(name)!r}: it has no name or version that can be used")
            continue
        found.append(LadderStep(name, version, whole(entry.get("height")), entry))
    return found


def ladder(
    versions: Mapping[str, Any],
    current: str,
    release: Callable[[Any, str, str], dict[str, Any]],
    remarks: list[str],
) -> list[dict[str, Any]]:
    """The steps after ``current``, as in a network file.

    Args:
        versions: Content of versions.json.
        current: The recommended version, without a leading ``v``.
        release: Turns a step's binaries, its version and what it is into a release.
        remarks: Gets one sentence for each step left out, and for each that lies ahead.
    """
    known = steps(versions, remarks)
    start = next((at for at in reversed(range(len(known))) if known[at].version == current), None)
    if start is None:
        if known:
            remarks.append(f"upgrades: versions.json does not know {printable(current)}; its ladder was left out")
            ahead = [step for step in known if order(step.version) > order(current)]
            remarks.extend(_behind(step, current) for step in ahead[-1:])
        return []
    base = known[start].height
    after = [step for at, step in enumerate(known) if at != start and _is_after(step, at, base, start)]
    rungs: list[dict[str, Any]] = []
    for step in _climbing(known[start], after, remarks):
        rung: dict[str, Any] = {"name": step.name, "height": step.height, "version": step.version}
        if step.version != current:
            what = f"the binary of {step.name}"
            found = release(step.document.get("binaries"), step.version, what)
            rung |= {"release": found} if found else {}
        rungs.append(rung)
    ahead = [step for step in after if order(step.version) > order(current)]
    if ahead:
        remarks.append(_behind(max(ahead, key=lambda step: order(step.version)), current))
    announced = text(known[start].document.get("next_version_name"))
    if announced and announced not in {step.name for step in known}:
        remarks.append(f"upgrades: the next one is announced as {printable(announced)!r}, without height and binary")
    return rungs


def _is_after(step: LadderStep, at: int, base: int | None, start: int) -> bool:
    if step.height is not None and base is not None:
        return step.height >= base
    return at > start


def _climbing(current: LadderStep, after: list[LadderStep], remarks: list[str]) -> list[LadderStep]:
    """Only the steps that lead upwards, lowest height first."""
    kept: list[LadderStep] = []
    for step in (current, *sorted(after, key=lambda step: step.height or 0)):
        below = kept[-1] if kept else current
        if step.height is None:
            remarks.append(f"upgrades: left out {step.name} ({step.version}): versions.json names no height for it")
        elif order(step.version) < order(below.version):
            down = f"{step.version} is older than {below.version} before it"
            remarks.append(f"upgrades: left out {step.name} at {step.height}: {down}")
        elif kept and step.height == below.height:
            remarks.append(f"upgrades: left out {below.name}: {step.name} is at the same height {step.height}")
            kept[-1] = step
        elif step.name in {other.name for other in kept}:
            remarks.append(f"upgrades: left out a second {step.name}, at {step.height}")
        else:
            kept.append(step)
    return kept


def _behind(step: LadderStep, current: str) -> str:
    place = f"at height {step.height}" if step.height is not None else "without a height"
    return (
        f"daemon.version: versions.json knows {step.version} ({step.name}) {place}; recommended is {current}: "
        "compare with what the chain runs today"
    )
