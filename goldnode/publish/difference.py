"""What changed between two images, for a person who has to approve it: as text, or Markdown for a pull request."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from goldnode.publish.inventory import SECTIONS, Inventory

#: Lines printed for one section; the rest is only counted.
SHOWN = 200


@dataclass(frozen=True, slots=True)
class NameChange:
    """One name that differs.

    Attributes:
        name: Package, path, unit, port, user, or fact about the daemon.
        old: What it was; None when it is new.
        new: What it is; None when it is gone.
    """

    name: str
    old: str | None
    new: str | None

    def __str__(self) -> str:
        if self.old is None:
            return f"+ {self.name}  {self.new}"
        if self.new is None:
            return f"- {self.name}  {self.old}"
        return f"~ {self.name}  {self.old} -> {self.new}"


@dataclass(frozen=True, slots=True)
class Difference:
    """All changes from one image to another, by section; sections without changes are omitted.

    Attributes:
        old: Name of the old image.
        new: Name of the new image.
        sections: Changes by section.
    """

    old: str
    new: str
    sections: Mapping[str, tuple[NameChange, ...]]

    def text(self) -> str:
        """For a terminal."""
        if not self.sections:
            return f"{self.old} and {self.new} hold the same\n"
        return "".join(
            f"{title} ({len(changes)})\n" + "".join(f"  {line}\n" for line in _lines(changes))
            for title, changes in self.sections.items()
        )

    def markdown(self) -> str:
        """For a pull request: one collapsible block per section."""
        if not self.sections:
            return f"`{self.old}` and `{self.new}` hold the same.\n"
        head = f"### `{self.old}` → `{self.new}`\n"
        return head + "".join(
            f"\n<details><summary>{title}: {len(changes)}</summary>\n\n```diff\n"
            + "".join(f"{line}\n" for line in _lines(changes, changed="!"))
            + "```\n\n</details>\n"
            for title, changes in self.sections.items()
        )


def compare(old: Inventory, new: Inventory) -> Difference:
    """List what differs."""
    changes = {title: tuple(_changes(old.sections[title], new.sections[title])) for title in SECTIONS}
    return Difference(old.name, new.name, {title: some for title, some in changes.items() if some})


def _changes(old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[NameChange]:
    for name in sorted(old.keys() | new.keys()):
        if old.get(name) != new.get(name):
            yield NameChange(name, old.get(name), new.get(name))


def _lines(changes: tuple[NameChange, ...], changed: str = "~") -> Iterator[str]:
    for change in changes[:SHOWN]:
        line = str(change)
        yield changed + line[1:] if line.startswith("~") else line
    if len(changes) > SHOWN:
        yield f"  and {len(changes) - SHOWN} more"
