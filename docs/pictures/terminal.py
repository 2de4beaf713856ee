"""Draws what a command prints in a terminal, as an SVG: the pictures of the tutorial are real output.

    .venv/bin/python docs/pictures/terminal.py networks './invoke networks'

runs the command in a terminal of 100 columns and writes docs/pictures/networks.svg.  Run it again after
a change of what the command prints.
"""

from __future__ import annotations

import fcntl
import os
import pty
import re
import shlex
import struct
import sys
import termios
from io import StringIO
from pathlib import Path

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.text import Text

COLUMNS, ROWS = 100, 50
#: Moves of the cursor and erased lines, which a picture has no use for; colours (ending in m) stay.
MOVES = re.compile(r"\x1b\[[0-9;?]*[A-HJKSTfhlnsu]|\x1b[()][A-Z0-9]|\x1b[=>78]")
#: Fonts that rich's template would load from another site whenever somebody looks at the picture.
FONTS = re.compile(r"@font-face \{\{.*?\}\}\s*", re.DOTALL)
#: How a program goes back to lines that it draws again.
DRAWN_AGAIN = re.compile(r"(\n|\r|\x1b\[\d*A|\x1b\[2K)")


def recorded(command: str) -> str:
    """What the command wrote to its terminal."""
    pieces: list[bytes] = []

    def read(terminal: int) -> bytes:
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        pieces.append(os.read(terminal, 65536))
        return pieces[-1]

    os.environ.update(COLUMNS=str(COLUMNS), LINES=str(ROWS), TERM="xterm-256color")
    pty.spawn(shlex.split(command), read)
    return b"".join(pieces).decode(errors="replace")


def last_words(written: str) -> list[str]:
    """The lines as they stand at the end: of what was drawn again and again, the last state."""
    lines, at, begins = [""], 0, True
    for piece in DRAWN_AGAIN.split(written):
        if piece == "\n":
            at, begins = at + 1, True
            lines += [""] * (at == len(lines))
        elif piece == "\r":
            begins = True
        elif piece == "\x1b[2K":
            lines[at] = ""
        elif piece.startswith("\x1b[") and piece.endswith("A"):
            at = max(0, at - int(piece[2:-1] or 1))
        elif text := MOVES.sub("", piece):
            lines[at] = text if begins else lines[at] + text
            begins = False
    while lines and not lines[-1].strip():
        lines.pop()
    return lines


def draw(command: str, lines: list[str], to: Path) -> None:
    """Write the picture."""
    console = Console(record=True, width=COLUMNS, file=StringIO(), force_terminal=True)
    console.print(Text.from_ansi(f"\x1b[1m$ {command}\x1b[0m"))
    for line in lines:
        console.print(Text.from_ansi(line), overflow="fold")
    template = FONTS.sub("", CONSOLE_SVG_FORMAT)
    console.save_svg(str(to), title="goldnode", code_format=template, unique_id=to.stem)


if __name__ == "__main__":
    name, line = sys.argv[1:]
    draw(line, last_words(recorded(line)), Path(__file__).parent / f"{name}.svg")
