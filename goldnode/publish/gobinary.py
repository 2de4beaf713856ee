"""The modules that a Go program was built from, read from the program itself.

Go writes it into every binary; ``go version -m`` prints it, but an operator who downloads releases
has no Go.  The format is that of Go 1.18 and later (debug/buildinfo in Go's own library).
"""

from __future__ import annotations

from dataclasses import dataclass

_MAGIC = b"\xff Go buildinf:"
_ALIGN = 16
_INLINE = 0x2
#: Where the strings begin, counted from the magic.
_STRINGS = 32
#: Markers before and after the module text.
_SENTINEL = 16


@dataclass(frozen=True, slots=True)
class Module:
    """One Go module: its path, version and, for all but the main module, its ``h1:`` sum."""

    path: str
    version: str
    sum: str


@dataclass(frozen=True, slots=True)
class GoBuild:
    """How a Go program was built.

    Attributes:
        go: Toolchain, as `go1.25.5`.
        main: The main module.
        modules: The modules linked in; a replaced module appears as its replacement.
    """

    go: str
    main: Module | None
    modules: tuple[Module, ...]


def read(program: bytes) -> GoBuild | None:
    """Read the build information of a program; None if it is not a Go program, or was built before Go 1.18."""
    at = program.find(_MAGIC)
    while at >= 0 and at % _ALIGN:
        at = program.find(_MAGIC, at + 1)
    if at < 0 or not program[at + 15] & _INLINE:
        return None
    go, after = _string(program, at + _STRINGS)
    text, _ = _string(program, after)
    return _parse(go.decode(), text[_SENTINEL:-_SENTINEL].decode())


def _parse(go: str, text: str) -> GoBuild:
    main: Module | None = None
    modules: list[Module] = []
    for line in text.splitlines():
        word, *rest = line.split("\t")
        module = Module(*[*rest, "", "", ""][:3])
        if word == "mod":
            main = module
        elif word == "dep":
            modules.append(module)
        elif word == "=>" and modules:
            modules[-1] = module
    return GoBuild(go, main, tuple(modules))


def _string(data: bytes, at: int) -> tuple[bytes, int]:
    """A string with its length before it (a varint), and the offset of what follows."""
    length = shift = 0
    while True:
        byte = data[at]
        at += 1
        length |= (byte & 0x7F) << shift
        if byte < 0x80:  # noqa: PLR2004 - the highest bit says that the number goes on
            return data[at : at + length], at + length
        shift += 7
