"""What commands print: for a terminal, a pipe or a program, without passing on other people's control characters.

Names, descriptions and addresses come from registries, peers and images.  A terminal interprets control
characters in them, and rich its own markup, so both are spelled out.  In a pipe a table has no frame and
no line is cut or wrapped, because a program reads it.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from typing import Any

from rich import console, segment, table

#: Control characters (C0 except tab and newline, DEL, C1), and those that change the direction of text.
CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
#: Columns of a pipe: wider than anything.
ENDLESS = 100_000


def clean(text: str) -> str:
    r"""The text with every control character spelled out, such as ``\x1b``."""
    return CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def say(text: str = "", *, end: str = "\n") -> None:
    """Print to standard output."""
    print(clean(text), end=end, flush=True)


def say_json(document: object) -> None:
    """Print a document for programs."""
    say(json.dumps(document, indent=2))


def tell(text: str, *, mark: str = "") -> None:
    """Print to standard error, after a mark, which is red on terminals."""
    red = mark and sys.stderr.isatty()
    print((f"\x1b[31m{mark}\x1b[0m " if red else f"{mark} " if mark else "") + clean(text), file=sys.stderr, flush=True)


def show(content: Any, *, stderr: bool = False) -> None:
    """Print a table, or something that contains tables."""
    screen(stderr=stderr).print(Shown(content))


def screen(*, stderr: bool = False) -> console.Console:
    """A console on standard output or error that does not interpret markup."""
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else ENDLESS
    return console.Console(file=stream, markup=False, emoji=False, highlight=False, width=width)


class Shown:
    """A renderable as people may see it: cells fold instead of being cut, and control characters are spelled out."""

    def __init__(self, content: Any) -> None:
        self.content = content

    def __rich_console__(self, on: console.Console, options: console.ConsoleOptions) -> Iterator[segment.Segment]:
        for each in _tables(self.content):
            each.title_justify = each.caption_justify = "left"
            if not on.is_terminal:
                each.box, each.pad_edge = None, False
            for column in each.columns:
                column.overflow = "fold"
        for part in on.render(self.content, options):
            yield part if part.control else segment.Segment(clean(part.text), part.style)


def _tables(content: Any) -> Iterator[table.Table]:
    if isinstance(content, console.Group):
        for part in content.renderables:
            yield from _tables(part)
    if isinstance(content, table.Table):
        yield content
