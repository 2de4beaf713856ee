"""What a hygiene rule is, and the list of all of them.

A rule is a promise about every finished image, with the reason for it, where it comes from, and
a small function that lists what breaks it.  ``@rule`` puts it on the list; a test holds that each
one on the list has a seeded violation that turns exactly it red.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from goldnode.image.disk import Disk
from goldnode.image.ext4 import Ext4
from goldnode.image.secrets import Hit
from goldnode.image.tree import Tree


@dataclass(frozen=True, slots=True)
class Finding:
    """One violation of a rule.

    Attributes:
        where: Path on the image, or byte offset on the disk.
        what: What is wrong with it, as a clause.
    """

    where: str
    what: str


@dataclass(frozen=True, slots=True)
class Image:
    """Everything a rule may look at.

    Attributes:
        disk: The raw bytes and partitions.
        filesystem: The root filesystem.
        root: Its files.
        esp: Files of the EFI system partition; empty when there is none.
        hits: Secrets found in the raw bytes, each with the path of the file that holds it.
    """

    disk: Disk
    filesystem: Ext4
    root: Tree
    esp: Tree
    hits: tuple[Hit, ...]


Check = Callable[[Image], Iterable[Finding]]


@dataclass(frozen=True, slots=True)
class Rule:
    """A promise about every finished image.

    Attributes:
        id: Stable name, as ``ssh-host-keys``.
        promise: One sentence.
        why: What goes wrong when it is broken.
        source: Who checks this too, or which document asks for it.
        fix: What to do: a command, or the place to change.
        check: Lists what breaks it.
    """

    id: str
    promise: str
    why: str
    source: str
    fix: str
    check: Check


#: Every rule, in the order in which the modules of ``goldnode.image.rules`` name them.
RULES: list[Rule] = []


def rule(rule_id: str, *, promise: str, why: str, source: str, fix: str) -> Callable[[Check], Check]:
    """Put a checking function on the list."""

    def register(check: Check) -> Check:
        RULES.append(Rule(rule_id, promise, why, source, fix, check))
        return check

    return register


def absent(rule_id: str, *patterns: str, promise: str, why: str, source: str, fix: str = "") -> None:
    """Put on the list: only folders may match these patterns.

    Args:
        rule_id: Stable name.
        patterns: As ``Tree.match`` takes them.
        promise: One sentence.
        why: What goes wrong otherwise.
        source: Who checks this too.
        fix: What to do; by default, to remove it where the image is sealed.
    """

    def check(image: Image) -> Iterator[Finding]:
        return (Finding(file.path, "must not ship") for file in image.root.regular(*patterns))

    fix = fix or f"remove {patterns[0]} in packer/scripts/clean.sh"
    RULES.append(Rule(rule_id, promise, why, source, fix, check))
